"""Spectra of long notes: the middle of spoken vowels is held."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.audio.synthetic.hibari import FAINTEST, RATE
from oneleap.domains.singing.synthetic.heart_timing import Layout

FRAMES_PER_UNIT = 2
"""Frames of 12.5 ms in a unit of 25 ms."""

VOICED_HZ = 4000.0
"""Frequency up to which the remainder of a held vowel counts as voice, above it as noise."""

EDGE = 1 / 3
"""Share of a vowel at either end that keeps its speed when the vowel is stretched."""


def stretch(layout: Layout) -> NDArray[np.float64]:
    """Frame of the network's output that each frame of the song takes.

    Tokens that the network was given in full are taken as they are. The middle of the others is
    stretched.

    Args:
        layout: Durations.

    Returns:
        Positions in the output, (frames,), from 0 on and rising.
    """
    found, first = list[NDArray[np.float64]](), 0.0
    for units, fed in zip(
        FRAMES_PER_UNIT * layout.units, FRAMES_PER_UNIT * layout.fed, strict=True
    ):
        edge = int(EDGE * fed)
        corners = (0, edge, units - edge, units)
        found.append(first + np.interp(np.arange(units), corners, (0, edge, fed - edge, fed)))
        first += fed
    last = FRAMES_PER_UNIT * layout.fed.sum() - 1
    return np.minimum(np.concatenate(found), last)


def hold(
    spectra: Sequence[NDArray[np.float32]], source: NDArray[np.float64]
) -> list[NDArray[np.float32]]:
    """Spectra at the frames of the song.

    Logarithms of amplitudes are interpolated. Where frames are stretched, the phases of the
    remainder would repeat and buzz. There it becomes a part of the harmonics, and above 4 kHz of
    the noise, with equal power.

    Args:
        spectra: The network's log amplitude and phase of the harmonics, log amplitude of the noise,
            log amplitude and phase of the remainder, (bins, frames) each.
        source: Frame of each frame of the song; see :func:`stretch`.

    Returns:
        The five spectra, (bins, frames of the song).
    """
    low = source.astype(np.int64)
    high, share = np.minimum(low + 1, spectra[0].shape[1] - 1), (source - low).astype(np.float32)
    harmonic, turn, noise, rest = (
        x[:, low] * (1 - share) + x[:, high] * share for x in spectra[:4]
    )
    held = np.gradient(source) < 0.75
    voice = round(VOICED_HZ * len(rest) / (RATE / 2))
    for part, bins in ((harmonic, slice(voice)), (noise, slice(voice, None))):
        part[bins, held] = 0.5 * np.logaddexp(2 * part[bins, held], 2 * rest[bins, held])
    rest[:, held] = FAINTEST
    phase = spectra[4][:, np.rint(source).astype(np.int64)]
    return [x.astype(np.float32) for x in (harmonic, turn, noise, rest, phase)]
