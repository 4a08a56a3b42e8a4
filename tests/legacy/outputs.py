"""What a saved model makes of fixed input: the same words made the expectations and check them.

Classes are found by name among what a model brought with it, for they may lie elsewhere by now. If
a method has another name one day, its line here is the only one to change.
"""

import csv
import hashlib
import importlib
import platform
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

MOST = 32
"""Numbers kept of each output of a model."""


def main(*argv: str) -> int:
    """The command ``oneleap``."""
    (command,) = {
        e.value: e for e in entry_points(group="console_scripts", name="oneleap")
    }.values()
    status: int = command.load()(list(argv))
    return status


def load(folder: Path) -> Any:
    """A saved model."""
    return importlib.import_module("oneleap.core").load_pretrained(folder)


def named(name: str) -> Any:
    """A class or function of oneleap, wherever it lies."""
    ours = [m for key, m in sys.modules.items() if key.startswith("oneleap.")]
    found = [vars(m)[name] for m in ours if name in vars(m)]
    assert found, f"no {name} in what is imported of oneleap"
    return found[0]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(values: Any, most: int = MOST) -> list[float]:
    """So many of the values, evenly spaced, with all their digits (and no more)."""
    flat = np.asarray(values).reshape(-1)
    kept = np.unique(np.linspace(0, len(flat) - 1, most).round().astype(int))
    return [float(str(x)) for x in flat[kept]]


def act(model: Any) -> dict[str, Any]:
    """Actions of a policy of reinforcement learning."""
    obs = np.linspace(-0.7, 0.7, 12 * model.spec.obs_dim).reshape(12, -1).astype(np.float32)
    return {
        "own": model.act(obs, generator=seeded()),
        "one": model.act(obs[0], generator=seeded(1)),
        "best_of_5": model.act(obs, num_action_samples=5, generator=seeded(2)),
    }


def move(model: Any) -> dict[str, Any]:
    """Chunks of a robot's policy."""
    spec = model.spec
    size = spec.n_obs_steps * sum(spec.obs_sizes)
    obs = np.linspace(-1, 1, 2 * size).reshape(2, spec.n_obs_steps, -1)
    return {"chunk": model.act(obs, generator=seeded())}


def look(model: Any) -> dict[str, Any]:
    """The same of a policy that sees."""
    spec = model.spec
    size = spec.n_obs_steps * sum(spec.obs_sizes)
    obs = np.linspace(-1, 1, 2 * size).reshape(2, spec.n_obs_steps, -1)
    h, w = spec.image_size
    shape = (2, len(spec.cameras), spec.n_obs_steps, 3, h, w)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return {"chunk": model.act(obs, images, generator=seeded())}


def speak(model: Any) -> dict[str, Any]:
    """Spectrograms of symbols, in a batch."""
    texts = [[3, 10, 20, 30, 40, 7], [5, 6, 12]]
    own = model.synthesize(texts, seeds=[0, 1])
    two = model.synthesize(texts[:1], seeds=[0], steps=2, temperature=0.5)
    return {"first": own[0], "second": own[1], "two_steps": two[0]}


def songs(mels: int) -> Any:
    """A phrase of 24 frames: rest, two phonemes of a word, rest."""
    n = 24
    return named("SingingBatch")(
        tokens=torch.tensor([[1, 4, 3, 2]]),
        exact_durations=torch.tensor([[4.0, 2.0, 12.0, 6.0]]),
        word_onset=torch.tensor([[True, True, False, True]]),
        word_index=torch.tensor([[0, 1, 1, 2]]),
        word_durations=torch.tensor([[4.0, 14.0, 14.0, 6.0]]),
        ph_midi=torch.tensor([[0.0, 60.0, 60.0, 0.0]]),
        durations=torch.tensor([[4, 2, 12, 6]]),
        note_midi=torch.tensor([[60.0, 60.0, 60.0]]),
        note_rest=torch.tensor([[True, False, True]]),
        note_durations=torch.tensor([[4, 14, 6]]),
        mel=torch.zeros(1, mels, n),
        f0=torch.linspace(200, 300, n)[None],
        base_pitch=torch.linspace(59, 61, n)[None],
        energy=torch.full((1, n), -40.0),
        breathiness=torch.full((1, n), -50.0),
        num_frames=torch.tensor([n]),
    )


def sing(model: Any) -> dict[str, Any]:
    """A spectrogram of a phrase, and the rough one."""
    batch = model.frame_batch(songs(model.spec.mel.n_mels))
    noise = torch.randn(batch.x.shape, generator=seeded())
    made, rough = model.generate(batch, noise, generator=seeded(1))
    return {"made": made, "rough": rough}


def bend(model: Any) -> dict[str, Any]:
    """Curves of a phrase."""
    sheet = model.curve_batch(songs(model.spec.mel.n_mels))
    return {"curves": model.generate(sheet, torch.randn(sheet.x.shape, generator=seeded()))}


def last(model: Any) -> dict[str, Any]:
    """Durations of a phrase's phonemes."""
    return {"frames": model.predict(songs(model.spec.mel.n_mels))}


def compose(model: Any) -> dict[str, Any]:
    """Clips of noise in one call of the averaged network, under two tags."""
    z = torch.randn(2, model.spec.mel.n_mels, 20, generator=seeded())
    tags = torch.eye(2, len(model.spec.tags))
    net, scale = getattr(model, "average", model.net), {}
    if net.guided:
        scale = {"guidance": torch.tensor([1.0, 2.5])}
    half = net(z, torch.full((2,), 0.25), torch.full((2,), 0.75), tags, **scale)
    whole = net(z, torch.zeros(2), torch.ones(2), tags, **scale)
    return {"half": half, "clips": model.denormalize(z - whole)}


def vocode(model: Any) -> dict[str, Any]:
    """Samples of a spectrogram."""
    return {"wave": model(torch.randn(1, model.spec.n_mels, 12, generator=seeded()))}


def filtered(model: Any) -> dict[str, Any]:
    """Samples of a spectrogram and a pitch."""
    mel = torch.randn(1, model.spec.n_mels, 12, generator=seeded())
    noise = torch.randn(1, 12 * model.spec.hop, generator=seeded(1))
    return {"wave": model(mel, torch.linspace(100, 300, 12)[None], noise)}


OUTPUTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "rl_ofql": act,
    "rl_dql": act,
    "rl_fql": act,
    "rl_bc": act,
    "rl_bfq": act,
    "rl_fbrac": act,
    "rl_iql": act,
    "rl_idql": act,
    "rl_rebrac": act,
    "robot_dm1": move,
    "robot_image": look,
    "speech_flow": speak,
    "speech_splitmeanflow": speak,
    "singing_acoustic": sing,
    "singing_pitch": bend,
    "singing_durations": last,
    "music_flow": compose,
    "music_ctd": compose,
    "audio_vocos": vocode,
    "audio_nsf": filtered,
}
"""How the model of each saved run is asked."""

FRESH = ("rl_bfq", "rl_fql", "rl_fbrac", "rl_idql", "rl_rebrac", "robot_image", "music_ctd")
"""Runs without a checkpoint, to save room: they are trained anew, not gone on with."""


@torch.no_grad()
def outputs(name: str, folder: Path) -> dict[str, list[float]]:
    """What the model in a folder makes of fixed input."""
    made = OUTPUTS[name](load(folder))
    return {key: some(torch.as_tensor(value)) for key, value in made.items()}


def hashes(folder: Path) -> dict[str, str]:
    """The beginning of the SHA-256 of each weight of a saved model, by name."""
    weights = load_file(folder / "model.safetensors")
    return {
        name: hashlib.sha256(w.contiguous().numpy().tobytes()).hexdigest()[:16]
        for name, w in sorted(weights.items())
    }


def rows(run: Path) -> list[dict[str, str]]:
    """The figures of a run."""
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]


def machine() -> dict[str, str]:
    """Where bits are what they are."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    name = next(line for line in text.splitlines() if line.startswith("model name"))
    model = next(line for line in text.splitlines() if line.startswith("model\t"))
    cpu = f"{name.partition(':')[2].strip()}, model {model.partition(':')[2].strip()}"
    return {"torch": torch.__version__, "cpu": cpu, "python": platform.python_version()}


# What ships

SAKURA = str(Path(__file__).parents[2] / "examples" / "sakura.musicxml")
PIECE = ("--seconds", "2", "--intensity", "rise", "--no-picture", "--seed", "0")

COMMANDS: dict[str, tuple[str, ...]] = {
    "compose tunes": ("compose", *PIECE, "--model", "tunes", "--steps", "2", "--decode", "1"),
    "compose default, 2 decoded": ("compose", *PIECE, "--steps", "1", "--decode", "2"),
    "compose by ditto": ("compose", *PIECE, "--steps", "1", "--method", "ditto"),
    "compose rise": ("compose", "--intensity", "rise", "--no-picture", "--seed", "0"),
}
"""Commands whose sound is known; ``-o`` is put behind."""


def sound(name: str, folder: Path) -> dict[str, Any]:
    """What a command writes: hash of the file, and evenly spaced samples."""
    import soundfile

    out = folder / "out.wav"
    assert main(*COMMANDS[name], "-o", str(out)) == 0
    samples, rate = soundfile.read(out)
    return {
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
        "sample_rate": rate,
        "count": len(samples),
        "samples": some(samples, 64),
    }


@torch.no_grad()
def by_hand() -> dict[str, list[float]]:
    """What ships, by functions of Python, before it is rounded to 16 bits."""
    composer = importlib.import_module("oneleap.domains.music").Composer.load("tunes")
    noise = composer.noise(1, 1.0, seeded())
    field = composer.field(composer.spec.tags[:1])
    third, whole = torch.full((1,), 0.3), torch.ones(1)
    return {
        "composer, teacher": some(field(noise, third, third)),
        "composer, 1 step": some(composer.vocode(composer.decode(noise))),
        "composer, 2 steps": some(composer.decode(noise, steps=2, tags=composer.spec.tags[:1])),
        "composer, whole": some(field(noise, 0 * whole, whole)),
    }
