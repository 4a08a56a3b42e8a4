"""Splitting a recorded song into phrases at its rests."""

from dataclasses import replace

import numpy as np

from oneleap.domains.singing.segments.segment import SILENCE, Curve, ScoreSegment, map_curves
from oneleap.domains.singing.segments.timing import note_words, start_times


def split_at_rests(
    segment: ScoreSegment,
    *,
    min_rest_s: float = 0.4,
    margin_s: float = 0.25,
    step_s: float = 0.005,
    min_length_s: float = 0.0,
) -> tuple[ScoreSegment, ...]:
    """Split a segment at its long silences; ``offset`` says where each part starts.

    The silence between two parts is dropped, except for a margin on either side. Parts that contain
    only silence are dropped too.

    Args:
        segment: Segment with durations of phonemes.
        min_rest_s: Shortest silence at which the segment is split, seconds.
        margin_s: Longest silence kept at each end of a part, seconds.
        step_s: Cuts are at multiples of this time, seconds.
        min_length_s: A silence splits only if the part before it is at least this long, seconds.

    Returns:
        Parts in order.
    """
    ends = np.cumsum(segment.ph_dur)
    starts = start_times(segment.ph_dur)
    first_phonemes = np.concatenate([[0], np.cumsum(segment.ph_num)])[:-1]
    found: list[ScoreSegment] = []
    first, begin = 0, 0.0
    for word, phoneme in enumerate(first_phonemes):
        last = word == len(segment.ph_num) - 1
        start, end = float(starts[phoneme]), float(ends[phoneme])
        if segment.ph_seq[phoneme] != SILENCE or (end - start < min_rest_s and not last and word):
            if last:
                found += _cut(segment, first, word + 1, begin, float(ends[-1]))
            continue
        keep = min(margin_s, (end - start) / 2) if not last else min(margin_s, end - start)
        if word > first and (last or start - begin >= min_length_s):
            found += _cut(segment, first, word + 1, begin, _round_down(start + keep, step_s))
        elif word > first:
            continue
        first = word
        begin = max(_round_down(end - margin_s, step_s), _round_down(start + keep, step_s))
        begin = 0.0 if word == 0 and end - start <= margin_s else begin
    return tuple(found)


def _round_down(time_s: float, step_s: float) -> float:
    """Round a time down to a step; a millionth below a step counts as the step."""
    return float(np.floor(time_s / step_s + 1e-6) * step_s)


def _cut(
    segment: ScoreSegment, first: int, stop: int, begin: float, end: float
) -> list[ScoreSegment]:
    """Cut out words ``first`` to ``stop - 1``; an empty list if they are only silence.

    Args:
        segment: The whole segment.
        first: Index of the first word.
        stop: Index after the last word.
        begin: Start of the part, a time within the first word, seconds.
        end: End of the part, a time within the last word, seconds.
    """
    bounds = np.concatenate([[0], np.cumsum(segment.ph_num)])
    p0, p1 = int(bounds[first]), int(bounds[stop])
    if segment.ph_seq[int(bounds[stop - 1])] == SILENCE:
        p1 = int(bounds[stop - 1]) + 1  # the consonants after it lead to the next part
    ends = np.cumsum(segment.ph_dur)[p0:p1]
    starts = np.concatenate([[0.0], np.cumsum(segment.ph_dur)])[p0:p1]
    seconds = np.minimum(ends, end) - np.maximum(starts, begin)
    names = segment.ph_seq[p0:p1]
    if not any(name != SILENCE for name in names):
        return []
    counts = list(segment.ph_num[first:stop])
    counts[-1] = p1 - int(bounds[stop - 1])
    notes = [i for i, word in enumerate(note_words(segment.note_slur)) if first <= word < stop]
    note_ends = np.cumsum(segment.note_dur)
    note_starts = np.concatenate([[0.0], note_ends[:-1]])
    note_dur = [min(float(note_ends[i]), end) - max(float(note_starts[i]), begin) for i in notes]
    return [
        replace(
            map_curves(segment, lambda curve: _cut_curve(curve, begin, end)),
            ph_seq=names,
            ph_num=tuple(counts),
            ph_dur=tuple(round(float(s), 7) for s in seconds),
            note_midi=tuple(segment.note_midi[i] for i in notes),
            note_dur=tuple(round(s, 7) for s in note_dur),
            note_slur=tuple(segment.note_slur[i] for i in notes),
            offset=round(segment.offset + begin, 7),
        )
    ]


def _cut_curve(curve: Curve, begin: float, end: float) -> Curve:
    """Cut a curve between two times, at the nearest steps."""
    first, last = round(begin / curve.step_s), round(end / curve.step_s)
    return Curve(curve.values[first : max(last, first + 1)], curve.step_s)
