"""Lines at the frame rate: their level in closed form."""

import numpy as np
import pytest

from oneleap.domains.audio.evaluation.lines import frame_line_db

RATE, HOP = 24_000, 300


@pytest.mark.parametrize("hop", [HOP, 256])
def test_noise_has_no_lines(hop: int) -> None:
    noise = np.random.default_rng(0).normal(size=600 * hop).astype(np.float32)
    assert abs(frame_line_db(noise, RATE, hop)) < 0.7


def test_the_level_of_lines_of_known_power() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=600 * HOP)
    t = np.arange(len(noise))
    lines = sum(np.cos(2 * np.pi * (k * t / HOP + rng.random())) for k in range(1, HOP // 2))
    # A Hann window of N samples: a line of amplitude A has the power (A N / 4)^2, noise 3 N / 8.
    length = 16 * HOP
    for amplitude in (0.02, 0.1):
        ratio = (amplitude * length / 4) ** 2 / (3 * length / 8)
        found = frame_line_db((noise + amplitude * lines).astype(np.float32), RATE, HOP)
        assert found == pytest.approx(10 * np.log10(1 + ratio), abs=0.5)
        # The same lines are none at another frame rate.
        other = frame_line_db((noise + amplitude * lines).astype(np.float32), RATE, 256)
        assert abs(other) < 0.7
