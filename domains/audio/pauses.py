"""Long sounds cut at their pauses."""

from itertools import pairwise

import numpy as np

from oneleap.domains.audio.wave import Wave

PAUSE_S, PAUSE_DB = 0.2, -35.0
"""Shortest pause, and its level below the loudest part."""


def cut_at_pauses(wave: Wave, longest_s: float) -> list[Wave]:
    """Cut a sound in the middle of its pauses.

    Neighbors are joined again as long as they stay within ``longest_s``. A piece without a pause
    may be longer.

    Args:
        wave: The sound.
        longest_s: Length of a piece in seconds.

    Returns:
        The pieces, in order; together they are the sound.
    """
    step = max(1, wave.sample_rate // 100)
    blocks = wave.samples[: len(wave.samples) // step * step].reshape(-1, step)
    level = np.sqrt(np.square(blocks).mean(axis=1))
    if len(level) == 0:
        return [wave]
    quiet = level < level.max() * 10 ** (PAUSE_DB / 20)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    pauses = edges.reshape(-1, 2)
    long = pauses[(pauses[:, 1] - pauses[:, 0]) * 0.01 >= PAUSE_S]
    middles = [int(a + b) // 2 * step for a, b in long if a > 0 and b < len(level)]
    ends, start, last = list[int](), 0, 0
    for cut in [*middles, len(wave.samples)]:
        if cut - start > longest_s * wave.sample_rate and last > start:
            ends.append(last)
            start = last
        last = cut
    bounds = [0, *ends, len(wave.samples)]
    return [Wave(wave.samples[a:b], wave.sample_rate) for a, b in pairwise(bounds)]
