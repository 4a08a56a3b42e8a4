"""Timing in a segment: frames, words, notes of phonemes, and durations that fit the notes."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.segment import SILENCE, ScoreSegment, Segment

LONGEST_S = 4 * 3600.0
"""Longest song, seconds."""


def check_length(phrases: Sequence[Segment]) -> None:
    """Check that a song has a length that can be sung.

    Raises:
        InputError: If it is longer than :data:`LONGEST_S`.
    """
    start = min(0.0, *(s.offset for s in phrases))
    total_s = max(s.offset + s.seconds for s in phrases) - start
    if not total_s <= LONGEST_S:
        raise InputError(
            f"the song lasts {total_s / 3600:.3g} hours, at most {LONGEST_S / 3600:.0f} are "
            "possible"
        )


def frame_counts(durations_s: Sequence[float], step_s: float) -> tuple[int, ...]:
    """Convert durations to whole numbers of frames whose sum is the rounded total.

    The function rounds the end times, ``floor(cumsum(d) / step + 1/2)``, as openvpi does, so that
    rounding errors do not add up. A duration shorter than a frame may get no frame.

    Args:
        durations_s: Durations, seconds, 0 or more.
        step_s: Length of a frame, seconds.

    Returns:
        Number of frames of each duration.
    """
    ends = np.floor(np.cumsum(np.asarray(durations_s, np.float64)) / step_s + 0.5)
    return tuple(int(n) for n in np.diff(ends, prepend=0.0))


def start_times(durations_s: Sequence[float]) -> NDArray[np.float64]:
    """Start of each of several consecutive durations, seconds, (n,); the first is 0."""
    found: NDArray[np.float64] = np.cumsum([0.0, *durations_s])[:-1]
    return found


def phoneme_words(ph_num: Sequence[int]) -> NDArray[np.int64]:
    """Index of the word of each phoneme, (phonemes,)."""
    return np.repeat(np.arange(len(ph_num)), np.asarray(ph_num, np.int64))


def note_words(note_slur: Sequence[bool]) -> NDArray[np.int64]:
    """Index of the word of each note, (notes,): a note that is not a slur starts a word."""
    return np.cumsum(~np.asarray(note_slur, bool)) - 1


def word_durations(segment: ScoreSegment) -> NDArray[np.float64]:
    """Duration of each word by its notes, seconds, (words,)."""
    found = np.zeros(len(segment.ph_num))
    np.add.at(found, note_words(segment.note_slur), np.asarray(segment.note_dur, np.float64))
    return found


def word_midi(segment: ScoreSegment) -> tuple[float | None, ...]:
    """Pitch of the first note of each word, semitones; ``None`` for a rest."""
    pairs = zip(segment.note_midi, segment.note_slur, strict=True)
    return tuple(midi for midi, slur in pairs if not slur)


def phoneme_notes(segment: ScoreSegment, syllabic: Collection[str] = ()) -> tuple[int, ...]:
    """Find the note on which each phoneme is sung.

    Without ``syllabic``, a phoneme has the first note of its word. This is ``ph_midi`` of openvpi's
    duration model, in which a leading consonant has the note before. With ``syllabic``, the
    consonants at the end of a word have the note they lead to, as in the labels of Opencpop.

    Args:
        segment: The segment.
        syllabic: Phonemes that can carry a note, pauses included (``Phonemizer.syllabic``).

    Returns:
        Index of a note for each phoneme.
    """
    first_notes = [i for i, slur in enumerate(segment.note_slur) if not slur]
    found: list[int] = []
    first = 0
    for word, count in enumerate(segment.ph_num):
        phonemes = segment.ph_seq[first : first + count]
        last_word = word + 1 == len(first_notes)
        lead = leading_consonants(phonemes, syllabic) if syllabic and not last_word else 0
        found += [first_notes[word]] * (count - lead)
        found += [first_notes[word + 1]] * lead if lead else []
        first += count
    return tuple(found)


def leading_consonants(phonemes: Sequence[str], syllabic: Collection[str]) -> int:
    """Count the consonants at the end of a word, which lead to the next word's vowel.

    Args:
        phonemes: Phonemes of the word; the first is never counted.
        syllabic: Phonemes that can carry a note.

    Returns:
        Number of consonants.
    """
    count = 0
    while count < len(phonemes) - 1 and phonemes[-1 - count] not in syllabic:
        count += 1
    return count


CONSONANT_SHARE = 0.6
"""Largest share of a word that the phonemes after its first one take."""


def hold_vowels(
    ph_dur: Sequence[float], ph_num: Sequence[int], word_dur: Sequence[float]
) -> tuple[float, ...]:
    """Durations that add up to those of the words: vowels are held, consonants keep theirs.

    A word starts with its vowel, which takes what the consonants leave. Consonants that take more
    than 60 % of a word are shortened in proportion. (openvpi rescales all phonemes of a word in
    proportion, so consonants of long notes become too long to be understood.)

    Args:
        ph_dur: Predicted durations of phonemes in seconds, 0 or more.
        ph_num: Number of phonemes of each word.
        word_dur: Duration of each word in seconds.

    Returns:
        Duration of each phoneme in seconds.
    """
    word, count = phoneme_words(ph_num), len(ph_num)
    length = np.asarray(word_dur, np.float64)
    found = np.asarray(ph_dur, np.float64).copy()
    first = np.diff(word, prepend=-1) > 0
    found[first] = 0.0
    sums = np.bincount(word, found, count)
    shrink = np.minimum(1.0, CONSONANT_SHARE * length / np.maximum(sums, 1e-9))
    found *= shrink[word]
    found[first] = length - np.bincount(word, found, count)
    return tuple(float(d) for d in found)


def lead_in(segments: Sequence[Segment]) -> float:
    """Time that a song needs before its first beat, seconds.

    It is 0 unless a phrase sounds before time 0, as the consonant of a note on the first beat does.
    Then it is the time from the start of this phrase to time 0.
    """
    found = 0.0
    for segment in segments:
        if segment.offset >= 0:
            continue
        start = segment.offset
        if segment.ph_seq[0] == SILENCE:
            alone = not segment.ph_num or segment.ph_num[0] == 1
            if segment.ph_dur:
                start += segment.ph_dur[0]
            elif alone and segment.note_dur:
                start += segment.note_dur[0]
        if start < -1e-6:
            found = max(found, -segment.offset)
    return found


def fit_to_notes(segment: ScoreSegment, ph_dur: Sequence[float]) -> ScoreSegment:
    """Give a segment durations of phonemes that fit its notes; see :func:`hold_vowels`.

    Args:
        segment: The segment.
        ph_dur: Predicted duration of each phoneme in seconds.

    Returns:
        The segment with ``ph_dur`` in seconds.
    """
    words = word_durations(segment).tolist()
    return replace(segment, ph_dur=hold_vowels(ph_dur, segment.ph_num, words))


def align_notes_to_words(segment: Segment, tolerance_s: float = 0.02) -> ScoreSegment:
    """Assign notes to words by time, for recordings whose notes and phonemes are both timed.

    A note that starts inside a word, and not together with it, becomes a slur. Notes are cut or
    moved so that each word starts together with a note.

    Args:
        segment: Segment with ``ph_dur``, ``ph_num`` and notes; its slurs are ignored.
        tolerance_s: A note that starts this close to a word, in seconds, starts with the word.

    Returns:
        The segment with new notes and slurs.

    Raises:
        InputError: If ``ph_dur``, ``ph_num`` or the notes are missing.
    """
    for key, value in (
        ("ph_dur", segment.ph_dur),
        ("ph_num", segment.ph_num),
        ("note_seq", segment.note_midi),
    ):
        if not value:
            raise InputError(f"{key} is missing: notes cannot be assigned to words")
    word = phoneme_words(segment.ph_num)
    lengths = np.bincount(word, np.asarray(segment.ph_dur, np.float64), len(segment.ph_num))
    word_ends = np.concatenate([[0.0], np.cumsum(lengths)])
    note_starts = start_times(segment.note_dur)
    midi, dur, slur = list[float | None](), list[float](), list[bool]()
    for w in range(len(segment.ph_num)):
        begin, end = word_ends[w], word_ends[w + 1]
        head = int(np.searchsorted(note_starts, begin + tolerance_s, side="right")) - 1
        inner = [
            i
            for i in range(head + 1, len(note_starts))
            if note_starts[i] < end - tolerance_s
            and segment.note_midi[i] is not None
            and segment.note_midi[head] is not None
        ]
        cuts = [begin, *(note_starts[i] for i in inner), end]
        for k, i in enumerate((max(head, 0), *inner)):
            if cuts[k + 1] > cuts[k]:
                midi.append(segment.note_midi[i])
                dur.append(float(cuts[k + 1] - cuts[k]))
                slur.append(k > 0)
    aligned = replace(segment, note_midi=tuple(midi), note_dur=tuple(dur), note_slur=tuple(slur))
    return ScoreSegment.from_segment(aligned)
