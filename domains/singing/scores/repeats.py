"""The order in which bars are played, by repeats and endings."""

from collections.abc import Sequence
from dataclasses import dataclass

from oneleap.core.errors import InputError

MAX_BARS = 20_000
"""Largest number of bars that are played."""


@dataclass(frozen=True)
class RepeatSigns:
    """Repeat signs and endings of a bar.

    Attributes:
        number: Number of the bar.
        forward: Whether a repeat starts with this bar.
        times: How often the part that ends with this bar is played; 1 if no repeat ends here.
        endings: Passes in which the bar is played; empty for all passes.
        ends: Whether an ending (volta) closes after this bar.
    """

    number: str
    forward: bool = False
    times: int = 1
    endings: frozenset[int] = frozenset()
    ends: bool = False


def playback_order(bars: Sequence[RepeatSigns]) -> list[tuple[int, int]]:
    """List the bars as they are played, with repeats and their endings.

    A repeat without a start sign goes back to the end of the repeat before it, or to the first bar.

    Returns:
        Pairs (index of the bar, number of the pass counted from 1).

    Raises:
        InputError: If more than ``MAX_BARS`` bars are played.
    """
    found: list[tuple[int, int]] = []
    i, start, pass_number = 0, 0, 1
    while i < len(bars):
        bar = bars[i]
        if bar.forward and i != start:
            start, pass_number = i, 1
        if bar.endings and pass_number not in bar.endings:
            i += 1
            continue
        found.append((i, pass_number))
        if len(found) > MAX_BARS:
            raise InputError(f"bar {bar.number}: the repeats make more than {MAX_BARS} bars")
        if pass_number < bar.times:
            i, pass_number = start, pass_number + 1
            continue
        last_ending = bar.ends and pass_number >= max(bar.endings, default=0)
        if bar.times > 1 or last_ending:
            start, pass_number = i + 1, 1
        i += 1
    return found
