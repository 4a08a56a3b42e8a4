"""Chroma: the power of each pitch class above middle C, from mel spectrograms."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.domains.audio.mel import Mel, magnitudes, triangles

MIDDLE_C = 261.625565
"""Frequency of middle C in Hz for A = 440 Hz. Lower pitches count as accompaniment."""

PITCH_CLASSES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")

NO_MELODY = -1
"""Pitch class of a frame without melody."""


def chroma_filters(
    sample_rate: int, n_fft: int, center_octave: float = 5.0, octave_width: float = 2.0
) -> NDArray[np.float64]:
    """Compute the weights of Fourier bins in each pitch class, as librosa's ``filters.chroma``.

    The weight of a bin is a Gaussian of its distance from the pitch class. The Gaussian is as
    wide as the bin in semitones. Each column is scaled to unit length; then bins far from
    ``center_octave`` are attenuated.

    Args:
        sample_rate: Sample rate in Hz.
        n_fft: Length of the transform in samples.
        center_octave: Octave of the greatest weights, counted from A at 27.5 Hz.
        octave_width: Standard deviation of the attenuation in octaves.

    Returns:
        Weights, (12, bins); the first row is C.
    """
    hz = np.arange(1, n_fft) * sample_rate / n_fft
    steps = 12 * np.log2(hz / (440.0 / 16))
    steps = np.concatenate([[steps[0] - 18], steps])
    widths = np.concatenate([np.maximum(np.diff(steps), 1.0), [1.0]])
    distance = (steps[None] - np.arange(12)[:, None] + 6 + 120) % 12 - 6
    weights = np.exp(-0.5 * np.square(2 * distance / widths[None]))
    weights /= np.maximum(np.linalg.norm(weights, axis=0, keepdims=True), 1e-12)
    weights *= np.exp(-0.5 * np.square((steps / 12 - center_octave) / octave_width))[None]
    from_c: NDArray[np.float64] = np.roll(weights, -3, axis=0)[:, : n_fft // 2 + 1]
    return from_c


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # the result is cached, and may later be used under autograd
def chroma_matrix(
    spec: Mel, dtype: torch.dtype, device: torch.device
) -> tuple[Float[Tensor, "bins mels"], Float[Tensor, "12 bins"]]:
    """Return two matrices: from mel bands to Fourier bins, and from bins to pitch classes.

    The first is the pseudo-inverse of the mel filters. The second ignores bins below middle C.

    Args:
        spec: Mel format.
        dtype: Data type of the matrices.
        device: Device of the matrices.
    """
    hz = np.fft.rfftfreq(spec.n_fft, 1 / spec.sample_rate)
    classes = chroma_filters(spec.sample_rate, spec.n_fft) * (hz >= MIDDLE_C * 2 ** (-0.5 / 12))
    pair = (np.linalg.pinv(triangles(spec)), classes)
    bins, matrix = (torch.from_numpy(x).to(device, dtype) for x in pair)
    return bins, matrix


def chroma(mel: Float[Tensor, "b mels n"], spec: Mel) -> Float[Tensor, "b 12 n"]:
    """Compute the power of each pitch class above middle C, from C upwards.

    A fixed matrix maps bands to Fourier bins, negative values are set to 0, and
    :func:`chroma_filters` map bins to pitch classes.
    """
    bins, classes = chroma_matrix(spec, mel.dtype, mel.device)
    power = (bins @ magnitudes(mel, spec)).clamp(min=0).square()
    return classes @ power
