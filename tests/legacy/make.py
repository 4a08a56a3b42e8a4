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
from make_configs import CONFIG, MODELS, VALIDATED

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
