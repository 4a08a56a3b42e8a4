"""Tiny runs of every domain that log, validate and save often, to be killed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from support.matrix.domains import DOMAINS, write_songs, write_transitions

STEPS = 24


def trainer(more: str = "") -> str:
    """The sections of a configuration that all runs share."""
    return f"""
seed: 5
trainer: {{max_steps: {STEPS}, log_every_n_steps: 3, accelerator: cpu{more}}}
checkpoints: {{every_n_steps: 4}}
"""


VALIDATES = ", val_check_interval: 4, check_val_every_n_epoch: null"
SCORED = (
    ", callbacks: [{class_path: oneleap.domains.rl.EvaluatePolicy, "
    "init_args: {every: 4, episodes: 1}}]"
)

SMALL = ["--model.network.width", "8", "--model.recipe.compile", "false"]


@dataclass(frozen=True)
class Run:
    """What is trained.

    Attributes:
        write: Writes data and ``run.yaml`` into the current folder.
        argv: Arguments of ``oneleap`` before the folder of the run.
        needs: Modules without which it cannot run.
        before: Commands that make what it needs.
    """

    write: Callable[[Path], None]
    argv: tuple[str, ...]
    needs: tuple[str, ...] = ()
    before: tuple[tuple[str, ...], ...] = ()


def domain(
    model: str, objective: str, validates: bool, name: str = "run.yaml"
) -> Callable[[Path], None]:
    """A model of the matrix."""
    data, settings = DOMAINS[model]

    def write(folder: Path) -> None:
        text = f"model:\n  class_path: {model}\n  init_args:\n    objective: {objective}\n"
        text += f"    {settings}"
        text += f"\ndata: {data(folder)}" + trainer(VALIDATES if validates else "")
        (folder / name).write_text(text)

    return write


def taught(folder: Path) -> None:
    """A policy, and a generator that matches it with a second network and a judge."""
    domain("oneleap.domains.rl.Policy", "oneleap.core.FlowMatching", False, "teacher.yaml")(folder)
    matching = "{class_path: oneleap.core.DMD2, init_args: {ratio: 2, fake_rank: 2}}"
    domain("oneleap.domains.rl.Policy", matching, False)(folder)


def online(folder: Path) -> None:
    """Hopper of a few rows."""
    import h5py

    g = np.random.default_rng(0)
    with h5py.File(folder / "hopper.hdf5", "w") as file:
        file["observations"] = g.normal(size=(80, 11)).astype(np.float32)
        file["actions"] = g.uniform(-1, 1, (80, 3)).astype(np.float32)
        file["rewards"] = g.normal(size=80).astype(np.float32)
        file["terminals"] = np.arange(80) % 20 == 19
        file["timeouts"] = np.zeros(80, bool)


def evaluated(folder: Path) -> None:
    """An actor-critic that is scored in its environment while it trains."""
    write_transitions(folder)
    text = f"""
model:
  class_path: oneleap.domains.rl.OFQL
  init_args:
    objective: oneleap.core.MeanFlow
    network: {{width: 16}}
    recipe: {{compile: false}}
data:
  class_path: oneleap.domains.rl.OfflineData
  init_args: {{path: tiny.hdf5, env: none, batch_size: 16, validation: 0.34}}
{trainer(SCORED)}"""
    (folder / "run.yaml").write_text(text)


def vocoder(folder: Path) -> None:
    """Vocos with its discriminators."""
    write_songs(folder)
    mel = "{sample_rate: 8000, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}"
    (folder / "run.yaml").write_text(f"""
model:
  class_path: oneleap.domains.audio.VocoderTraining
  init_args: {{width: 4, hidden: 4, depth: 1, gan_start_step: 4, periods: [2], period_width: 2,
    windows: [256], window_width: 2}}
data:
  class_path: oneleap.domains.audio.AudioData
  init_args: {{path: [songs/wavs], seconds: 0.2, batch_size: 2, mel: {mel}}}
{trainer(VALIDATES)}""")


FIT = ("fit", "--config", "run.yaml")
OFFLINE = ("fit", "--config", "rl/ofql_d4rl", "--data.path", "hopper.hdf5", "--run", "start",
           "--data.batch_size", "16", "--trainer.max_steps", "3", *SMALL)  # fmt: skip
ONLINE = ("fit", "--config", "rl/ofql_online", "--data.run", "start", "--data.path", "hopper.hdf5",
          "--data.batch_size", "16", "--data.first_steps", "30", "--data.env_steps", "7", *SMALL,
          "--trainer.log_every_n_steps", "3", "--trainer.max_steps", str(STEPS),
          "--checkpoints.every_n_steps", "4")  # fmt: skip
SOUND = ("soundfile", "soxr")

RUNS = {
    "rl": Run(evaluated, FIT, ("h5py", "gymnasium")),
    "online": Run(online, ONLINE, ("h5py", "gymnasium", "mujoco"), (OFFLINE,)),
    "matching": Run(
        taught,
        (*FIT, "--model.recipe.teacher", "teacher/model"),
        ("h5py", "gymnasium"),
        (("fit", "--config", "teacher.yaml", "--run", "teacher"),),
    ),
    "robot": Run(
        domain("oneleap.domains.robot.RobotPolicy", "oneleap.core.MeanFlow", False),
        FIT,
        ("h5py", "scipy"),
    ),
    "speech": Run(
        domain("oneleap.domains.speech.AcousticModel", "oneleap.core.MeanFlow", True),
        FIT,
        (*SOUND, "numba"),
    ),
    "singing": Run(
        domain("oneleap.domains.singing.AcousticModel", "oneleap.core.FlowMatching", True),
        FIT,
        (*SOUND, "pyworld"),
    ),
    "music": Run(
        domain("oneleap.domains.music.MusicModel", "oneleap.core.ConsistencyTraining", True),
        FIT,
        SOUND,
    ),
    "audio": Run(vocoder, FIT, (*SOUND, "pyworld")),
}
