"""The order in which bars are played."""

import pytest

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.repeats import RepeatSigns, playback_order


def bar(number: str, forward: bool = False, times: int = 1) -> RepeatSigns:
    return RepeatSigns(number, forward, times)


@pytest.mark.parametrize(
    ("bars", "played"),
    [
        ([bar("1"), bar("2")], "12"),
        ([bar("1"), bar("2", times=2), bar("3", times=3)], "1212333"),
        ([bar("1"), bar("2", forward=True), bar("3", times=2), bar("4")], "123234"),
        ([bar("1", forward=True, times=2), bar("2", forward=True, times=2)], "1122"),
    ],
)
def test_order_of_bars(bars: list[RepeatSigns], played: str) -> None:
    assert "".join(bars[i].number for i, _ in playback_order(bars)) == played


def test_too_many_repeats_are_refused() -> None:
    with pytest.raises(InputError, match="more than"):
        playback_order([RepeatSigns("1", times=10**9)])
