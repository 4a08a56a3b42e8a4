"""Segments in the form of Opencpop, which the original DiffSinger reads."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from oneleap.domains.singing.segments.segment import ScoreSegment
from oneleap.domains.singing.segments.timing import (
    leading_consonants,
    note_words,
    phoneme_notes,
    start_times,
)


class OpencpopPhoneme(NamedTuple):
    """A phoneme on one note.

    Attributes:
        phoneme: The phoneme.
        midi: Pitch of its note, semitones, or ``None``.
        seconds: Duration of the phoneme on this note; 0 if the segment has no durations.
        note_s: Duration of the note, seconds.
        slur: Whether the phoneme is repeated because its word continues on this note.
        word: Index of the word.
    """

    phoneme: str
    midi: float | None
    seconds: float
    note_s: float
    slur: bool
    word: int


def to_opencpop(segment: ScoreSegment, syllabic: Collection[str]) -> tuple[OpencpopPhoneme, ...]:
    """List phonemes with one note each; the vowel of a slurred word is repeated for each note.

    A consonant has the note that it leads to. If durations are known, the vowel is cut where its
    notes start.

    Args:
        segment: The segment.
        syllabic: Phonemes that can carry a note, pauses included.

    Returns:
        Phonemes in order.
    """
    own_note = phoneme_notes(segment, syllabic)
    words, note_starts = note_words(segment.note_slur), start_times(segment.note_dur)
    seconds = segment.ph_dur or (0.0,) * len(segment.ph_seq)
    starts = start_times(seconds)
    found: list[OpencpopPhoneme] = []
    first = 0
    for word, count in enumerate(segment.ph_num):
        word_notes = [int(i) for i in np.flatnonzero(words == word)]
        lead = leading_consonants(segment.ph_seq[first : first + count], syllabic)
        last_vowel = first + count - lead - 1
        for p in range(first, first + count):
            notes = word_notes if p == last_vowel else [own_note[p]]
            end = starts[p] + seconds[p]
            cuts = np.clip([starts[p], *(note_starts[n] for n in notes[1:]), end], starts[p], end)
            for k, note in enumerate(notes):
                found.append(
                    OpencpopPhoneme(
                        segment.ph_seq[p],
                        segment.note_midi[note],
                        float(cuts[k + 1] - cuts[k]),
                        segment.note_dur[note],
                        k > 0,
                        word,
                    )
                )
        first += count
    return tuple(found)
