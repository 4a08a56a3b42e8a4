"""Loudness by ITU-R BS.1770-4, and sounds brought to one level."""

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.audio.wave import Wave

TARGET_LUFS = -23.0
"""Level of speech and songs that commands write, from EBU R 128."""

HIGHEST_PEAK = 0.95
"""Largest amplitude after a change of level."""

FADE_S = 0.005
"""Length of the fades that avoid clicks at both ends, in seconds."""

NORM_RATE = 48_000
HEAD_SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
"""Numerator and denominator of the two filters, in powers of ``1/z`` (BS.1770-4, Tables 1, 2)."""

BLOCK_S, OVERLAP = 0.4, 4
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0


def loudness(wave: Wave) -> float:
    """Compute the integrated loudness of a sound in LUFS.

    Blocks of 0.4 s, a quarter of a block apart, count if they are louder than -70 LUFS and not
    more than 10 LU below the mean of those (BS.1770-4, Annex 1). A shorter sound is one block.

    Returns:
        The loudness; minus infinity for a silent sound.
    """
    power = np.square(k_weighted(wave))
    block = min(len(power), round(BLOCK_S * wave.sample_rate))
    if block == 0:
        return -np.inf
    step = max(1, block // OVERLAP)
    total = np.concatenate([[0.0], np.cumsum(power)])
    first = np.arange(0, len(power) - block + 1, step)
    blocks = (total[first + block] - total[first]).clip(min=0) / block
    with np.errstate(divide="ignore"):
        loud = blocks[_lufs(blocks) > ABSOLUTE_GATE]
        if len(loud) == 0:
            return -np.inf
        gate = float(_lufs(float(loud.mean()))) + RELATIVE_GATE
        return float(_lufs(float(loud[_lufs(loud) > gate].mean())))


def _lufs(power: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(-0.691 + 10 * np.log10(power))


def k_weighted(wave: Wave) -> NDArray[np.float64]:
    """Filter a sound by the K-weighting of BS.1770: a shelf for the head, and a high-pass.

    The frequency response at 48 kHz, for which the norm gives coefficients, is applied at every
    sample rate. Half a second of silence after the sound is as long as the filters ring.
    """
    padded = len(wave.samples) + wave.sample_rate // 2
    hz = np.fft.rfftfreq(padded, 1 / wave.sample_rate).clip(max=NORM_RATE / 2)
    z = np.exp(-2j * np.pi * hz / NORM_RATE)
    spectrum = np.fft.rfft(wave.samples.astype(np.float64), padded)
    for numerator, denominator in (HEAD_SHELF, HIGH_PASS):
        spectrum *= np.polyval(numerator[::-1], z) / np.polyval(denominator[::-1], z)
    return np.fft.irfft(spectrum, padded)[: len(wave.samples)]


def level(wave: Wave, lufs: float = TARGET_LUFS) -> Wave:
    """Bring a sound to a loudness, without a constant offset and without clicks at its ends.

    Args:
        wave: The sound; a silent one stays as it is.
        lufs: Loudness of the result. It is lower where peaks would exceed
            :data:`HIGHEST_PEAK`.

    Returns:
        The sound at its new level.
    """
    samples = wave.samples.astype(np.float64)
    samples = samples - (samples.mean() if len(samples) else 0.0)
    n = min(round(FADE_S * wave.sample_rate), len(samples) // 2)
    ramp = np.sin(0.5 * np.pi * (np.arange(n) + 0.5) / max(n, 1)) ** 2
    samples[:n] *= ramp
    samples[len(samples) - n :] *= ramp[::-1]
    found = loudness(Wave(samples.astype(np.float32), wave.sample_rate))
    if not np.isfinite(found):
        return wave
    gain = 10 ** ((lufs - found) / 20)
    gain = min(gain, HIGHEST_PEAK / float(np.abs(samples).max()))
    return Wave((gain * samples).astype(np.float32), wave.sample_rate)
