"""Speech quality by DNSMOS, a network that predicts ratings of listeners."""

from functools import lru_cache
from types import ModuleType
from typing import NamedTuple

import numpy as np

from oneleap.domains.audio.wave import Wave

RATE = 16_000
"""Sample rate of DNSMOS in Hz."""


@lru_cache(maxsize=1)
def _dnsmos_module() -> ModuleType:
    from speechmos import dnsmos

    module: ModuleType = dnsmos
    return module


class Ratings(NamedTuple):
    """Ratings of listeners that DNSMOS predicts, from 1 (bad) to 5 (excellent).

    Attributes:
        overall: Overall quality of P.835, with noise and distortion; studio recordings have 3 to
            3.5.
        p808: Overall quality of P.808.
    """

    overall: float
    p808: float


def ratings(wave: Wave) -> Ratings:
    """Predict ratings by DNSMOS P.835 (Reddy et al., arXiv 2110.01763) and P.808.

    DNSMOS looks at nine seconds; shorter sounds are repeated. Its ratings depend on the level, so
    sounds to be compared need the same one.
    """
    import soxr

    samples = wave.samples
    if wave.sample_rate != RATE:
        samples = soxr.resample(samples, wave.sample_rate, RATE)
    clipped = np.clip(samples, -1, 1).astype(np.float32)
    found = _dnsmos_module().run(clipped, RATE)
    return Ratings(float(found["ovrl_mos"]), float(found["p808_mos"]))


def dnsmos(wave: Wave) -> float:
    """Overall quality of P.835; see :func:`ratings`."""
    return ratings(wave).overall
