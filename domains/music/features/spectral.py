"""What is heard in a log-mel spectrogram: loudness, timbre, likeness; all differentiable.

Every function takes a normalised spectrogram of a contract and undoes the normalisation itself.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv1d, normalize, pad

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import SCALES, Mel, magnitudes, triangles


def decibels(mel: Float[Tensor, "b mels n"], spec: Mel) -> Float[Tensor, "b mels n"]:
    """Band magnitudes in dB; undoes normalisation and the base of the logarithm."""
    per_unit = 20.0 if spec.log_base == "10" else 20.0 / math.log(10)
    return per_unit * (mel * spec.std + spec.mean)


def centres(spec: Mel) -> NDArray[np.float64]:
    """Frequencies of the filters' tips, Hz, (mels,)."""
    to_mel, to_hz = SCALES[spec.scale]
    low, high = to_mel(np.array([spec.fmin, spec.fmax]))
    found: NDArray[np.float64] = to_hz(np.linspace(low, high, spec.n_mels + 2))[1:-1]
    return found


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # kept: what is made while speaking is trained through later
def power_weights(
    spec: Mel, weighting: str, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "mels"]:
    """Weights of squared band magnitudes whose sum is a frame's mean square amplitude.

    A band's mean spectral magnitude is its own over the filter's sum, and stands for as many bins
    as the filter is wide; Parseval's theorem does the rest. Exact for a spectrum that is even
    within each band, some dB too low for a single high tone.
    """
    filters = triangles(spec)
    total = filters.sum(axis=1)
    tallest = filters.max(axis=1)
    bins = np.divide(total, tallest, out=np.zeros_like(total), where=tallest > 0)
    mean = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    window = np.hanning(spec.window + 1)[:-1]
    weights = 2 * bins * mean**2 / (spec.n_fft * np.square(window).sum())
    if weighting == "A":
        weights = weights * 10 ** (a_weighting(centres(spec)) / 10)
    return torch.from_numpy(weights).to(device, dtype)


def a_weighting(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ear's loss at a frequency, dB, IEC 61672's curve A; at least -80 dB, as librosa's."""
    square = np.square(np.maximum(hz, 1e-3))
    edges = np.square([12194.217, 20.598997, 107.65265, 737.86223])
    gain = (
        2.0
        + 20 * (np.log10(edges[0]) + 2 * np.log10(square))
        - 20 * (np.log10(square + edges[0]) + np.log10(square + edges[1]))
        - 10 * (np.log10(square + edges[2]) + np.log10(square + edges[3]))
    )
    clipped: NDArray[np.float64] = np.maximum(-80.0, gain)
    return clipped


def rms_db(mel: Float[Tensor, "b mels n"], spec: Mel) -> Float[Tensor, "b n"]:
    """Root-mean-square amplitude of each frame, dB below full scale; floored at -100 dB."""
    weights = power_weights(spec, "flat", mel.dtype, mel.device)
    power = torch.einsum("m,bmn->bn", weights, magnitudes(mel, spec).square())
    return 10 * torch.log10(power + 1e-10)


def loudness_db(mel: Float[Tensor, "b mels n"], spec: Mel) -> Float[Tensor, "b n"]:
    """The same after the A-weighting of the bands' centres: what an ear makes of it."""
    weights = power_weights(spec, "A", mel.dtype, mel.device)
    power = torch.einsum("m,bmn->bn", weights, magnitudes(mel, spec).square())
    return 10 * torch.log10(power + 1e-10)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # kept: what is made while speaking is trained through later
def savgol_kernel(window: int, order: int) -> Float[Tensor, "w"]:
    """Weights by which a polynomial, fitted over a window, is read off in its middle.

    Savitzky and Golay 1964. The kernel is even, so that correlation is convolution.

    Raises:
        InputError: If the window is even, or not longer than the order.
    """
    if window % 2 == 0 or window <= order:
        raise InputError(f"smoothing takes an odd window above its order {order}, not {window}")
    x = np.arange(window) - window // 2
    powers = np.vander(x / max(1, window // 2), order + 1, increasing=True)
    return torch.from_numpy(np.linalg.pinv(powers)[0].copy())


def savgol(x: Float[Tensor, "b n"], window: int, order: int = 2) -> Float[Tensor, "b n"]:
    """Smooth by local polynomials; ``scipy.signal.savgol_filter(mode="mirror")``.

    Args:
        x: Curves.
        window: Frames, odd; shortened where the curve is shorter.
        order: Of the polynomials.
    """
    window = min(window, x.shape[1] - 1 + x.shape[1] % 2)
    if window <= order:
        return x
    kernel = savgol_kernel(window, order).to(x)
    half = window // 2
    mirrored = pad(x.unsqueeze(1), (half, half), mode="reflect")
    return conv1d(mirrored, kernel[None, None])[:, 0]


def odd_window(seconds: float, spec: Mel) -> int:
    """Frames of a window of so many seconds, odd."""
    return 2 * round(seconds * spec.frame_rate / 2) + 1


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # kept: what is made while speaking is trained through later
def dct_matrix(
    mels: int, coefficients: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "k mels"]:
    """Rows 1 to ``coefficients`` of the orthonormal cosine transform, type II, without row 0."""
    k, m = np.arange(1, coefficients + 1)[:, None], np.arange(mels)[None]
    rows = math.sqrt(2 / mels) * np.cos(math.pi * k * (m + 0.5) / mels)
    return torch.from_numpy(rows).to(device, dtype)


def mfcc(
    mel: Float[Tensor, "b mels n"], spec: Mel, coefficients: int = 19
) -> Float[Tensor, "b k n"]:
    """Cepstrum of the mel spectrum in dB without ``c0``, its level: timbre, whatever the loudness.

    librosa's ``mfcc(S=dB)`` without its first row.
    """
    matrix = dct_matrix(spec.n_mels, coefficients, mel.dtype, mel.device)
    return matrix @ decibels(mel, spec)


def pooled(x: Float[Tensor, "b k n"], blocks: int) -> Float[Tensor, "b k m"]:
    """Means over ``blocks`` stretches of about equal length."""
    return torch.nn.functional.adaptive_avg_pool1d(x, blocks)


def self_similarity(features: Float[Tensor, "b k n"]) -> Float[Tensor, "b n n"]:
    """Cosine of the features of any two frames; 1 on the diagonal."""
    rows = normalize(features, dim=1, eps=1e-6)
    return rows.mT @ rows


def spectral_flux(mel: Float[Tensor, "b mels n"], spec: Mel) -> Float[Tensor, "b n"]:
    """Mean rise of the bands since the frame before, dB; 0 in the first frame.

    librosa's ``onset_strength(S=dB, center=False, detrend=False)``.
    """
    level = decibels(mel, spec)
    return pad(level.diff(dim=2).clamp(min=0).mean(1), (1, 0))


def seam_flux(mel: Float[Tensor, "b mels n"], spec: Mel) -> Float[Tensor, "b m"]:
    """Mean spectral flux of each five frames in a row, dB; the first is about frame 2.

    A seam has no one frame: the flux of one is the mean about it.
    """
    return torch.nn.functional.avg_pool1d(spectral_flux(mel, spec), 5, 1)
