"""Made the runs and expectations of this folder, with oneleap 0.1.0 at commit 02236bf.

    cd tests/legacy; OMP_NUM_THREADS=1 PYTHONPATH=.. python make.py runs|shipped

Kept for the record: what is here must not be made anew by later code.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import soundfile
import torch
from legacy.outputs import COMMANDS, FRESH, by_hand, hashes, machine, main, outputs, rows, sound

HERE = Path(__file__).parent
RATE = 8_000
MEL = "{sample_rate: 8000, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}"

# Data


def wave(hz: list[float], seconds: float = 0.5) -> np.ndarray:
    """A sound of ten harmonics that steps through some pitches."""
    n = round(seconds * RATE)
    each = np.repeat(hz, -(-n // len(hz)))[:n]
    phase = 2 * np.pi * np.cumsum(each) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 11)) * (each > 0)
    return np.asarray(0.25 * tone + 1e-3 * np.sin(np.arange(n)), np.float32)


def write_data(folder: Path) -> None:
    """A little of every kind of data."""
    g, n = np.random.default_rng(0), 80
    folder.mkdir()
    with h5py.File(folder / "transitions.hdf5", "w") as file:
        file["observations"] = g.normal(size=(n, 4)).astype(np.float32)
        file["actions"] = g.uniform(-1, 1, (n, 2)).astype(np.float32)
        file["rewards"] = g.normal(size=n).astype(np.float32)
        file["terminals"] = np.arange(n) % 40 == 39
        file["timeouts"] = np.zeros(n, bool)
    with h5py.File(folder / "demos.hdf5", "w") as file:
        args = {"env_name": "Lift", "env_version": "1.5.2", "type": 1, "env_kwargs": {}}
        data = file.create_group("data")
        data.attrs["env_args"], data.attrs["total"] = json.dumps(args), 24
        for k, steps in enumerate((9, 7, 8)):
            demo = data.create_group(f"demo_{k}")
            demo.attrs["num_samples"], demo.attrs["model_file"] = steps, "<mujoco/>"
            actions = g.uniform(-1, 1, (steps, 7))
            actions[:, 6] = np.where(np.arange(steps) < steps // 2, -1.0, 1.0)
            demo["states"], demo["actions"] = g.normal(size=(steps, 5)), actions
            demo["actions_abs"] = g.uniform(-1, 1, (steps, 7))
            demo["rewards"], demo["dones"] = np.zeros(steps), np.arange(steps) == steps - 1
            for key, size in (("hand", 3), ("object", 2)):
                demo[f"obs/{key}"] = g.normal(size=(steps, size))
            demo["obs/eye_image"] = g.integers(0, 256, (steps, 16, 16, 3), dtype=np.uint8)
        file.create_dataset("mask/train", data=np.array(["demo_0", "demo_1"], dtype="S"))
        file.create_dataset("mask/valid", data=np.array(["demo_2"], dtype="S"))
    (folder / "corpus" / "wavs").mkdir(parents=True)
    lines = []
    for i in range(5):
        sound_ = wave([110 + 20 * i], 0.5 + 0.05 * i)
        soundfile.write(folder / "corpus" / "wavs" / f"c{i}.wav", sound_, RATE)
        lines.append(f"c{i}|tone {i}|{'ab'[i % 2]}tˈɛst{'o' * (i % 3)}.")
    (folder / "corpus" / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "songs" / "wavs").mkdir(parents=True)
    lines = ["name,ph_seq,ph_dur,ph_num,note_seq,note_dur,note_slur"]
    for i, (note, hz) in enumerate((("A3", 220.0), ("A#3", 233.1), ("C4", 261.6), ("B3", 246.9))):
        sung = np.concatenate([wave([0], 0.1), wave([hz], 0.2), wave([329.6], 0.2), wave([0], 0.1)])
        soundfile.write(folder / "songs" / "wavs" / f"s{i}_0.wav", sung, RATE)
        durations = "0.06 0.04 0.2 0.05 0.15 0.1"
        lines.append(
            f"s{i}_0,SP k a n i {'AP' if i == 1 else 'SP'},{durations},2 2 1 1,"
            f"rest {note} E4 rest,0.1 0.2 0.2 0.1,0 0 0 0"
        )
    (folder / "songs" / "transcriptions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for tag, low in (("calm", 110.0), ("fast", 220.0)):
        (folder / "pieces" / tag).mkdir(parents=True)
        for i in range(3):
            tune = wave([low * 2 ** (i / 12), low * 1.5], 0.4)
            soundfile.write(folder / "pieces" / tag / f"{tag}{i}.wav", tune, RATE)


OFFLINE = """
  class_path: oneleap.domains.rl.datamodule.OfflineData
  init_args: {path: data/transitions.hdf5, env: none, batch_size: 16, gamma: 0.95}"""
ROBOT = """
  class_path: oneleap.domains.robot.datamodule.Demonstrations
  init_args: {path: data/demos.hdf5, obs: [hand, object], chunk: 4, batch_size: 16, horizon: 20}"""
SEEN = """
  class_path: oneleap.domains.robot.datamodule.Demonstrations
  init_args:
    {path: data/demos.hdf5, obs: [hand], cameras: [eye_image], obs_steps: 2, chunk: 4,
     batch_size: 8}"""
SPEECH = f"""
  class_path: oneleap.domains.speech.datamodule.Speech
  init_args: {{path: [data/corpus], ipa: true, batch_size: 4, validation: 0.4, mel: {MEL}}}"""
SINGING = f"""
  class_path: oneleap.domains.singing.datamodule.Singing
  init_args: {{path: [data/songs], validation: 0.25, batch_size: 3, mel: {MEL}}}"""
MUSIC = f"""
  class_path: oneleap.domains.music.datamodule.Music
  init_args:
    {{path: [data/pieces], cache: cache, frames: 20, batch_size: 4, validation: 0.34,
     mel: {MEL}}}"""
CLIPS = f"""
  class_path: oneleap.domains.audio.clips.Clips
  init_args: {{path: [data/songs/wavs], seconds: 0.3, batch_size: 2, mel: {MEL}}}"""
SUNG = f"""
  class_path: oneleap.domains.audio.sung.SungClips
  init_args: {{path: [data/songs/wavs], seconds: 0.3, batch_size: 2, mel: {MEL}}}"""

ADAM = "{lr: 1.0e-2, warmup_steps: 3, cosine: true, clip: 1.0}"
ACTOR = "{lr: 4.0e-3, warmup_steps: 3, cosine: true, clip: 1.0}"
CRITIC = (
    f"width: 8, depth: 2, tau: 0.1, optimizer: {ACTOR}, critic_optimizer: {{lr: 3.0e-3}}, "
    "compile_loss: false"
)
AVERAGED = f"{CRITIC}, time_dim: 4, ema: 0.7, ema_start: 4, ema_every: 2"
TEXT = "{width: 4, depth: 1, heads: 1, hidden: 4, duration_width: 4}"
SPEAKS = f"""text: {TEXT}
    decoder:
      class_path: oneleap.domains.speech.net.ConvNeXt
      init_args: {{width: 8, depth: 1, expansion: 1}}
    crop_s: 0.3
    ema: 0.7
    optimizer: {ADAM}"""
LYNX = """decoder:
      class_path: oneleap.domains.singing.net.LYNX
      init_args: {width: 4, depth: 1, kernel: 3}"""
SIZE = "{width: 4, depth: 1, heads: 1, hidden: 4}"
DIT = """backbone:
      class_path: oneleap.domains.music.nets.DiT
      init_args: {width: 8, depth: 1, heads: 2, patch: 4}"""
JUDGED = "periods: [2], period_width: 4, windows: [256], window_width: 1, gan_from: 4"

RL_ALGORITHMS = {
    "rl_dql": ("dql.DQL", f"steps: 3, eta: 0.5, candidates: 6, {AVERAGED}"),
    "rl_fql": ("fql.FQL", f"alpha: 3.0, normalize_q: true, flow_steps: 3, {CRITIC}, time_dim: 4"),
    "rl_fbrac": ("fbrac.FBRAC", f"alpha: 2.0, steps: 3, {CRITIC}, time_dim: 4"),
    "rl_iql": ("iql.IQL", f"expectile: 0.8, beta: 2.0, spread: 0.5, {CRITIC}"),
    "rl_idql": (
        "idql.IDQL",
        f"steps: 3, expectile: 0.8, candidates: 6, ema: 0.7, {CRITIC}, time_dim: 4",
    ),
    "rl_rebrac": ("rebrac.ReBRAC", f"alpha: 0.1, beta: 0.2, actor_every: 2, {CRITIC}"),
}

MODELS: dict[str, tuple[str, str, str]] = {
    "rl_ofql": (
        "rl.ofql.OFQL",
        f"""objective:
      class_path: oneleap.core.objectives.MeanFlow
      init_args: {{pairs: {{p_equal: 0.5, deployed: [1], p_deployed: 0.25}}}}
    eta: 0.5
    critic_warmup: 2
    tau: 0.1
    max_q_backup: true
    backup_actions: 3
    width: 8
    depth: 2
    time_dim: 4
    layer_norm: true
    ema: 0.7
    ema_start: 4
    ema_every: 2
    temperature: 0.5
    optimizer: {ACTOR}
    critic_optimizer: {{lr: 3.0e-3}}
    compile_loss: false""",
        OFFLINE,
    ),
    "rl_bc": (
        "rl.policy.Policy",
        f"""objective: {{class_path: oneleap.core.objectives.MeanFlow}}
    residual: true
    time_dim: 4
    width: 8
    depth: 2
    ema: {{class_path: oneleap.core.ema.PowerEMA, init_args: {{sigma_rel: 0.1}}}}
    optimizer: {ADAM}
    compile_loss: false""",
        OFFLINE,
    ),
    "rl_bfq": (
        "rl.ofql.OFQL",
        f"""objective:
      class_path: oneleap.domains.rl.bfq.Bootstrap
      init_args:
        pairs:
          times: {{class_path: oneleap.core.times.Uniform}}
          p_equal: 0.5
          deployed: [1]
          p_deployed: 0.25
        offset: 1.0e-3
    width: 8
    depth: 2
    time_dim: 4
    ema: 0.7
    ema_start: 4
    ema_every: 2
    optimizer: {ADAM}
    compile_loss: false""",
        OFFLINE,
    ),
    "robot_dm1": (
        "robot.policy.RobotPolicy",
        f"""objective:
      class_path: oneleap.domains.robot.dm1.DM1
      init_args:
        layers: [mid]
        weight: 0.1
        dispersion: {{class_path: oneleap.core.dispersive.InfoNCECosine}}
        objective:
          class_path: oneleap.core.objectives.MeanFlow
          init_args:
            pairs: {{p_equal: 0.75, deployed: [1], p_deployed: 0.125}}
    head:
      class_path: oneleap.domains.robot.nets.MLPHead
      init_args: {{width: 16, embed_dim: 4}}
    execute: 3
    ema: 0.7
    temperature: 0.9
    optimizer: {ADAM}
    compile_loss: false""",
        ROBOT,
    ),
    "robot_image": (
        "robot.policy.RobotPolicy",
        f"""objective:
      class_path: oneleap.core.objectives.Shortcut
      init_args: {{steps: 4}}
    sampler:
      class_path: oneleap.core.samplers.Leap
      init_args: {{steps: 2}}
    head:
      class_path: oneleap.domains.robot.nets.MLPHead
      init_args: {{width: 8, embed_dim: 4}}
    vision: {{width: 4, heads: 1, blocks: 1, out_dim: 4}}
    gripper: threshold
    augment: 2
    ema: 0.7
    optimizer: {ADAM}
    compile_loss: false""",
        SEEN,
    ),
    "speech_flow": (
        "speech.acoustic.Acoustic",
        f"""objective: {{class_path: oneleap.core.objectives.FlowMatching}}
    sampler:
      class_path: oneleap.core.samplers.Euler
      init_args: {{steps: 4, guidance: 1.5}}
    drop: 0.3
    {SPEAKS}""",
        SPEECH,
    ),
    "speech_splitmeanflow": (
        "speech.acoustic.Acoustic",
        f"""objective:
      class_path: oneleap.core.objectives.SplitMeanFlow
      init_args:
        pairs:
          times: {{class_path: oneleap.core.times.Uniform}}
          p_equal: 0.5
          deployed: [1, 2]
          p_deployed: 0.5
        guidance: 1.5
    teacher: speech_flow/model
    from_teacher: true
    temperature: 0.8
    {SPEAKS}""",
        SPEECH,
    ),
    "singing_acoustic": (
        "singing.acoustic.Acoustic",
        f"""objective: {{class_path: oneleap.core.objectives.FlowMatching}}
    sampler:
      class_path: oneleap.domains.singing.samplers.Euler
      init_args: {{steps: 3, depth: 0.6}}
    depth: 0.6
    encoder: {SIZE}
    aux: {{width: 4, hidden: 4, depth: 1}}
    crop_s: 0.2
    ema: 0.7
    optimizer: {ADAM}
    {LYNX}""",
        SINGING,
    ),
    "singing_pitch": (
        "singing.curves.Curves",
        f"""objective:
      class_path: oneleap.core.objectives.SplitMeanFlow
      init_args:
        pairs:
          times: {{class_path: oneleap.core.times.Uniform}}
          p_equal: 0.5
          deployed: [1]
          p_deployed: 0.25
    names: [pitch]
    temperature: 0.3
    encoder: {SIZE}
    melody: {SIZE}
    bins: 2
    ema: 0.7
    optimizer: {ADAM}
    {LYNX}""",
        SINGING,
    ),
    "singing_durations": (
        "singing.durations.Durations",
        f"{{encoder: {SIZE}, depth: 1, ema: 0.7, optimizer: {ADAM}}}",
        SINGING,
    ),
    "music_flow": (
        "music.model.MusicModel",
        f"""objective:
      class_path: oneleap.core.objectives.FlowMatching
      init_args:
        times: {{class_path: oneleap.core.times.LogitNormal, init_args: {{mean: 0.8, std: 1.2}}}}
    drop: 0.3
    ema: 0.7
    optimizer: {ADAM}
    {DIT}""",
        MUSIC,
    ),
    "music_ctd": (
        "music.model.MusicModel",
        f"""objective:
      class_path: oneleap.core.objectives.ConsistencyTrajectory
      init_args: {{guidance: [1.0, 4.0]}}
    teacher: music_flow/model
    ema: 0.7
    optimizer: {ADAM}
    {DIT}""",
        MUSIC,
    ),
    "audio_vocos": (
        "audio.vocoder.VocoderTraining",
        f"{{width: 4, hidden: 4, depth: 1, {JUDGED}, optimizer: {ADAM}}}",
        CLIPS,
    ),
    "audio_nsf": (
        "audio.nsf_training.NSFTraining",
        f"{{width: 4, hidden: 4, depth: 1, ema: 0.9, {JUDGED}, optimizer: {ADAM}}}",
        SUNG,
    ),
} | {name: (f"rl.{c}", f"{{{args}}}", OFFLINE) for name, (c, args) in RL_ALGORITHMS.items()}

CONFIG = """# {name}, of a few weights.
model:
  class_path: oneleap.domains.{model}
  init_args:
    {arguments}
data: {data}
checkpoints: {{every_n_steps: 5}}
trainer:
  max_steps: 10
  log_every_n_steps: 1
  {validated}accelerator: cpu
"""
VALIDATED = "val_check_interval: 5\n  check_val_every_n_epoch: null\n  "


def write(path: Path, value: dict[str, Any]) -> None:
    lines = [f"{json.dumps(key)}: {json.dumps(part)}" for key, part in value.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def configs() -> Iterator[tuple[str, str]]:
    """Names of runs, a teacher before its student, and what is fitted."""
    for name, (model, arguments, data) in MODELS.items():
        validated = "" if name.startswith(("rl", "robot")) else VALIDATED
        yield (
            name,
            CONFIG.format(
                name=name, model=model, arguments=arguments, data=data, validated=validated
            ),
        )


def make_runs(only: list[str]) -> None:
    """Ten steps, which are kept, and ten more, of which figures and hashes are."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        if (HERE / "data").exists():
            shutil.copytree(HERE / "data", "data")
        else:
            write_data(Path("data"))
            shutil.copytree("data", HERE / "data")
        for name, text in configs():
            if only and name not in only:
                if (HERE / name).exists():
                    shutil.copytree(HERE / name, name)
                continue
            Path(f"{name}.yaml").write_text(text, encoding="utf-8")
            assert main("fit", "--config", f"{name}.yaml", "--run", name) == 0
            out = HERE / name
            shutil.rmtree(out, ignore_errors=True)
            for part in ("config.yaml", "metrics.csv", "checkpoints/last.ckpt", "model"):
                (out / part).parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if Path(name, part).is_dir() else shutil.copy
                copy(Path(name, part), out / part)
            shutil.rmtree(name)
            shutil.copytree(out, name)
            (out / "model" / "README.md").unlink()
            if name in FRESH:
                shutil.rmtree(out / "checkpoints")
            made = outputs(name, Path(name, "model"))
            expected: dict[str, Any] = {"made_with": machine(), "outputs": made}
            if name not in FRESH:
                shutil.copytree(name, f"{name}-on")
                run = ["--config", f"{name}-on/config.yaml", "--run", f"{name}-on"]
                on = [*run, "--ckpt_path", "last", "--trainer.max_steps", "20"]
                assert main("fit", *on) == 0
                after = Path(f"{name}-on")
                expected |= {
                    "metrics": [row for row in rows(after) if int(row["step"]) >= 10],
                    "weights": hashes(after / "model"),
                    "outputs_after_20": outputs(name, after / "model"),
                }
            write(out / "expected.json", expected)
            size = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
            print(f"--- {name}: {size / 1024:.0f} kB", flush=True)


def make_shipped() -> None:
    """Sounds of what ships."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in COMMANDS:
            found[name] = sound(name, Path(folder))
            print(f"--- {name}", flush=True)
    (HERE / "shipped").mkdir(exist_ok=True)
    expected = {"made_with": machine(), "commands": found, "functions": by_hand()}
    write(HERE / "shipped" / "expected.json", expected)


if __name__ == "__main__":
    torch.set_num_threads(1)
    make_runs(sys.argv[2:]) if sys.argv[1] == "runs" else make_shipped()
