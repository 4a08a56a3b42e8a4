"""Pitch classes above middle C, and melodies as one class a frame."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.domains.audio.mel import Mel, magnitudes, triangles

MIDDLE_C = 261.625565
"""Hz, of A = 440 Hz; what lies lower is accompaniment."""

CLASSES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")

SILENT = -1
"""Stands for the class of a frame without melody."""


def chroma_filters(
    sample_rate: int, n_fft: int, centre_octave: float = 5.0, octave_width: float = 2.0
) -> NDArray[np.float64]:
    """Weights of Fourier bins in each pitch class, (12, bins); librosa's ``filters.chroma``.

    Each bin's share is a Gaussian of its distance from the class, as wide as the bin in semitones;
    bins far from the middle octaves count less. Columns have unit length, before that weighting.

    Args:
        sample_rate: Hz.
        n_fft: Samples of the transform.
        centre_octave: Octaves above A at 27.5 Hz where weights are greatest.
        octave_width: Standard deviation of those weights, octaves.
    """
    hz = np.arange(1, n_fft) * sample_rate / n_fft
    steps = 12 * np.log2(hz / (440.0 / 16))
    steps = np.concatenate([[steps[0] - 18], steps])
    widths = np.concatenate([np.maximum(np.diff(steps), 1.0), [1.0]])
    away = (steps[None] - np.arange(12)[:, None] + 6 + 120) % 12 - 6
    weights = np.exp(-0.5 * np.square(2 * away / widths[None]))
    weights /= np.maximum(np.linalg.norm(weights, axis=0, keepdims=True), 1e-12)
    weights *= np.exp(-0.5 * np.square((steps / 12 - centre_octave) / octave_width))[None]
    from_c: NDArray[np.float64] = np.roll(weights, -3, axis=0)[:, : n_fft // 2 + 1]
    return from_c


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # kept: what is made while speaking is trained through later
def chroma_matrix(
    spec: Mel, dtype: torch.dtype, device: torch.device
) -> tuple[Float[Tensor, "bins mels"], Float[Tensor, "12 bins"]]:
    """Bands to Fourier bins, by the filters' pseudo-inverse, and bins to classes."""
    hz = np.fft.rfftfreq(spec.n_fft, 1 / spec.sample_rate)
    classes = chroma_filters(spec.sample_rate, spec.n_fft) * (hz >= MIDDLE_C * 2 ** (-0.5 / 12))
    pair = (np.linalg.pinv(triangles(spec)), classes)
    bins, matrix = (torch.from_numpy(x).to(device, dtype) for x in pair)
    return bins, matrix


def chroma(mel: Float[Tensor, "b mels n"], spec: Mel) -> Float[Tensor, "b 12 n"]:
    """Power in each pitch class above middle C, from C upwards.

    Bands go to Fourier bins by a fixed matrix, what is negative there to 0, bins to classes by
    :func:`chroma_filters`.
    """
    bins, classes = chroma_matrix(spec, mel.dtype, mel.device)
    power = (bins @ magnitudes(mel, spec)).clamp(min=0).square()
    return classes @ power
