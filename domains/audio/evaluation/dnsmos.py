"""What stands in for listeners."""

from functools import lru_cache
from types import ModuleType

import numpy as np

from oneleap.domains.audio.wave import Wave

RATE = 16_000
"""Hz, of what DNSMOS hears."""


@lru_cache(maxsize=1)
def _judge() -> ModuleType:
    from speechmos import dnsmos

    module: ModuleType = dnsmos
    return module


def dnsmos(wave: Wave) -> float:
    """DNSMOS P.835, overall (Reddy et al., arXiv 2110.01763): 1 is bad, 5 excellent.

    A network's guess of what listeners would say of a recording's noise and distortion, by nine
    seconds, which shorter sounds are repeated to fill. Studio recordings have 3 to 3.5.
    """
    import soxr

    samples = wave.samples
    if wave.sample_rate != RATE:
        samples = soxr.resample(samples, wave.sample_rate, RATE)
    heard = np.clip(samples, -1, 1).astype(np.float32)
    return float(_judge().run(heard, RATE)["ovrl_mos"])
