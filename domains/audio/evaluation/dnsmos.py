"""Speech quality by DNSMOS, a network that predicts ratings of listeners."""

from functools import lru_cache
from types import ModuleType

import numpy as np

from oneleap.domains.audio.wave import Wave

RATE = 16_000
"""Sample rate of DNSMOS in Hz."""


@lru_cache(maxsize=1)
def _dnsmos_module() -> ModuleType:
    from speechmos import dnsmos

    module: ModuleType = dnsmos
    return module


def dnsmos(wave: Wave) -> float:
    """Overall DNSMOS P.835 score (Reddy et al., arXiv 2110.01763), from 1 (bad) to 5 (excellent).

    It predicts how listeners would rate noise and distortion. DNSMOS looks at nine seconds;
    shorter sounds are repeated. Studio recordings score 3 to 3.5.
    """
    import soxr

    samples = wave.samples
    if wave.sample_rate != RATE:
        samples = soxr.resample(samples, wave.sample_rate, RATE)
    clipped = np.clip(samples, -1, 1).astype(np.float32)
    return float(_dnsmos_module().run(clipped, RATE)["ovrl_mos"])
