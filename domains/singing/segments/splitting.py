"""Cutting a sung song at its rests."""

from dataclasses import replace

import numpy as np

from oneleap.domains.singing.segments.segment import (
    SILENCE,
    Curve,
    Segment,
    bound_to_words,
    with_curves,
)


def phrases(
    segment: Segment,
    *,
    rest_s: float = 0.4,
    margin_s: float = 0.25,
    step_s: float = 0.005,
    least_s: float = 0.0,
) -> tuple[Segment, ...]:
    """Parts of a segment between its long silences; ``offset`` says where each begins.

    A silence of ``rest_s`` or more is cut: at most ``margin_s`` of it stay on either side, and what
    is between is lost. Parts that hold nothing but silence are left out, and a rest is not cut as
    long as the part before it is shorter than ``least_s``.

    Args:
        segment: With durations, words and notes.
        rest_s: Shortest silence that is cut, seconds.
        margin_s: Silence kept at each end, seconds.
        step_s: Cuts fall on multiples of it, seconds.
        least_s: Shortest part that is wanted, seconds.

    Raises:
        InputError: If the segment has no words or notes.
    """
    bound_to_words(segment)
    ends = np.cumsum(segment.ph_dur)
    starts = np.concatenate([[0.0], ends[:-1]])
    heads = np.concatenate([[0], np.cumsum(segment.ph_num)])  # first phoneme of each word
    found: list[Segment] = []
    first, begin = 0, 0.0
    for word, head in enumerate(heads[:-1]):
        last = word == len(segment.ph_num) - 1
        start, end = float(starts[head]), float(ends[head])
        if segment.ph_seq[head] != SILENCE or (end - start < rest_s and not last and word):
            if last:
                found += _cut(segment, first, word + 1, begin, float(ends[-1]))
            continue
        keep = min(margin_s, (end - start) / 2) if not last else min(margin_s, end - start)
        if word > first and (last or start - begin >= least_s):
            found += _cut(segment, first, word + 1, begin, _down(start + keep, step_s))
        elif word > first:
            continue
        first, begin = word, max(_down(end - margin_s, step_s), _down(start + keep, step_s))
        begin = 0.0 if word == 0 and end - start <= margin_s else begin
    return tuple(found)


def _down(time_s: float, step_s: float) -> float:
    """The step at or before a time, with a hair's breadth of tolerance."""
    return float(np.floor(time_s / step_s + 1e-6) * step_s)


def _cut(segment: Segment, first: int, stop: int, begin: float, end: float) -> list[Segment]:
    """Words first to stop - 1, between two times that lie in the first and in the last word."""
    bounds = np.concatenate([[0], np.cumsum(segment.ph_num)])
    p0, p1 = int(bounds[first]), int(bounds[stop])
    silent_end = segment.ph_seq[int(bounds[stop - 1])] == SILENCE
    if silent_end:
        p1 = int(bounds[stop - 1]) + 1  # the consonants after it lead to the next part
    ends = np.cumsum(segment.ph_dur)[p0:p1]
    starts = np.concatenate([[0.0], np.cumsum(segment.ph_dur)])[p0:p1]
    seconds = np.minimum(ends, end) - np.maximum(starts, begin)
    names = segment.ph_seq[p0:p1]
    if not any(name != SILENCE for name in names):
        return []
    counts = list(segment.ph_num[first:stop])
    counts[-1] = p1 - int(bounds[stop - 1])
    words = np.cumsum([not slur for slur in segment.note_slur]) - 1
    notes = [i for i, w in enumerate(words) if first <= w < stop]
    note_ends = np.cumsum(segment.note_dur)
    note_starts = np.concatenate([[0.0], note_ends[:-1]])
    lasts = [min(float(note_ends[i]), end) - max(float(note_starts[i]), begin) for i in notes]
    return [
        replace(
            with_curves(segment, lambda curve: _between(curve, begin, end)),
            ph_seq=names,
            ph_num=tuple(counts),
            ph_dur=tuple(round(float(s), 7) for s in seconds),
            note_midi=tuple(segment.note_midi[i] for i in notes),
            note_dur=tuple(round(s, 7) for s in lasts),
            note_slur=tuple(segment.note_slur[i] for i in notes),
            offset=round(segment.offset + begin, 7),
        )
    ]


def _between(curve: Curve, begin: float, end: float) -> Curve:
    """A curve between two times; a cut falls on the step nearest to it."""
    first, last = round(begin / curve.step_s), round(end / curve.step_s)
    return Curve(curve.values[first : max(last, first + 1)], curve.step_s)
