"""The smallest music data and models: chords as recordings, and models of few weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.core.objectives import FlowMatching
from oneleap.core.types import Objective
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.models.model import MusicModel
from oneleap.domains.music.models.nets import BackboneConfig, DiTConfig
from oneleap.domains.music.spec import MusicBatch, Spec

RATE = 8_000
MEL = Mel(
    sample_rate=RATE,
    n_fft=256,
    hop=128,
    window=256,
    n_mels=10,
    fmax=4000.0,
    floor=1e-3,
    mean=-4.5,
    std=2.0,
)
SPEC = Spec(
    MEL,
    ("calm", "fast"),
    frames=32,
    mean=tuple(0.1 * k for k in range(10)),
    std=tuple(1 + 0.05 * k for k in range(10)),
)
BACKBONE = DiTConfig(width=16, depth=1, heads=2, patch=4)


def chord(seconds: float, hz: float, rate: int = RATE) -> NDArray[np.float32]:
    """A major triad with increasing level; its peak is about 0.5."""
    t = np.arange(round(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * hz * ratio * t) for ratio in (1, 5 / 4, 3 / 2))
    return np.asarray(0.17 * wave * (0.3 + 0.7 * t / seconds), np.float32)


def write_pieces(folder: Path, each: int = 3, seconds: float = 2.0, rate: int = RATE) -> Path:
    """Write two folders of recordings; the name of a folder is the tag."""
    import soundfile

    for tag, low in (("calm", 110.0), ("fast", 220.0)):
        (folder / tag).mkdir(parents=True)
        for i in range(each):
            wave = chord(seconds, low * 2 ** (i / 12), rate)
            soundfile.write(folder / tag / f"{tag}{i}.wav", wave, rate)
    return folder


def model(
    objective: Objective | None = None,
    spec: Spec = SPEC,
    backbone: BackboneConfig = BACKBONE,
    seed: int = 3,
) -> MusicModel:
    """A model whose every weight matters."""
    made = MusicModel(spec, objective or FlowMatching(), backbone=backbone)
    g = torch.Generator().manual_seed(seed)
    for net in (made.net, made.average):
        for weight in net.parameters():
            torch.nn.init.normal_(weight, std=0.2, generator=g)
    return made.eval()


def vocoder(mel: Mel = MEL) -> Vocos:
    """A vocoder whose every weight matters."""
    made = Vocos(mel, width=16, hidden=16, depth=2)
    g = torch.Generator().manual_seed(0)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.2, generator=g)
    return made.eval()


def composer(student: Objective | None = None) -> Composer:
    """A composer of a base model, a student with another seed, and a vocoder."""
    return Composer.from_parts(model(), model(student, seed=4), vocoder(), guidance=2.0)


def batch(rows: int = 4, frames: int = 32, seed: int = 0) -> MusicBatch:
    """Clips of noise with random tags."""
    g = torch.Generator().manual_seed(seed)
    tags = torch.randint(0, 2, (rows, len(SPEC.tags)), generator=g).float()
    return MusicBatch(torch.randn(rows, MEL.n_mels, frames, generator=g), tags)


def untagged(spec: Spec = SPEC) -> Spec:
    """The spec without tags."""
    return replace(spec, tags=())


MUSICNN_SHAPES = {
    "conv2d": (7, 38, 1, 204),
    "conv2d_1": (7, 67, 1, 204),
    "conv2d_2": (128, 1, 1, 51),
    "conv2d_3": (64, 1, 1, 51),
    "conv2d_4": (32, 1, 1, 51),
    "conv2d_5": (7, 561, 1, 64),
    "conv2d_6": (7, 64, 1, 64),
    "conv2d_7": (7, 64, 1, 64),
    "dense": (1506, 200),
    "dense_1": (200, 50),
}

MUSICNN_NORMS = (1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)


def musicnn_variables(seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights under TensorFlow's names and in its layout."""
    rng = np.random.default_rng(seed)
    found = dict[str, np.ndarray]()
    for name, shape in MUSICNN_SHAPES.items():
        fan_in = np.prod(shape[:-1])
        found[f"{name}/kernel"] = rng.normal(size=shape) / np.sqrt(fan_in)
        found[f"{name}/bias"] = 0.1 * rng.normal(size=shape[-1])
    for k, width in enumerate(MUSICNN_NORMS):
        name = f"batch_normalization_{k}" if k else "batch_normalization"
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            value = 0.2 * rng.normal(size=width)
            found[f"{name}/{part}"] = (
                np.exp(value) if part[-1] in "ea" and part != "beta" else value
            )
    return {name: value.astype(np.float32) for name, value in found.items()}
