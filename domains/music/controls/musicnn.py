"""musicnn (Pons and Serra 2019, arXiv 1909.06654), a network that tags music.

Its weights are not part of oneleap. They are read from a file of the TensorFlow variables of the
model ``MTT_musicnn`` (ISC license), as ``.npz`` or ``.safetensors``.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from oneleap.core.errors import InputError, suggest
from oneleap.core.reading.arrays import read_arrays
from oneleap.core.reading.guard import reading
from oneleap.core.reading.tensors import read_tensors, require_finite_tensors
from oneleap.domains.audio.mel import Mel, filterbank
from oneleap.domains.audio.stft import stft

MUSICNN_MEL = Mel(sample_rate=16_000, n_fft=512, hop=256, window=512, n_mels=96, center=True)
"""Mel filters of musicnn. It applies them to powers and uses another logarithm than ``log_mel``."""

CLIP_S = 3.0
"""Length in seconds of the clips that musicnn was trained on."""

FRAMES = 187
"""Number of frames of such a clip."""

TAGS = (
    *("guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast"),
    *("piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male"),
    *("singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman"),
    *("male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice"),
    *("new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice"),
    *("weird", "country", "metal", "female voice", "choral"),
)
"""Tags of MagnaTagATune, in the order of the last layer."""

WIDTH, TIMBRAL, TEMPORAL = 64, 204, 51
HEIGHTS, LENGTHS = (38, 67), (128, 64, 32)
"""Bands of the timbral filters, 40 and 70 % of 96, and frames of the temporal filters."""

EPSILON = 1e-3
"""Constant in the denominator of TensorFlow's batch normalization."""


class Tagger(nn.Module):
    """musicnn, trained on MagnaTagATune. Its weights are frozen; gradients reach its input.

    Filters that span 40 and 70 % of the spectrum detect timbre. Filters over 32, 64 and 128
    frames detect rhythm. The maximum of their outputs over the bands passes through three
    convolutions over time with residual connections. Maximum and mean over time of all features
    give 1506 numbers. A dense layer maps these to 200, and another one to 50 tags.
    """

    def __init__(self) -> None:
        super().__init__()
        self.input = _norm(1)
        self.timbral = nn.ModuleList(nn.Conv2d(1, TIMBRAL, (7, h)) for h in HEIGHTS)
        self.timbral_norm = nn.ModuleList(_norm(TIMBRAL) for _ in HEIGHTS)
        self.temporal = nn.ModuleList(nn.Conv2d(1, TEMPORAL, (n, 1)) for n in LENGTHS)
        self.temporal_norm = nn.ModuleList(_norm(TEMPORAL) for _ in LENGTHS)
        seen = len(HEIGHTS) * TIMBRAL + len(LENGTHS) * TEMPORAL
        widths = (seen, WIDTH, WIDTH, WIDTH)
        self.middle = nn.ModuleList(nn.Conv1d(n, WIDTH, 7, padding=3) for n in widths[:-1])
        self.middle_norm = nn.ModuleList(_norm1(WIDTH) for _ in widths[1:])
        self.pool_norm = _norm1(2 * sum(widths))
        self.dense, self.dense_norm = nn.Linear(2 * sum(widths), 200), _norm1(200)
        self.last = nn.Linear(200, len(TAGS))
        self.eval().requires_grad_(False)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Tagger":
        """Read the weights from a file. Nothing in the file is executed.

        Raises:
            InputError: If there is no such file, or it holds other weights.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(
                f"tagger: {path}: no such file: expected the TensorFlow variables of musicnn "
                "(MTT_musicnn) as .npz or .safetensors"
            )
        tagger = cls()
        with reading(path, "MTT_musicnn", prefix="tagger: "):
            tagger.load_state_dict(_convert_variables(_read(path)))
            require_finite_tensors(path, tagger.state_dict().items())
        return tagger

    def forward(self, spectrogram: Float[Tensor, "b n 96"]) -> Float[Tensor, "b 50"]:
        """Return the logits of the tags, given :func:`musicnn_spectrogram`."""
        logits: Tensor = self.last(self.embed(spectrogram))
        return logits

    def embed(self, spectrogram: Float[Tensor, "b n 96"]) -> Float[Tensor, "b 200"]:
        """Return the output of the layer before the last, for Fréchet distances."""
        x = self.input(spectrogram.unsqueeze(1))
        padded = pad(x, (0, 0, 3, 3))
        front = [
            norm(conv(padded).relu()).amax(3)
            for conv, norm in zip(self.timbral, self.timbral_norm, strict=True)
        ]
        for n, conv, norm in zip(LENGTHS, self.temporal, self.temporal_norm, strict=True):
            same = pad(x, (0, 0, (n - 1) // 2, n // 2))
            front.append(norm(conv(same).relu()).amax(3))
        features = [torch.cat(front, dim=1)]
        for k, (conv, norm) in enumerate(zip(self.middle, self.middle_norm, strict=True)):
            h = norm(conv(features[-1]).relu())
            features.append(h if k == 0 else h + features[-1])
        seen = torch.cat(features, dim=1)
        statistics = torch.stack([seen.amax(2), seen.mean(2)], dim=2).flatten(1)
        out: Tensor = self.dense_norm(self.dense(self.pool_norm(statistics)).relu())
        return out


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=EPSILON)


def _norm1(width: int) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(width, eps=EPSILON)


def musicnn_spectrogram(
    wave: Float[Tensor, "b n"], sample_rate: int
) -> Float[Tensor, "b frames 96"]:
    """Compute musicnn's spectrogram, ``log10(1e4 mel power + 1)`` at 16 kHz; differentiable.

    It equals librosa's ``melspectrogram`` with the defaults of 2019, where the ends are mirrored.
    """
    if sample_rate != MUSICNN_MEL.sample_rate:
        import torchaudio

        wave = torchaudio.functional.resample(wave, sample_rate, MUSICNN_MEL.sample_rate)
    power = stft(wave, MUSICNN_MEL.n_fft, MUSICNN_MEL.hop, MUSICNN_MEL.window, center=True)
    power = torch.view_as_real(power).square().sum(-1)
    bands = filterbank(MUSICNN_MEL, wave.dtype, wave.device) @ power
    return torch.log10(1e4 * bands + 1).mT


def split_clips(spectrogram: Float[Tensor, "b n 96"]) -> Float[Tensor, "c k 96"]:
    """Split all rows into clips of three seconds that overlap by half; a short row is one clip."""
    n = spectrogram.shape[1]
    if n <= FRAMES:
        return spectrogram
    windows = spectrogram.unfold(1, FRAMES, FRAMES // 2)
    return windows.permute(0, 1, 3, 2).flatten(0, 1)


def tag_indices(names: Sequence[str]) -> list[int]:
    """Return the positions of tags in :data:`TAGS`.

    Raises:
        InputError: If musicnn has no such tag.
    """
    for name in names:
        if name not in TAGS:
            raise InputError(f"tags: musicnn has no tag '{name}'{suggest(name, TAGS)}")
    return [TAGS.index(name) for name in names]


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Read named arrays from a file."""
    if path.suffix == ".safetensors":
        return {name: x.float().numpy() for name, x in read_tensors(path).items()}
    return read_arrays(path)


@lru_cache(maxsize=1)
def _layers() -> tuple[tuple[str, str], ...]:
    """TensorFlow's names of the layers, in order of creation, and ours."""
    convs = ["timbral.0", "timbral.1", "temporal.0", "temporal.1", "temporal.2"]
    convs += [f"middle.{k}" for k in range(3)]
    norms = ["input", "timbral_norm.0", "timbral_norm.1"]
    norms += [f"temporal_norm.{k}" for k in range(3)] + [f"middle_norm.{k}" for k in range(3)]
    norms += ["pool_norm", "dense_norm"]
    named = [(_numbered("conv2d", k), name) for k, name in enumerate(convs)]
    named += [(_numbered("batch_normalization", k), name) for k, name in enumerate(norms)]
    return (*named, ("dense", "dense"), ("dense_1", "last"))


def _numbered(name: str, k: int) -> str:
    """TensorFlow's name of the ``k``-th layer of a kind."""
    return f"{name}_{k}" if k else name


def _convert_variables(found: dict[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Convert TensorFlow's variables to a state dictionary of :class:`Tagger`."""
    parts = {"gamma": "weight", "beta": "bias", "kernel": "weight", "bias": "bias"}
    parts |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    state = dict[str, Tensor]()
    for theirs, ours in _layers():
        for name, part in parts.items():
            if f"{theirs}/{name}" not in found:
                continue
            value = torch.from_numpy(found[f"{theirs}/{name}"].astype(np.float32))
            if name == "kernel" and value.ndim == 4:
                value = value.permute(3, 2, 0, 1)  # h w in out -> out in h w
                if ours.startswith("middle"):  # (out, 1, 7, in) -> (out, in, 7)
                    value = value.squeeze(1).mT
            elif name == "kernel":
                value = value.T
            state[f"{ours}.{part}"] = value.contiguous()
        if "norm" in ours or ours == "input":
            state[f"{ours}.num_batches_tracked"] = torch.tensor(0)
    return state
