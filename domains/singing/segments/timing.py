"""Time in a segment: words, frames, rescaled phonemes, slurs, key and tempo. Pure functions."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.segment import Curve, Segment, bound_to_words, with_curves


def frames(durations_s: Sequence[float], step_s: float) -> tuple[int, ...]:
    """Whole frames of each duration; their sum is that of the total, rounded.

    Ends are rounded, not durations: ``floor(cumsum(d) / step + 1/2)``, as openvpi does, so that
    errors do not add up. A duration of less than a frame may get none.

    Args:
        durations_s: Seconds, 0 or more.
        step_s: Seconds of a frame.
    """
    ends = np.floor(np.cumsum(np.asarray(durations_s, np.float64)) / step_s + 0.5)
    return tuple(int(n) for n in np.diff(ends, prepend=0.0))


def phoneme_words(ph_num: Sequence[int]) -> NDArray[np.int64]:
    """Word of each phoneme, (phonemes,), from 0."""
    return np.repeat(np.arange(len(ph_num)), np.asarray(ph_num, np.int64))


def note_words(note_slur: Sequence[bool]) -> NDArray[np.int64]:
    """Word of each note, (notes,), from 0: a note that is no slur begins one."""
    return np.cumsum(~np.asarray(note_slur, bool)) - 1


def word_seconds(segment: Segment) -> NDArray[np.float64]:
    """Seconds of each word by its notes, (words,).

    Raises:
        InputError: If the segment has no words or notes.
    """
    bound_to_words(segment)
    words = note_words(segment.note_slur)
    found = np.zeros(len(segment.ph_num))
    np.add.at(found, words, np.asarray(segment.note_dur, np.float64))
    return found


def word_midi(segment: Segment) -> tuple[float | None, ...]:
    """Pitch of the note each word begins with, semitones; ``None`` for a rest.

    Raises:
        InputError: If the segment has no words or notes.
    """
    bound_to_words(segment)
    pairs = zip(segment.note_midi, segment.note_slur, strict=True)
    return tuple(midi for midi, slur in pairs if not slur)


def phoneme_notes(segment: Segment, vowels: Collection[str] = ()) -> tuple[int, ...]:
    """Index of the note that each phoneme sings.

    Without ``vowels``, the note its word begins with: the ``ph_midi`` of openvpi's duration
    model, in which a leading consonant has the note before. With them, the consonants at the end
    of a word have the note they lead to, as in Opencpop's labels.

    Args:
        segment: With words and notes.
        vowels: Phonemes that carry notes, pauses included (see :func:`phonemes.carriers`).

    Raises:
        InputError: If the segment has no words or notes.
    """
    bound_to_words(segment)
    heads = [i for i, slur in enumerate(segment.note_slur) if not slur]
    found: list[int] = []
    first = 0
    for word, count in enumerate(segment.ph_num):
        phonemes = segment.ph_seq[first : first + count]
        lead = _lead(phonemes, vowels) if vowels and word + 1 < len(heads) else 0
        found += [heads[word]] * (count - lead)
        found += [heads[word + 1]] * lead if lead else []
        first += count
    return tuple(found)


def _lead(phonemes: Sequence[str], vowels: Collection[str]) -> int:
    """Consonants at the end of a word; its first phoneme is none of them."""
    count = 0
    while count < len(phonemes) - 1 and phonemes[-1 - count] not in vowels:
        count += 1
    return count


def within_words(
    ph_dur: Sequence[float], ph_num: Sequence[int], words_s: Sequence[float]
) -> tuple[float, ...]:
    """Durations rescaled inside each word so that they add up to the word's.

    A word whose durations are all 0 is shared out evenly.

    Args:
        ph_dur: Predicted, seconds or frames, 0 or more.
        ph_num: Phonemes in each word.
        words_s: Length of each word, in the unit asked for.
    """
    word = phoneme_words(ph_num)
    predicted = np.asarray(ph_dur, np.float64)
    sums = np.bincount(word, predicted, len(ph_num))
    empty = sums == 0
    predicted = np.where(empty[word], 1.0, predicted)
    sums = np.where(empty, np.asarray(ph_num, np.float64), sums)
    return tuple(float(d) for d in predicted * (np.asarray(words_s, np.float64) / sums)[word])


def fitted(segment: Segment, ph_dur: Sequence[float]) -> Segment:
    """The segment with these durations, rescaled to its notes word by word.

    Raises:
        InputError: If the segment has no words or notes.
    """
    return replace(
        segment, ph_dur=within_words(ph_dur, segment.ph_num, word_seconds(segment).tolist())
    )


class Sung(NamedTuple):
    """One phoneme on one note.

    Attributes:
        phoneme: What is sung.
        midi: Its note, semitones, or ``None``.
        seconds: How long the phoneme lasts on this note; 0 if the segment does not say.
        note_s: How long the note lasts.
        slur: Whether the phoneme is repeated because its word goes on to this note.
        word: Index of the word.
    """

    phoneme: str
    midi: float | None
    seconds: float
    note_s: float
    slur: bool
    word: int


def opencpop(segment: Segment, vowels: Collection[str]) -> tuple[Sung, ...]:
    """Phonemes with one note each: the vowel of a slurred word is repeated, once for each note.

    This is what the original DiffSinger reads. Consonants have the note that they lead to. Where
    durations are known, the vowel is cut at its notes' beginnings.

    Args:
        segment: With words and notes.
        vowels: Phonemes that carry notes, pauses included.

    Raises:
        InputError: If the segment has no words or notes.
    """
    own = phoneme_notes(segment, vowels)
    words, starts = note_words(segment.note_slur), _starts(segment.note_dur)
    seconds = segment.ph_dur or (0.0,) * len(segment.ph_seq)
    begins = _starts(seconds)
    found: list[Sung] = []
    first = 0
    for word, count in enumerate(segment.ph_num):
        carried = [int(i) for i in np.flatnonzero(words == word)]
        lead = _lead(segment.ph_seq[first : first + count], vowels)
        last_vowel = first + count - lead - 1
        for p in range(first, first + count):
            notes = carried if p == last_vowel else [own[p]]
            cuts = [begins[p], *(starts[n] for n in notes[1:]), begins[p] + seconds[p]]
            cuts = list(np.clip(cuts, begins[p], begins[p] + seconds[p]))
            for k, note in enumerate(notes):
                found.append(
                    Sung(
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


def _starts(durations: Sequence[float]) -> NDArray[np.float64]:
    """When each begins."""
    found: NDArray[np.float64] = np.cumsum([0.0, *durations])[:-1]
    return found


def with_slurs(segment: Segment, tolerance_s: float = 0.02) -> Segment:
    """Notes bound to words by time: a note that begins within a word, not with it, is a slur.

    For recordings whose notes and phonemes are both timed. Notes are cut or moved to the words'
    beginnings, so that each word begins with one.

    Args:
        segment: With ``ph_dur``, ``ph_num``, notes; slurs are found anew.
        tolerance_s: A note's beginning this near to a word's is the word's.

    Raises:
        InputError: If a sequence is missing.
    """
    for name, value in (("ph_dur", segment.ph_dur), ("ph_num", segment.ph_num)):
        if not value:
            raise InputError(f"{name} is missing: notes cannot be bound to words")
    if not segment.note_midi:
        raise InputError("note_seq is missing: notes cannot be bound to words")
    word = phoneme_words(segment.ph_num)
    lengths = np.bincount(word, np.asarray(segment.ph_dur, np.float64), len(segment.ph_num))
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    notes = np.asarray(_starts(segment.note_dur))
    midi, dur, slur = list[float | None](), list[float](), list[bool]()
    for w in range(len(segment.ph_num)):
        begin, end = starts[w], starts[w + 1]
        head = int(np.searchsorted(notes, begin + tolerance_s, side="right")) - 1
        inner = [
            i
            for i in range(head + 1, len(notes))
            if notes[i] < end - tolerance_s
            and segment.note_midi[i] is not None
            and segment.note_midi[head] is not None
        ]
        cuts = [begin, *(notes[i] for i in inner), end]
        for k, i in enumerate((max(head, 0), *inner)):
            if cuts[k + 1] > cuts[k]:
                midi.append(segment.note_midi[i])
                dur.append(float(cuts[k + 1] - cuts[k]))
                slur.append(k > 0)
    return replace(segment, note_midi=tuple(midi), note_dur=tuple(dur), note_slur=tuple(slur))


def shifted(segment: Segment, semitones: float) -> Segment:
    """The segment in another key: notes and f0.

    Raises:
        InputError: If a note leaves the range of 0 to 127.
    """
    notes = tuple(None if midi is None else midi + semitones for midi in segment.note_midi)
    f0 = segment.f0
    if f0 is not None:
        f0 = Curve(f0.values * 2 ** (semitones / 12), f0.step_s)
    return replace(segment, note_midi=notes, f0=f0)


def at_tempo(segment: Segment, factor: float) -> Segment:
    """The segment faster by a factor: every time is divided by it.

    Raises:
        InputError: If the factor is not positive.
    """
    if not factor > 0:
        raise InputError(f"tempo: a factor greater than 0, not {factor}")
    return replace(
        with_curves(segment, lambda curve: Curve(curve.values, curve.step_s / factor)),
        offset=segment.offset / factor,
        ph_dur=tuple(d / factor for d in segment.ph_dur),
        note_dur=tuple(d / factor for d in segment.note_dur),
    )


def score_f0(segment: Segment, step_s: float, count: int) -> NDArray[np.float64]:
    """Pitch of the notes as a curve of steps, Hz, (count,); 0 in rests."""
    ends = np.cumsum(np.asarray(segment.note_dur, np.float64))
    at = np.searchsorted(ends, (np.arange(count) + 0.5) * step_s, side="right")
    midi = np.array([-1.0 if m is None else m for m in segment.note_midi] + [-1.0])
    of_frame = midi[np.minimum(at, len(ends))]
    return np.where(of_frame < 0, 0.0, hertz(of_frame))


def hertz(midi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequency of a pitch in semitones, 69 = 440 Hz."""
    found: NDArray[np.float64] = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
    return found
