"""Differentiable features of log-mel spectrograms: loudness, timbre, self-similarity, flux.

Every function takes a normalized spectrogram in a mel format and undoes the normalization itself.
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
    """Return band magnitudes in dB."""
    per_unit = 20.0 if spec.log_base == "10" else 20.0 / math.log(10)
    return per_unit * (mel * spec.std + spec.mean)


def band_centers_hz(spec: Mel) -> NDArray[np.float64]:
    """Return the center frequencies of the mel filters in Hz, (mels,)."""
    to_mel, to_hz = SCALES[spec.scale]
    low, high = to_mel(np.array([spec.fmin, spec.fmax]))
    found: NDArray[np.float64] = to_hz(np.linspace(low, high, spec.n_mels + 2))[1:-1]
    return found


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # the result is cached, and may later be used under autograd
def power_weights(
    spec: Mel, weighting: str, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "mels"]:
    """Return weights for squared band magnitudes; the weighted sum is a frame's mean square.

    The mean spectral magnitude of a band is its magnitude divided by the sum of its filter. It
    stands for as many Fourier bins as the filter is wide, and Parseval's theorem gives the power.
    The result is exact for a spectrum that is flat within each band. It is too low for a single
    tone, whose power lies in few of a band's bins: in the format of music by 1 to 2 dB up to 1 kHz,
    by 4 to 6.5 dB at 3 kHz, and by 8 to 10.5 dB at 7 kHz. (A chord with harmonics loses 1.3 dB,
    pink noise 0.6 dB.) A spectrogram cannot tell such a tone from a narrow noise of the same band
    magnitudes, so this is not corrected. Frequencies above ``fmax`` do not count.

    Args:
        spec: Mel format.
        weighting: ``flat``, or ``A`` for the A-weighting at the bands' center frequencies.
        dtype: Data type of the weights.
        device: Device of the weights.
    """
    filters = triangles(spec)
    total = filters.sum(axis=1)
    tallest = filters.max(axis=1)
    bins = np.divide(total, tallest, out=np.zeros_like(total), where=tallest > 0)
    mean = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    window = np.hanning(spec.window + 1)[:-1]
    weights = 2 * bins * mean**2 / (spec.n_fft * np.square(window).sum())
    if weighting == "A":
        weights = weights * 10 ** (a_weighting(band_centers_hz(spec)) / 10)
    return torch.from_numpy(weights).to(device, dtype)


def a_weighting(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the A-weighting of IEC 61672 in dB, at least -80 dB as in librosa."""
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
    """Return the RMS level of each frame in dB relative to full scale, at least -100 dB."""
    weights = power_weights(spec, "flat", mel.dtype, mel.device)
    power = torch.einsum("m,bmn->bn", weights, magnitudes(mel, spec).square())
    return 10 * torch.log10(power + 1e-10)


def loudness_db(mel: Float[Tensor, "b mels n"], spec: Mel) -> Float[Tensor, "b n"]:
    """Return the A-weighted RMS level of each frame in dB, at least -100 dB."""
    weights = power_weights(spec, "A", mel.dtype, mel.device)
    power = torch.einsum("m,bmn->bn", weights, magnitudes(mel, spec).square())
    return 10 * torch.log10(power + 1e-10)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # the result is cached, and may later be used under autograd
def savgol_kernel(window: int, order: int) -> Float[Tensor, "w"]:
    """Return the smoothing kernel of Savitzky and Golay (1964).

    The kernel evaluates, in the middle of a window, the polynomial that is fitted over the
    window. It is even, so that correlation equals convolution.

    Raises:
        InputError: If the window is even or not longer than the order.
    """
    if window % 2 == 0 or window <= order:
        raise InputError(
            f"smoothing needs an odd window longer than its order {order}, not {window}"
        )
    x = np.arange(window) - window // 2
    powers = np.vander(x / max(1, window // 2), order + 1, increasing=True)
    return torch.from_numpy(np.linalg.pinv(powers)[0].copy())


def savgol(x: Float[Tensor, "b n"], window: int, order: int = 2) -> Float[Tensor, "b n"]:
    """Smooth curves by local polynomials, as ``scipy.signal.savgol_filter(mode="mirror")``.

    Args:
        x: Curves.
        window: Odd number of frames; it is shortened for curves that are shorter.
        order: Order of the polynomials.

    Returns:
        Smoothed curves, of the same shape.
    """
    window = min(window, x.shape[1] - 1 + x.shape[1] % 2)
    if window <= order:
        return x
    kernel = savgol_kernel(window, order).to(x)
    half = window // 2
    mirrored = pad(x.unsqueeze(1), (half, half), mode="reflect")
    return conv1d(mirrored, kernel[None, None])[:, 0]


def odd_window(seconds: float, spec: Mel) -> int:
    """Return an odd number of frames that lasts about ``seconds``."""
    return 2 * round(seconds * spec.frame_rate / 2) + 1


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # the result is cached, and may later be used under autograd
def dct_matrix(
    mels: int, coefficients: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "k mels"]:
    """Return rows 1 to ``coefficients`` of the orthonormal DCT-II.

    Args:
        mels: Number of bands, the length of a row.
        coefficients: Number of rows; row 0 is left out.
        dtype: Data type of the matrix.
        device: Device of the matrix.
    """
    k, m = np.arange(1, coefficients + 1)[:, None], np.arange(mels)[None]
    rows = math.sqrt(2 / mels) * np.cos(math.pi * k * (m + 0.5) / mels)
    return torch.from_numpy(rows).to(device, dtype)


def mfcc(
    mel: Float[Tensor, "b mels n"], spec: Mel, coefficients: int = 19
) -> Float[Tensor, "b k n"]:
    """Return the mel-frequency cepstral coefficients 1 to ``coefficients``, in dB.

    They describe the timbre at any loudness, because coefficient 0, the level, is left out. The
    result equals librosa's ``mfcc(S=dB)`` without its first row.

    Args:
        mel: Spectrograms in the mel format.
        spec: Mel format.
        coefficients: Number of coefficients.
    """
    matrix = dct_matrix(spec.n_mels, coefficients, mel.dtype, mel.device)
    return matrix @ decibels(mel, spec)


def mean_pool(x: Float[Tensor, "b k n"], blocks: int) -> Float[Tensor, "b k m"]:
    """Average over ``blocks`` consecutive blocks of about equal length."""
    return torch.nn.functional.adaptive_avg_pool1d(x, blocks)


def self_similarity(features: Float[Tensor, "b k n"]) -> Float[Tensor, "b n n"]:
    """Return the cosine similarity of every pair of frames."""
    rows = normalize(features, dim=1, eps=1e-6)
    return rows.mT @ rows


def spectral_flux(mel: Float[Tensor, "b mels n"], spec: Mel) -> Float[Tensor, "b n"]:
    """Return the mean increase of the bands since the previous frame in dB; 0 in the first frame.

    The result equals librosa's ``onset_strength(S=dB, center=False, detrend=False)``.
    """
    level = decibels(mel, spec)
    return pad(level.diff(dim=2).clamp(min=0).mean(1), (1, 0))


def smoothed_flux(mel: Float[Tensor, "b mels n"], spec: Mel) -> Float[Tensor, "b m"]:
    """Return the spectral flux averaged over five consecutive frames, in dB.

    Entry ``k`` is centered at frame ``k + 2``. The average is used for seams, which do not lie
    at a single frame.
    """
    return torch.nn.functional.avg_pool1d(spectral_flux(mel, spec), 5, 1)
