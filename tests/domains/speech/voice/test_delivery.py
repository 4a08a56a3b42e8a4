"""Settings of a delivery, and their limits."""

import math

import pytest

from oneleap.core.errors import InputError
from oneleap.domains.speech import Delivery
from oneleap.domains.speech.voice.delivery import RANGES


@pytest.mark.parametrize("name", RANGES)
def test_each_setting_has_limits(name: str) -> None:
    low, high = RANGES[name]
    for value in (low, high):
        assert getattr(Delivery(**{name: value}), name) == value
    for value in (low - 0.01, high + 0.01, math.nan):
        with pytest.raises(InputError, match=f"^{name}: must be from {low:g} to {high:g}, not"):
            Delivery(**{name: value})
