"""The order in which bars are played."""

from collections.abc import Sequence
from dataclasses import dataclass

from oneleap.core.errors import InputError

MOST = 20_000
"""Bars beyond which a score is refused."""


@dataclass(frozen=True)
class Signs:
    """What stands at a bar's lines.

    Attributes:
        number: Of the bar.
        forward: A repeat begins with it.
        times: How often the part that ends with it is played; 1 if no repeat ends here.
        endings: Passes in which the bar is played; empty for all.
        ends: An ending is over after it.
    """

    number: str
    forward: bool = False
    times: int = 1
    endings: frozenset[int] = frozenset()
    ends: bool = False


def order(bars: Sequence[Signs]) -> list[tuple[int, int]]:
    """Index of each bar as it is played, and in which pass, from 1.

    Repeats with first and second endings; a repeat without a beginning goes back to the last one's
    end, or to the first bar.

    Raises:
        InputError: If the bars become too many.
    """
    found: list[tuple[int, int]] = []
    i, start, turn = 0, 0, 1
    while i < len(bars):
        bar = bars[i]
        if bar.forward and i != start:
            start, turn = i, 1
        if bar.endings and turn not in bar.endings:
            i += 1
            continue
        found.append((i, turn))
        if len(found) > MOST:
            raise InputError(f"bar {bar.number}: more than {MOST} bars are played")
        if turn < bar.times:
            i, turn = start, turn + 1
            continue
        last_ending = bar.ends and turn >= max(bar.endings, default=0)
        if bar.times > 1 or last_ending:
            start, turn = i + 1, 1
        i += 1
    return found
