"""Log-mel spectrograms, and the format that acoustic models and vocoders must share."""

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
    """Format of a log-mel spectrogram.

    Every acoustic model and every vocoder stores its format. Two models can be combined only if
    all fields agree (:func:`check_compatible`). The filters sum magnitudes, not powers.

    ``mean`` and ``std`` are fixed numbers close to the statistics of speech. They do not depend on
    a data set, so models of different voices can share a vocoder.

    Attributes:
        sample_rate: Sample rate in Hz.
        n_fft: Samples of one Fourier transform.
        hop: Samples between two frames.
        window: Samples of the Hann window.
        n_mels: Number of mel filters.
        fmin: Lower edge of the first filter in Hz.
        fmax: Upper edge of the last filter in Hz.
        scale: Mel scale: Slaney's, which is linear below 1000 Hz, or HTK's.
        norm: ``slaney`` for filters of equal area, ``none`` for filters of equal height.
        center: Whether frames are centered on multiples of the hop. Otherwise they are centered
            on the middle of each hop, see :func:`oneleap.domains.audio.stft.stft`.
        log_base: Base of the logarithm, ``e`` or ``10``.
        floor: Smallest magnitude; smaller ones are raised to it before the logarithm.
        mean: Number subtracted from the logarithm.
        std: Number by which the difference is divided.

    Raises:
        InputError: A field is out of range.
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
        """Check all fields."""
        for name in ("sample_rate", "n_fft", "hop", "window", "n_mels", "floor", "std"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(
                    f"mel: {name} must be positive and finite, not {getattr(self, name)}"
                )
        if not math.isfinite(self.mean):
            raise InputError(f"mel: mean must be finite, not {self.mean}")
        if not self.hop <= self.window <= self.n_fft or (self.n_fft - self.hop) % 2:
            raise InputError(
                f"mel: needs hop {self.hop} <= window {self.window} <= n_fft {self.n_fft}, and "
                "n_fft - hop must be even"
            )
        if not 0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise InputError(
                f"mel: needs fmin {self.fmin:g} Hz < fmax {self.fmax:g} Hz <= half the "
                f"sample_rate, {self.sample_rate / 2:g} Hz"
            )

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    @property
    def silence(self) -> float:
        """Normalized value of every band of a silent frame."""
        return (self._log(self.floor) - self.mean) / self.std

    def _log(self, x: float) -> float:
        return math.log(x) if self.log_base == "e" else math.log10(x)


def check_compatible(first: Mel, second: Mel, first_name: str, second_name: str) -> None:
    """Check that two models use the same spectrogram format.

    Args:
        first: Format of the first model.
        second: Format of the second model.
        first_name: What messages call the first model.
        second_name: What messages call the second model.

    Raises:
        InputError: A field differs. The message names both models and the field.
    """
    for field in fields(Mel):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if a != b:
            raise InputError(
                f"mel format: {first_name} has {field.name} {a}, {second_name} has {b}: they "
                "cannot be combined; train one of them with the data.mel of the other"
            )


def log_mel(wave: Float[Tensor, "b n"], mel: Mel) -> Float[Tensor, "b mels frames"]:
    """Normalized log-mel spectrogram of samples in [-1, 1]; differentiable."""
    magnitude = stft(wave, mel.n_fft, mel.hop, mel.window, center=mel.center).abs()
    with torch.autocast(wave.device.type, enabled=False):
        bands = filterbank(mel, wave.dtype, wave.device) @ magnitude
    log = bands.clamp(min=mel.floor).log()
    if mel.log_base == "10":
        log = log / math.log(10)
    return (log - mel.mean) / mel.std


LOUDEST = 1e9
"""Magnitudes above this one are cut, so that their squares and sums stay finite."""


def magnitudes(features: Float[Tensor, "b mels frames"], mel: Mel) -> Float[Tensor, "b mels n"]:
    """Band magnitudes of a normalized log-mel spectrogram, at most :data:`LOUDEST`.

    A full-scale tone is a million times below that.
    """
    log = features * mel.std + mel.mean
    log = log * math.log(10) if mel.log_base == "10" else log
    return log.clamp(max=math.log(LOUDEST)).exp()


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # the cached tensor may later be used in training
def filterbank(mel: Mel, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "mels bins"]:
    """Mel filters as a tensor, cached.

    Args:
        mel: Spectrogram format.
        dtype: Type of the tensor.
        device: Device of the tensor.

    Returns:
        Filters, see :func:`triangles`.
    """
    return torch.from_numpy(triangles(mel)).to(device, dtype)


def triangles(mel: Mel) -> NDArray[np.float64]:
    """Triangular mel filters, (mels, bins), equal to librosa's ``filters.mel``.

    ``torchaudio.functional.melscale_fbanks`` computes them at 32 bits and differs by up to 5e-6
    of the largest value, which would change logged losses.
    """
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
    """Slaney's scale: 200/3 Hz per mel up to 1000 Hz, then a factor of 6.4 per 27 mel."""
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
"""Functions from Hz to mel and from mel to Hz, by scale."""
