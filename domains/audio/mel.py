"""The log-mel spectrogram, and the contract by which an acoustic model and a vocoder may pair."""

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.stft import stft


@dataclass(frozen=True)
class Mel:
    """All that decides what the numbers of a spectrogram mean.

    It is stored with every acoustic model and every vocoder; two that differ in any field are
    refused (:func:`refuse_mismatch`). Magnitudes, not powers, are summed by the filters.

    Attributes:
        sample_rate: Hz.
        n_fft: Samples of a Fourier transform.
        hop: Samples between frames.
        window: Samples of the Hann window.
        n_mels: Filters.
        fmin: Lower edge of the first filter, Hz.
        fmax: Upper edge of the last filter, Hz.
        scale: Of pitch: Slaney's, linear below 1000 Hz, or HTK's.
        norm: Filters of equal area (``slaney``) or of equal height (``none``).
        center: Frames about multiples of the hop; else about the middle of each hop, see
            :func:`oneleap.domains.audio.stft.stft`.
        log_base: Of the logarithm, ``e`` or ``10``.
        floor: Least magnitude; smaller ones are raised to it before the logarithm.
        mean: Subtracted from the logarithm.
        std: The rest is divided by it. Both are fixed numbers, near those of speech, and no
            statistics of a data set: models of different voices share a vocoder.

    Raises:
        InputError: If a field is out of range.
    """

    sample_rate: int = 16_000
    n_fft: int = 1024
    hop: int = 256
    window: int = 1024
    n_mels: int = 80
    fmin: float = 0.0
    fmax: float = 8000.0
    scale: Literal["slaney", "htk"] = "slaney"
    norm: Literal["slaney", "none"] = "slaney"
    center: bool = False
    log_base: Literal["e", "10"] = "e"
    floor: float = 1e-5
    mean: float = -5.5
    std: float = 2.1

    def __post_init__(self) -> None:
        """Refuse what makes no spectrogram."""
        for name in ("sample_rate", "n_fft", "hop", "window", "n_mels", "floor", "std"):
            if getattr(self, name) <= 0:
                raise InputError(f"mel: {name} is positive, not {getattr(self, name)}")
        if not self.hop <= self.window <= self.n_fft or (self.n_fft - self.hop) % 2:
            raise InputError(
                f"mel: hop {self.hop} <= window {self.window} <= n_fft {self.n_fft}, and n_fft "
                "less hop is even"
            )
        if not 0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise InputError(
                f"mel: fmin {self.fmin:g} Hz below fmax {self.fmax:g} Hz, at most half the "
                f"sample_rate, {self.sample_rate / 2:g} Hz"
            )

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop

    @property
    def silence(self) -> float:
        """What a frame without any sound is in each band, normalised."""
        return (self._log(self.floor) - self.mean) / self.std

    def _log(self, x: float) -> float:
        return math.log(x) if self.log_base == "e" else math.log10(x)


def refuse_mismatch(ours: Mel, theirs: Mel, who: str, whose: str) -> None:
    """Refuse to pair two models whose contracts differ.

    Raises:
        InputError: Naming both models and the first field that differs.
    """
    for field in fields(Mel):
        a, b = getattr(ours, field.name), getattr(theirs, field.name)
        if a != b:
            raise InputError(
                f"mel contract: {who} has {field.name} {a}, {whose} {b}: they cannot be paired; "
                "train one of them with the other's data.mel"
            )


def log_mel(wave: Float[Tensor, "b n"], mel: Mel) -> Float[Tensor, "b mels frames"]:
    """Normalised log-mel spectrogram of samples on [-1, 1]; differentiable."""
    magnitude = stft(wave, mel.n_fft, mel.hop, mel.window, center=mel.center).abs()
    with torch.autocast(wave.device.type, enabled=False):
        bands = filterbank(mel, wave.dtype, wave.device) @ magnitude
    log = bands.clamp(min=mel.floor).log()
    if mel.log_base == "10":
        log = log / math.log(10)
    return (log - mel.mean) / mel.std


def magnitudes(features: Float[Tensor, "b mels frames"], mel: Mel) -> Float[Tensor, "b mels n"]:
    """Band magnitudes of normalised features; undoes normalisation and logarithm."""
    log = features * mel.std + mel.mean
    return (log * math.log(10) if mel.log_base == "10" else log).exp()


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # kept: what is made while speaking is trained through later
def filterbank(mel: Mel, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "mels bins"]:
    """Triangles between neighbouring points that are evenly spaced in pitch."""
    return torch.from_numpy(triangles(mel)).to(device, dtype)


def triangles(mel: Mel) -> NDArray[np.float64]:
    """The filters, (mels, bins); librosa's ``filters.mel`` has the same."""
    to_mel, to_hz = SCALES[mel.scale]
    low, high = to_mel(np.array([mel.fmin, mel.fmax]))
    points = to_hz(np.linspace(low, high, mel.n_mels + 2))
    bins = np.fft.rfftfreq(mel.n_fft, 1 / mel.sample_rate)
    slopes = points[:, None] - bins[None]
    rise = -slopes[:-2] / np.diff(points)[:-1, None]
    fall = slopes[2:] / np.diff(points)[1:, None]
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rise, fall))
    if mel.norm == "slaney":
        filters *= (2 / (points[2:] - points[:-2]))[:, None]
    return filters


def _slaney(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's Auditory Toolbox: 200/3 Hz a mel up to 1000 Hz, then a factor of 6.4 in 27."""
    above = 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / math.log(6.4)
    return np.where(hz < 1000, 3 * hz / 200, above)


def _slaney_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    above = 1000 * 6.4 ** ((np.maximum(mels, 15) - 15) / 27)
    return np.where(mels < 15, 200 * mels / 3, above)


def _htk(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(2595 * np.log10(1 + hz / 700))


def _htk_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700 * (10 ** (mels / 2595) - 1))


SCALES = {"slaney": (_slaney, _slaney_hz), "htk": (_htk, _htk_hz)}
"""Hz to mel, and back."""
