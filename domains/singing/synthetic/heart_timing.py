"""Durations of a phrase that the voice heart sings."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.audio.synthetic.teachers import UNIT_S
from oneleap.domains.singing.lyrics.english import ENGLISH_VOWELS, Phone
from oneleap.domains.singing.segments.timing import CONSONANT_SHARE

CONSONANT_STRETCH = 2.0
"""Durations of sung consonants, as a multiple of those of speech. Of the words of twenty songs
whisper-base heard 6.4 % wrong with 1.5, and 3.5 % with 2."""

LONGEST_VOWEL = 1.0
"""Duration that the network gives a vowel at most, as a multiple of that in speech. It lets longer
ones fade."""

MARKS = " ˈˌ"
"""Tokens between phonemes, which keep the durations of speech."""

LEAD_S, TAIL_S = 0.3, 0.25
"""Silence before and after a phrase, in seconds, at least; consonants before the first note are
taken from it."""

SPACE, END_MARK = " ", "."


@dataclass(frozen=True)
class SungNote:
    """A note of a phrase.

    Attributes:
        phones: Phonemes that are sung on it; none if the vowel before goes on.
        midi: Pitch in semitones.
        seconds: Length in seconds.
    """

    phones: tuple[Phone, ...]
    midi: float
    seconds: float


@dataclass(frozen=True)
class Layout:
    """Durations of a phrase.

    Attributes:
        text: Letters for the network.
        units: Duration of each token of the network, in units of 25 ms.
        fed: Duration that the network is given; shorter in long vowels.
        phoneme: Number of the phoneme of each token; -1 before the first, -2 after the last.
        vowels: Whether each token belongs to a vowel.
        onsets: Unit at which each note starts, and the unit at which the last note ends.
    """

    text: str
    units: NDArray[np.int64]
    fed: NDArray[np.int64]
    phoneme: NDArray[np.int64]
    vowels: NDArray[np.bool_]
    onsets: NDArray[np.int64]


def lay_out(
    notes: Sequence[SungNote],
    vocabulary: Container[str],
    speak: Callable[[str], NDArray[np.int64]],
) -> Layout:
    """Lay out a phrase.

    Args:
        notes: Its notes; the first has phonemes.
        vocabulary: Letters that the network knows.
        speak: Function from a text to the duration of each token in speech, in units.

    Returns:
        The durations of song.
    """
    phones = [phone for note in notes for phone in note.phones]
    letters = [
        (c, i - (c == SPACE))  # the gap before a word belongs to the phoneme before
        for i, phone in enumerate(phones)
        for c in phone.written
        if c in vocabulary
    ][phones[0].written[0] == SPACE :]
    text = "".join(c for c, _ in letters) + END_MARK
    natural = speak(text)
    owner = np.array([-1, *(i for _, i in letters), -2, -2])
    mark = np.array([False, *(c in MARKS for c, _ in letters), False, False])
    spoken = np.bincount(owner[1:-2], natural[1:-2], len(phones))
    lead = round(LEAD_S / UNIT_S)
    beats = np.cumsum([0.0, *(note.seconds for note in notes)]) / UNIT_S
    onsets = lead + np.rint(beats).astype(np.int64)
    first = onsets[[k for k, note in enumerate(notes) if note.phones]]
    starts = np.append(first, onsets[-1])
    beats_at = nuclei(notes)
    names = [p.name for p in phones]
    sung = fit_consonants(names, beats_at, CONSONANT_STRETCH * spoken, starts)
    units = np.zeros(len(owner), np.int64)
    for i, total in enumerate(sung.tolist()):
        units[owner == i] = _share(total, natural[owner == i], mark[owner == i])
    units[0] = max(1, starts[0] - sung[: beats_at[0]].sum())
    tail = round(TAIL_S / UNIT_S)
    units[-2:] = tail // 2, tail - tail // 2
    vowel = np.array([i >= 0 and names[i] in ENGLISH_VOWELS for i in owner])
    most = np.maximum(np.rint(LONGEST_VOWEL * natural), 4).astype(np.int64)
    fed = np.where(vowel, np.minimum(units, most), units)
    return Layout(text, units, fed, owner, vowel, onsets)


def _share(total: int, natural: NDArray[np.int64], mark: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Units of the tokens of a phoneme: marks keep theirs, up to half; letters share the rest."""
    found: NDArray[np.int64] = np.where(mark, natural, 0)
    if found.sum() > total // 2:
        found = found * (total // 2) // found.sum()
    letters = np.flatnonzero(~mark)
    ends = np.linspace(0, total - found.sum(), len(letters) + 1).round()
    found[letters] = np.diff(ends).astype(np.int64)
    return found


def nuclei(notes: Sequence[SungNote]) -> list[int]:
    """Number of the phoneme on the beat of each note that has phonemes: its first vowel."""
    found, first = list[int](), 0
    for note in notes:
        if note.phones:
            vowels = [i for i, p in enumerate(note.phones) if p.name in ENGLISH_VOWELS]
            found.append(first + (vowels[0] if vowels else 0))
        first += len(note.phones)
    return found


def fit_consonants(
    names: Sequence[str],
    beats: Sequence[int],
    spoken: NDArray[np.floating[Any]],
    starts: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Durations of sung phonemes: consonants keep theirs, and vowels take the rest of the note.

    Args:
        names: Phonemes in ARPABET.
        beats: Numbers of the phonemes that are on the beat of a note.
        spoken: Duration of each phoneme in speech, in units.
        starts: Unit at which each of those notes starts, and the end of the last one.

    Returns:
        Duration of each phoneme in units. Consonants before the first beat end at ``starts[0]``.
    """
    units: NDArray[np.int64] = np.maximum(np.rint(spoken), 1).astype(np.int64)
    held = np.array([name in ENGLISH_VOWELS for name in names])
    held[list(beats)] = True
    ends = [*beats[1:], len(names)]
    for one, stop, start, end in zip(beats, ends, starts[:-1], starts[1:], strict=True):
        own, vowel = units[one:stop], held[one:stop]
        most, spent = int(CONSONANT_SHARE * (end - start)), int(own[~vowel].sum())
        if spent > most:
            own[~vowel] = np.maximum(1, own[~vowel] * most // spent)
        rest = end - start - own[~vowel].sum()
        shares = np.diff(np.linspace(0, rest, vowel.sum() + 1).round()).astype(np.int64)
        own[vowel] = np.maximum(1, shares)
    return units
