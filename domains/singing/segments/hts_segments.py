"""HTS labels to segments, and segments to HTS labels."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.hts import TICKS_PER_SECOND, Label
from oneleap.domains.singing.segments.pitch import midi_to_name
from oneleap.domains.singing.segments.segment import BREATH, PAUSES, SILENCE, ScoreSegment
from oneleap.domains.singing.segments.timing import note_words, phoneme_words, start_times

SLUR = "xx"
"""Sinsy's phoneme for a note without a lyric, which continues the vowel before."""

_FROM_HTS = {"pau": SILENCE, "sil": SILENCE, "br": BREATH}
_TO_HTS = {SILENCE: "pau", BREATH: "br"}


def labels_to_segment(labels: Sequence[Label], syllabic: frozenset[str]) -> ScoreSegment:
    """Convert all labels to one segment, in which words and notes start with their vowels.

    In Sinsy's labels a note of the score starts with its consonant. Here it starts with its first
    vowel and ends where the next note starts. A slur lasts as long as its label. A label is a slur
    if its note has no lyric, or if it repeats the vowel before with a long-vowel mark.

    Args:
        labels: Labels with times, consecutive.
        syllabic: Phonemes that can carry a note (``Phonemizer.syllabic``).

    Returns:
        A segment with durations.

    Raises:
        InputError: If a time is missing, a label does not start where the one before it ends, or
            the first label is a slur or a consonant.
    """
    _check_times(labels)
    phonemes, seconds, words = list[str](), list[float](), list[int]()
    midi, notes, slurs = list[float | None](), list[float](), list[bool]()
    note, started = "", False
    for label in labels:
        name = _FROM_HTS.get(label.phoneme, label.phoneme)
        duration = (label.end - label.start) / TICKS_PER_SECOND
        repeated = label.prolonged and label.note != note and phonemes[-1:] == [name]
        slur = name == SLUR or repeated
        if label.note != note or name in PAUSES or slur:
            note, started = label.note, False
        if slur:
            if not phonemes or phonemes[-1] in PAUSES:
                raise InputError("a slur must follow a syllable")
            seconds[-1] += duration
            midi.append(label.midi)
            notes.append(duration)
            slurs.append(True)
            started = True
            continue
        phonemes.append(name)
        seconds.append(duration)
        if not started and (name in PAUSES or name in syllabic):
            started = True
            words.append(0)
            midi.append(None if name in PAUSES else label.midi)
            notes.append(0.0)
            slurs.append(False)
        if not words:  # a consonant at the very start belongs to no word
            raise InputError("the first label must be silence or a vowel")
        words[-1] += 1
        notes[-1] += duration
    return ScoreSegment(
        ph_seq=tuple(phonemes),
        ph_num=tuple(words),
        ph_dur=tuple(round(s, 7) for s in seconds),
        note_midi=tuple(midi),
        note_dur=tuple(round(s, 7) for s in notes),
        note_slur=tuple(slurs),
    )


def _check_times(labels: Sequence[Label]) -> None:
    for number, (one, two) in enumerate(pairwise(labels), 1):
        if one.end != two.start:
            raise InputError(
                f"label {number} ends at {one.end}, but the next label starts at {two.start}"
            )
    for number, label in enumerate(labels, 1):
        if -1 in (label.start, label.end) or label.end <= label.start:
            raise InputError(f"label {number} ({label.phoneme}) has no times or no duration")


def segment_to_labels(segment: ScoreSegment) -> tuple[Label, ...]:
    """Convert a segment to labels; unknown fields are ``xx``.

    A slur becomes Sinsy's phoneme ``xx``. :func:`labels_to_segment` converts the labels back to the
    same segment.

    Raises:
        InputError: If the segment has no durations, or a slur starts together with a phoneme
            instead of inside one.
    """
    if not segment.ph_dur:
        raise InputError("ph_dur is missing: labels need times")
    parts = _split_at_slurs(segment)
    names = ["xx", "xx", *(part.phoneme for part in parts), "xx", "xx"]
    found = []
    for i, part in enumerate(parts):
        neighbors = f"{names[i]}^{names[i + 1]}-{part.phoneme}+{names[i + 3]}={names[i + 4]}"
        pitch = segment.note_midi[part.note]
        e1 = "xx" if pitch is None else midi_to_name(pitch)
        e7 = round(100 * segment.note_dur[part.note])
        # e18 is the note's position in its phrase: it distinguishes two notes of one pitch.
        fields = f"{e1}]xx^xx=xx~xx!xx@{e7}#xx+xx]xx$xx|xx[xx&xx]xx=xx^xx~{part.note + 1}#xx"
        context = f"{'p' if pitch is None else 'v'}@{neighbors}_xx/E:{fields}/F:xx"
        start, end = round(part.start * TICKS_PER_SECOND), round(part.end * TICKS_PER_SECOND)
        found.append(Label(start, end, context))
    return tuple(found)


class _Part(NamedTuple):
    """A phoneme, or the part of it on a slurred note; times in seconds."""

    phoneme: str
    note: int
    start: float
    end: float


def _split_at_slurs(segment: ScoreSegment) -> list[_Part]:
    words = phoneme_words(segment.ph_num)
    of_note = note_words(segment.note_slur)
    ends = np.cumsum(segment.ph_dur)
    starts, note_starts = start_times(segment.ph_dur), start_times(segment.note_dur)
    half_tick = 0.5 / TICKS_PER_SECOND
    found: list[_Part] = []
    slurs = 0
    for i, phoneme in enumerate(segment.ph_seq):
        own = [int(n) for n in np.flatnonzero(of_note == words[i])]
        begun = [n for n in own if n == own[0] or note_starts[n] < starts[i] + half_tick]
        inner = [n for n in own[1:] if starts[i] + half_tick < note_starts[n] < ends[i] - half_tick]
        slurs += len(inner)
        cuts = [starts[i], *(note_starts[n] for n in inner), ends[i]]
        names = [_TO_HTS.get(phoneme, phoneme)] + [SLUR] * len(inner)
        for k, (name, note) in enumerate(zip(names, (begun[-1], *inner), strict=True)):
            found.append(_Part(name, note, float(cuts[k]), float(cuts[k + 1])))
    if slurs != sum(segment.note_slur):
        raise InputError(
            "note_slur: a slur starts together with a phoneme, which labels cannot express"
        )
    return found
