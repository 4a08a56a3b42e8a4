"""The order in which bars are played, by repeats, endings and jumps such as D.C. al Fine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.score import MAX_BARS


@dataclass(frozen=True)
class Jump:
    """A jump at the end of a bar.

    Attributes:
        segno: Name of the segno to which it leads; ``None`` is the beginning (D.C.).
        until: ``fine`` or ``coda`` if the score says so ("al Fine"), else empty.
    """

    segno: str | None = None
    until: str = ""


@dataclass(frozen=True)
class RepeatSigns:
    """Repeat signs, endings and jumps of a bar.

    Attributes:
        number: Number of the bar.
        forward: Whether a repeat starts with this bar.
        times: How often the part that ends with this bar is played; 1 if no repeat ends here.
        endings: Passes in which the bar is played; empty for all passes.
        segnos: Names of the segnos at this bar.
        codas: Names of the codas that start with this bar.
        jump: Jump at the end of the bar.
        to_coda: Name of the coda to which the bar leads after a jump; ``None`` for none.
        fine: Whether the piece ends with this bar after a jump.
    """

    number: str
    forward: bool = False
    times: int = 1
    endings: frozenset[int] = frozenset()
    segnos: frozenset[str] = frozenset()
    codas: frozenset[str] = frozenset()
    jump: Jump | None = None
    to_coda: str | None = None
    fine: bool = False


@dataclass
class _Player:
    """State of a performance: where it is, and where a repeat would go back to."""

    bars: Sequence[RepeatSigns]
    groups: dict[int, tuple[int, int]]
    index: int = 0
    start: int = 0
    pass_number: int = 1
    after_jump: bool = False
    until: str = ""
    jumped: set[int] = field(default_factory=set)
    passes: dict[int, int] = field(default_factory=dict)

    def go(self, index: int) -> None:
        """Go to a bar, where the passes of repeats are counted anew."""
        self.index = self.start = index
        self.pass_number = 1


def playback_order(bars: Sequence[RepeatSigns]) -> list[tuple[int, int]]:
    """List the bars as they are played, with repeats, endings and jumps.

    A repeat without a start sign goes back to the end of the repeat before it, or to the first bar.
    After a jump, repeats are not played again, and of several endings the last one is played.

    Returns:
        Pairs (index of the bar, number of the pass counted from 1). The number of the pass counts
        how often the bar's verse has advanced.

    Raises:
        InputError: If more than ``MAX_BARS`` bars are played, or a jump leads nowhere.
    """
    found: list[tuple[int, int]] = []
    player = _Player(bars, _ending_groups(bars))
    while player.index < len(bars):
        i, bar = player.index, bars[player.index]
        if bar.forward and i != player.start:
            player.start, player.pass_number = i, 1
        last, total = player.groups.get(i, (i if bar.times > 1 else -1, bar.times))
        wanted = total if player.after_jump else player.pass_number
        if not bar.endings or wanted in bar.endings:
            shown = player.pass_number
            if player.after_jump or player.jumped:
                shown = player.passes.get(i, 0) + 1
            player.passes[i] = max(shown, player.passes.get(i, 0))
            found.append((i, shown))
            if len(found) > MAX_BARS:
                raise InputError(f"bar {bar.number}: the repeats make more than {MAX_BARS} bars")
            if not player.after_jump and bar.times > 1 and player.pass_number < total:
                player.index, player.pass_number = player.start, player.pass_number + 1
                continue
            if player.after_jump and bar.fine and player.until != "coda":
                break
            if _take_jump(player, bar):
                continue
        if i == last:
            player.go(i + 1)
        player.index = i + 1
    return found


def _take_jump(player: _Player, bar: RepeatSigns) -> bool:
    """Follow a jump at the end of a bar; return whether there was one to follow."""
    i, bars = player.index, player.bars
    if player.after_jump and bar.to_coda is not None and player.until != "fine":
        codas = [k for k in range(len(bars)) if bars[k].codas]
        named = [k for k in codas if bar.to_coda in bars[k].codas]
        later = [k for k in named or codas if k > i] or named or codas
        if later:
            player.go(later[0])
            player.after_jump = False
            return True
    if bar.jump is None or i in player.jumped:
        return False
    jump, target = bar.jump, 0
    if jump.segno is not None:
        segnos = [k for k in range(len(bars)) if bars[k].segnos]
        named = [k for k in segnos if jump.segno in bars[k].segnos]
        earlier = [k for k in named or segnos if k <= i]
        if not earlier:
            raise InputError(f"bar {bar.number}: D.S., but no bar before it has a segno: add one")
        target = earlier[-1]
    if jump.until == "coda" and not any(b.codas for b in bars):
        raise InputError(f"bar {bar.number}: al Coda, but no bar has a coda: add one")
    player.jumped.add(i)
    player.after_jump, player.until = True, jump.until
    player.go(target)
    return True


def _ending_groups(bars: Sequence[RepeatSigns]) -> dict[int, tuple[int, int]]:
    """Find the groups of adjacent endings.

    Returns:
        For each bar with an ending, the last bar of its group and the number of passes. A single
        bracket that repeats is followed by one more pass without it.
    """
    found: dict[int, tuple[int, int]] = {}
    for first in range(len(bars)):
        if first in found or not bars[first].endings:
            continue
        stop = next(k for k in count(first) if k == len(bars) or not bars[k].endings)
        group = bars[first:stop]
        highest = max(max(bar.endings) for bar in group)
        single = len({bar.endings for bar in group}) == 1 and any(bar.times > 1 for bar in group)
        total = max(highest + single, *(bar.times for bar in group))
        found |= dict.fromkeys(range(first, stop), (stop - 1, total))
    return found
