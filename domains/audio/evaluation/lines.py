"""Lines in the spectrum at multiples of the frame rate, by which a vocoder buzzes."""

import numpy as np
from numpy.typing import NDArray

BAND_HZ = (4500.0, 7000.0)
"""Where hissing sounds are loud and a buzz is heard."""


def frame_line_db(
    samples: NDArray[np.float32],
    sample_rate: int,
    hop: int,
    band_hz: tuple[float, float] = BAND_HZ,
) -> float:
    """Mean power at multiples of the frame rate over the power between them, in dB.

    The power spectrum is averaged over half-overlapping windows of 16 frames, so lines are 16
    bins apart. Between them, the bins next to a line do not count, into which its window leaks.

    Args:
        samples: A hissing sound without pitch, of many frames.
        sample_rate: Sample rate in Hz.
        hop: Samples between two frames of the vocoder.
        band_hz: Range of frequencies.

    Returns:
        The level of the lines; 0 dB without lines.
    """
    length = 16 * hop
    rows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), length)
    spectra = np.fft.rfft(rows[:: length // 2] * np.hanning(length + 1)[:-1])
    power = np.square(np.abs(spectra)).mean(0)
    bins = np.arange(len(power))
    hz = bins * sample_rate / length
    inside = (hz >= band_hz[0]) & (hz <= band_hz[1])
    away = np.minimum(bins % 16, -bins % 16)
    lines, gaps = power[inside & (away == 0)], power[inside & (away >= 3)]
    return float(10 * np.log10(lines.mean() / gaps.mean()))
