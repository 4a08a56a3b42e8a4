"""Loudness that a score asks for: marks such as p and f, hairpins, and accents."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.singing.scores.score import Score, onsets
from oneleap.domains.singing.segments.segment import Curve

STEP_DB = 4.0
"""Difference between two neighboring marks, such as mf and f, and range of a hairpin, in dB."""

LEVELS = {
    mark: STEP_DB * step
    for step, marks in {
        -6: ("n", "pppppp", "ppppp"),
        -5: ("pppp",),
        -4: ("ppp",),
        -3: ("pp",),
        -2: ("p",),
        -1: ("mp",),
        0: ("mf",),
        1: ("f",),
        2: ("ff",),
        3: ("fff",),
        4: ("ffff", "fffff", "ffffff"),
    }.items()
    for mark in marks
}
"""Loudness of each mark in dB relative to mezzo forte."""

SUDDEN = {"fp": "p", "pf": "f", "sfp": "p", "sfpp": "pp"}
"""Marks of an accent, and the loudness that follows it."""

ACCENTS = frozenset(("sf", "sfz", "sffz", "sfzp", "fz", "rf", "rfz", *SUDDEN))
"""Marks that accent one note."""

ACCENT_DB = 4.0
"""Loudness of the start of an accented note, in dB above its level."""

ACCENT_BEATS = Fraction(1)
"""Time in which an accent fades, quarter notes."""

HAIRPIN_REACH = Fraction(1)
"""Largest distance of a mark from the end of a hairpin that leads to it, quarter notes."""

RAMP_S = 0.02
"""Time of a sudden change, seconds."""

CURVE_STEP_S = 0.01
"""Time step of the curve of a phrase, seconds."""


@dataclass(frozen=True)
class DynamicSign:
    """A sign of dynamics at a beat.

    Attributes:
        beat: Where it is, quarter notes.
        level: Loudness from here on in dB relative to mezzo forte; ``None`` if it is a hairpin.
        hairpin: 1 at the start of a crescendo, -1 of a diminuendo, 0 at the end of either.
    """

    beat: Fraction
    level: float | None = None
    hairpin: int = 0


def dynamics_curve(signs: Sequence[DynamicSign]) -> tuple[tuple[Fraction, float], ...]:
    """Turn signs to the points of :attr:`Score.dynamics`.

    A hairpin leads to the mark at its end. Without such a mark it changes the loudness by one step.

    Returns:
        Points (beat, dB), in order; none if there are no signs.
    """
    points: list[tuple[Fraction, float]] = []
    level = 0.0
    hairpin: DynamicSign | None = None
    signs = sorted(signs, key=lambda s: s.beat)
    for k, sign in enumerate(signs):
        target = sign.level
        if hairpin is not None:
            if target is None:
                target = level + STEP_DB * hairpin.hairpin
                for later in signs[k + 1 :]:
                    if later.beat > sign.beat + HAIRPIN_REACH or later.hairpin:
                        break
                    if later.level is not None and (later.level - level) * hairpin.hairpin > 0:
                        target = later.level
                        break
            if sign.beat > hairpin.beat:
                points += [(hairpin.beat, level), (sign.beat, target)]
                level = target
            hairpin = None
        if target is not None and (target != level or not points):
            points += [(sign.beat, level)] if sign.beat > 0 and target != level else []
            points.append((sign.beat, target))
            level = target
        if sign.hairpin:
            hairpin = sign
    return tuple(points)


@dataclass(frozen=True, eq=False)
class Loudness:
    """Loudness that a score asks for, over time.

    Attributes:
        times: Times of the points of the dynamics, seconds; empty if there are none.
        levels: Loudness at these times, dB relative to mezzo forte.
        accents: Start and end of each accent, seconds, in order.
    """

    times: NDArray[np.float64]
    levels: NDArray[np.float64]
    accents: Sequence[tuple[float, float]]

    @classmethod
    def of(cls, score: Score) -> "Loudness":
        """Place the dynamics and accents of a score in time."""
        times = np.array([score.time_at(beat) for beat, _ in score.dynamics])
        times[1:] += RAMP_S * (times[1:] <= times[:-1])
        accents = [
            (score.time_at(onset), score.time_at(onset + min(note.beats, ACCENT_BEATS)))
            for onset, note in zip(onsets(score.notes), score.notes, strict=True)
            if note.accent
        ]
        levels = np.array([level for _, level in score.dynamics])
        return cls(np.maximum.accumulate(times), levels, accents)

    def curve(self, start_s: float, seconds: float) -> Curve | None:
        """Curve of a part of the score.

        Args:
            start_s: Start of the part, seconds from the first beat.
            seconds: Length of the part.

        Returns:
            Curve in dB relative to mezzo forte, or ``None`` if the score has no dynamics and no
            accents.
        """
        if not len(self.times) and not self.accents:
            return None
        times = start_s + np.arange(max(1, round(seconds / CURVE_STEP_S))) * CURVE_STEP_S
        found = np.interp(times, self.times, self.levels) if len(self.times) else 0.0 * times
        first = bisect_left(self.accents, (start_s - RAMP_S, 0.0))
        first = max(0, first - 1)  # one accent may have begun before
        last = bisect_right(self.accents, (start_s + seconds, np.inf))
        for start, end in self.accents[first:last]:
            corners, heights = [start - RAMP_S, start, end], [0.0, ACCENT_DB, 0.0]
            found = found + np.interp(times, corners, heights, left=0.0, right=0.0)
        return Curve(found, CURVE_STEP_S)
