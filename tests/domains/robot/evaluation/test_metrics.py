import math

import pytest

from oneleap.domains.robot.evaluation.metrics import rollout_metrics, wilson_interval
from oneleap.domains.robot.evaluation.rollouts import Rollout


def test_wilsons_interval() -> None:
    """By hand for 5 of 10 at z = 2: center 1/2, half-width sqrt(1/40 + 1/100) * 2 / 1.4."""
    low, high = wilson_interval(5, 10, confidence=math.erf(2 / math.sqrt(2)))
    assert (low + high) / 2 == pytest.approx(0.5)
    assert high - low == pytest.approx(2 * 2 * (1 / 40 + 1 / 100) ** 0.5 / 1.4)
    low, high = wilson_interval(200, 200)
    assert low == pytest.approx(1 / (1 + 1.959964**2 / 200))
    assert high == pytest.approx(1.0)
    assert wilson_interval(0, 200)[0] == 0


def test_metrics() -> None:
    rollouts = [
        Rollout(True, 10, (1.0, 3.0), (2.0, 2.0, 100.0, 2.0)),
        Rollout(False, 30, (2.0,), (2.0,)),
        Rollout(False, 30, (), ()),  # its process died
    ]
    found = rollout_metrics(rollouts)
    assert found["success"] == pytest.approx(1 / 3)
    assert found["length"] == pytest.approx(70 / 3)
    assert found["length_success"] == 10
    assert found["net_ms"] == 2
    assert found["loop_ms"] == 2
    assert found["late"] == pytest.approx(1 / 5)
    assert found["loop_hz"] == pytest.approx(1e3 / (108 / 5))
    assert rollout_metrics(rollouts[2:])["success"] == 0
