"""The readers of files, each with files that it reads and mutations of them."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from support.hostile.models import (
    mutate_checkpoint,
    read_model,
    read_tagger,
    resume,
    write_checkpoint,
    write_model,
    write_tagger,
    write_voice,
    write_weights,
)
from support.hostile.mutate import (
    Mutate,
    mutate_archive,
    mutate_bytes,
    mutate_json,
    mutate_safetensors,
    mutate_table,
    mutate_yaml,
)


@dataclass(frozen=True)
class Reader:
    """A reader of a kind of file.

    Attributes:
        seed: Writes a good file into a folder, and what lies beside it; the file.
        read: Reads the file.
        mutate: Changes the file.
        needs: Modules that it needs.
    """

    seed: Callable[[Path], Path]
    read: Callable[[Path], object]
    mutate: Mutate
    needs: tuple[str, ...] = ()


def steps(n: int = 24) -> dict[str, Any]:
    """Fields of D4RL's layout."""
    g = np.random.default_rng(0)
    return {
        "observations": g.normal(size=(n, 3)).astype(np.float32),
        "actions": g.uniform(-1, 1, (n, 1)).astype(np.float32),
        "rewards": g.normal(size=n).astype(np.float32),
        "terminals": np.arange(n) % 8 == 7,
        "timeouts": np.zeros(n, bool),
    }


def offline(path: Path) -> object:
    from oneleap.domains.rl.data.datamodule import OfflineData

    OfflineData(str(path), env="none").spec  # noqa: B018
    return OfflineData(str(path), batch_size=4).spec


def write_hdf5(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "a.hdf5", "w") as file:
        for name, array in steps().items():
            compressed = {"compression": "gzip"} if name == "observations" else {}
            file.create_dataset(name, data=array, **compressed)
        file.attrs["env_id"] = "Pendulum-v1"
    return folder / "a.hdf5"


def mutate_hdf5(data: bytes, rng: random.Random) -> bytes:
    """Change bytes, or replace a data set or an attribute by a strange one."""
    import io

    import h5py

    if rng.random() < 0.6:
        return mutate_bytes(data, rng)
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        for _ in range(rng.randint(1, 2)):
            name = rng.choice(names)
            node = file.get(name)  # none for a link to nowhere
            if node is None:
                continue
            if rng.random() < 0.25:
                strange = rng.choice(ATTRIBUTES)
                node.attrs[rng.choice(("env_args", "num_samples", "x"))] = strange
                file.attrs[rng.choice(("env_id", "oneleap_task"))] = strange
                continue
            shape = getattr(node, "shape", None) or (3,)
            del file[name]
            strange_node(file, name, tuple(shape), rng)
    return buffer.getvalue()


def strange_node(file: Any, name: str, shape: tuple[int, ...], rng: random.Random) -> None:
    """Write a node that is not what a reader expects."""
    import h5py

    kind = rng.randrange(13)
    if kind == 0:
        file[name] = h5py.Empty("f4")
    elif kind == 1:
        file[name] = np.zeros((*shape[:1], 0), np.float32)
    elif kind == 2:
        file[name] = "text"
    elif kind == 3:
        file.create_dataset(name, (10**9, 10**3), "f8", chunks=(10**3, 10**2))
    elif kind == 4:
        file.create_group(name)
    elif kind == 5:
        file[name] = h5py.ExternalLink("/etc/hostname", "/x")
    elif kind == 6:
        file[name] = h5py.SoftLink("/nowhere")
    elif kind == 7:
        file[name] = np.full(shape, np.nan)
    elif kind == 8:
        file[name] = np.zeros(shape, "S4")
    elif kind == 9:
        file[name] = np.zeros(shape, [("a", "f4"), ("b", "i2")])
    elif kind == 10:
        file[name] = 3.0
    elif kind == 11:
        file.create_dataset(name, shape, "u1", external=[("/etc/hostname", 0, 10**6)])
    else:
        file[name] = file["/"]  # the file inside itself


ATTRIBUTES: tuple[Any, ...] = (
    *("[1, 2]", "{", "null", '{"env": 3}', '{"env": "x", "y": 1}', "[" * 5000, "", b"\xff\xfe"),
    *(3, np.zeros(3), np.zeros(0), "a" * 10_000, '"text"', '{"env": "a", "obs_keys": 5}'),
    *('{"env": "Pendulum-v1", "env_kwargs": 3}', '{"env_name": 3}', '{"env_name": "Lift"}'),
)


def write_demos(folder: Path) -> Path:
    from support.tiny_robot import ENV_ARGS, robot_file

    robot_file(folder / "demos.hdf5", ENV_ARGS)
    return folder / "demos.hdf5"


def read_demos(path: Path) -> object:
    from support.tiny_robot import KEYS

    from oneleap.domains.robot.data.datamodule import DemonstrationData

    return DemonstrationData(str(path), obs=KEYS, horizon=4, batch_size=4).spec


def write_npz(folder: Path) -> Path:
    np.savez_compressed(folder / "a.npz", **steps(), env_id="Pendulum-v1")
    return folder / "a.npz"


def write_npy(folder: Path) -> Path:
    import soundfile
    from support.tiny_audio import RATE, tone

    for name in ("wavs", "f0"):
        (folder / name).mkdir()
    soundfile.write(folder / "wavs" / "a.wav", tone(), RATE)
    np.save(folder / "f0" / "a.npy", np.full(100, 200, np.float32))
    return folder / "f0" / "a.npy"


def read_npy(path: Path) -> object:
    from support.tiny_audio import MEL, RATE

    from oneleap.domains.audio.pitch import load_f0
    from oneleap.domains.audio.wave import read_wave

    sound = path.parent.parent / "wavs" / f"{path.stem}.wav"
    return load_f0(sound, read_wave(sound, RATE), MEL, None, 60.0, 500.0)


def write_minari(folder: Path) -> Path:
    import gymnasium

    from oneleap.domains.rl.data.minari import write_minari as write
    from oneleap.domains.rl.demonstrators.episodes import collect_episodes

    env = gymnasium.make("Pendulum-v1", max_episode_steps=5)
    act = env.action_space.sample
    episodes = list(collect_episodes(env, lambda obs: act(), 15, 0))
    write(folder / "d", "oneleap/it-v0", episodes, env, {})
    return folder / "d" / "data" / "main_data.hdf5"


def write_minari_arrow(folder: Path) -> Path:
    """The same steps as Arrow files, one for each episode."""
    import gymnasium
    from minari.dataset.minari_storage import MinariStorage

    from oneleap.domains.rl.demonstrators.episodes import collect_episodes

    env = gymnasium.make("Pendulum-v1", max_episode_steps=5)
    act = env.action_space.sample
    episodes = list(collect_episodes(env, lambda obs: act(), 15, 0))
    spaces = env.observation_space, env.action_space
    (folder / "d").mkdir()
    storage = MinariStorage.new(folder / "d" / "data", *spaces, env.spec, data_format="arrow")
    storage.update_metadata({"dataset_id": "oneleap/it-v0", "minari_version": "0.5.3"})
    storage.update_episodes(episodes)
    return folder / "d" / "data" / "0" / "part-0.arrow"


def read_minari_arrow(path: Path) -> object:
    from oneleap.domains.rl.data.datamodule import OfflineData

    return OfflineData(str(path.parents[2]), env="none").spec


def write_minari_json(folder: Path) -> Path:
    write_minari(folder)
    return folder / "d" / "data" / "metadata.json"


def read_minari(path: Path) -> object:
    from oneleap.domains.rl.data.datamodule import OfflineData

    return OfflineData(str(path.parent.parent)).spec


def write_sound(suffix: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import soundfile
        from support.tiny_audio import tone

        soundfile.write(folder / f"a.{suffix}", tone(0.4, rate=16_000), 16_000)
        return folder / f"a.{suffix}"

    return write


def read_sound(path: Path) -> object:
    from oneleap.domains.audio.wave import read_wave

    return read_wave(path, 24_000)


def read_clip(path: Path) -> object:
    from oneleap.domains.music.controls.targets import read_complete_wave

    return read_complete_wave(path, 24_000)


def write_speech_table(folder: Path) -> Path:
    from support.tiny_speech import write_corpus

    write_corpus(folder / "corpus", clips=3, seconds=0.2)
    return folder / "corpus" / "metadata.csv"


def read_speech_table(path: Path) -> object:
    from oneleap.domains.speech.data.ljspeech import read_ljspeech

    found = read_ljspeech(path.parent)
    assert all(path.parent.resolve() in item.path.resolve().parents for item in found)
    return found


def write_tags(folder: Path) -> Path:
    write_speech_table(folder)
    table = "file,tags\n" + "".join(f"wavs/c{i}.wav,calm;fast {i}\n" for i in range(3))
    (folder / "corpus" / "metadata.csv").write_text(table)
    return folder / "corpus" / "metadata.csv"


def read_tag_table(path: Path) -> object:
    from oneleap.domains.music.data.tags import read_tags

    return read_tags(path.parent, sorted(path.parent.glob("wavs/*.wav")))


def write_curve(folder: Path) -> Path:
    (folder / "a.csv").write_text("s,dB\n0,-30\n1,-20\n2.5,-10\n")
    return folder / "a.csv"


def read_curve(path: Path) -> object:
    from oneleap.domains.music.controls import targets

    return targets.read_curve(path)


def write_yaml(folder: Path) -> Path:
    from support.matrix.domains import RL

    (folder / "a.yaml").write_text(f"""seed: 3
data:
  class_path: oneleap.domains.rl.OfflineData
  init_args: {{path: tiny.hdf5, env: none, batch_size: 16}}
model:
  class_path: oneleap.domains.rl.OFQL
  init_args:
    objective: {{class_path: oneleap.core.MeanFlow, init_args: {{pairs: {{p_equal: 0.5}}}}}}
    {RL}
trainer: {{max_steps: 5, log_every_n_steps: 1, accelerator: cpu}}
checkpoints: {{every_n_steps: 5}}
""")
    return folder / "a.yaml"


def read_yaml(path: Path) -> object:
    from oneleap.core.cli.parse import parse_fit

    return parse_fit(["--config", str(path)])


SOUND = ("soundfile", "soxr")
RL = ("h5py", "gymnasium", "minari")

READERS = {
    "hdf5": Reader(write_hdf5, offline, mutate_hdf5, RL),
    "robomimic": Reader(write_demos, read_demos, mutate_hdf5, ("h5py", "scipy")),
    "minari": Reader(write_minari, read_minari, mutate_hdf5, RL),
    "minari-arrow": Reader(write_minari_arrow, read_minari_arrow, mutate_bytes, RL),
    "minari-json": Reader(write_minari_json, read_minari, mutate_json, RL),
    "npz": Reader(write_npz, offline, mutate_archive, RL),
    "npy": Reader(write_npy, read_npy, mutate_bytes, SOUND),
    "wav": Reader(write_sound("wav"), read_sound, mutate_bytes, SOUND),
    "flac": Reader(write_sound("flac"), read_sound, mutate_bytes, SOUND),
    "mp3": Reader(write_sound("mp3"), read_sound, mutate_bytes, SOUND),
    "wav-complete": Reader(write_sound("wav"), read_clip, mutate_bytes, SOUND),
    "csv-speech": Reader(write_speech_table, read_speech_table, mutate_table, SOUND),
    "csv-tags": Reader(write_tags, read_tag_table, mutate_table, SOUND),
    "csv-curve": Reader(write_curve, read_curve, mutate_table),
    "yaml": Reader(write_yaml, read_yaml, mutate_yaml, RL),
    "json-policy": Reader(write_model, read_model, mutate_json, RL),
    "json-voice": Reader(write_voice, read_model, mutate_json, SOUND),
    "safetensors": Reader(write_weights, read_model, mutate_safetensors, RL),
    "tagger": Reader(write_tagger, read_tagger, mutate_safetensors),
    "ckpt": Reader(write_checkpoint, resume, mutate_checkpoint),
}
