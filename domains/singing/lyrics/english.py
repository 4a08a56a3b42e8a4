"""English lyrics to phonemes of ARPABET, one group for each note."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from oneleap.core.errors import InputError
from oneleap.domains.audio.english.sentence import phonemize_english
from oneleap.domains.audio.english.symbols import split_phonemes
from oneleap.domains.singing.segments.phonemes import (
    BEGINS,
    ENDS,
    SECONDARY,
    STRESSED,
    UNSTRESSED,
    without_marks,
)

_ARPABET = {
    "A": "ey", "I": "ay", "O": "ow", "Q": "ow", "W": "aw", "Y": "oy", "i": "iy", "u": "uw",
    "æ": "ae", "a": "ae", "ɑ": "aa", "ɒ": "aa", "ɐ": "ax", "ə": "ax", "ᵊ": "ax", "ɔ": "ao",
    "o": "ow", "e": "eh", "ɛ": "eh", "ɜ": "er", "ɪ": "ih", "ᵻ": "ih", "ʊ": "uh", "ʌ": "ah",
    "b": "b", "d": "d", "f": "f", "h": "hh", "j": "y", "k": "k", "l": "l", "m": "m", "n": "n",
    "p": "p", "s": "s", "t": "t", "v": "v", "w": "w", "z": "z", "ð": "dh", "ŋ": "ng", "ɡ": "g",
    "ɹ": "r", "T": "dx", "ʃ": "sh", "ʒ": "zh", "ʤ": "jh", "ʧ": "ch", "θ": "th",
}  # fmt: skip
"""Phonemes of the dictionary (see :mod:`oneleap.domains.audio.english.symbols`) in ARPABET."""

_R_COLORED = ("ə", "ɜ")
"""Vowels that are one phoneme, ``er``, together with an ``ɹ`` after them."""

_VOWELS = (
    "aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw",
)  # fmt: skip

ENGLISH_VOWELS = frozenset(
    vowel + mark for vowel in _VOWELS for mark in ("", UNSTRESSED, STRESSED, SECONDARY)
)
"""Phonemes that can carry a note, with and without marks."""

ENGLISH_PHONEMES: tuple[str, ...] = tuple(
    sorted(
        ENGLISH_VOWELS
        | {
            consonant + mark
            for consonant in set(_ARPABET.values()) - set(_VOWELS)
            for mark in ("", BEGINS, ENDS)
        }
    )
)
"""All phonemes of English lyrics, with and without marks."""

_CLUSTERS = (
    "pr br tr dr kr gr fr thr shr pl bl kl gl fl sl tw dw kw gw sw thw hhw "
    "py by my fy vy ky gy hhy ny sp st sk sm sn sf spr str skr spl skw sky spy"
)
"""Clusters of consonants that can begin a syllable, each written without spaces."""

_ONSETS = frozenset(_CLUSTERS.split())

_WEAK = frozenset(("ax", "ih", "er"))
"""Vowels that share a note with the vowel before them if a word has too few notes."""


class Phone(NamedTuple):
    """A phoneme, and how the dictionary writes it with its mark of stress.

    Attributes:
        name: The phoneme in ARPABET, in small letters: a vowel with its stress, such as ``ae1``, or
            a consonant with its place in the word, such as ``t_b``, ``t`` and ``t_e``.
        written: Letters of the dictionary, such as ``ˈɪ`` or ``əɹ``, after a space at the beginning
            of a word.
    """

    name: str
    written: str


def to_arpabet(said: str) -> list[Phone]:
    """Convert phonemes of the dictionary to ARPABET.

    Args:
        said: Phonemes of a word, such as ``twˈɪŋkᵊl``.

    Returns:
        The phonemes, with marks of stress and of the place in the word.
    """
    phones = _plain_phones(said)
    vowels = [i for i, phone in enumerate(phones) if phone.name in ENGLISH_VOWELS]
    first, last = (vowels[0], vowels[-1]) if vowels else (len(phones), len(phones))
    return [
        Phone(phone.name + _mark(phone, before=i < first, after=i > last), phone.written)
        for i, phone in enumerate(phones)
    ]


def _mark(phone: Phone, *, before: bool, after: bool) -> str:
    """Mark of a phoneme: the stress of a vowel, or the place of a consonant in the word."""
    if phone.name in ENGLISH_VOWELS:
        marks = {"ˈ": STRESSED, "ˌ": SECONDARY}
        return next((marks[c] for c in phone.written if c in marks), UNSTRESSED)
    if before:
        return BEGINS
    return ENDS if after else ""


def _plain_phones(said: str) -> list[Phone]:
    found = list[Phone]()
    for part in split_phonemes(said):
        plain = part.strip("ˈˌː")
        if plain == "ɹ" and found and found[-1].written.strip(" ˈˌː") in _R_COLORED:
            found[-1] = Phone("er", found[-1].written + part)
        elif plain in _ARPABET:
            found.append(Phone(_ARPABET[plain], part if found else f" {part}"))
    return found


def read_words(words: Sequence[str]) -> list[list[Phone]]:
    """Convert the words of a phrase to phonemes; articles and homographs depend on the context.

    Args:
        words: Words without punctuation.

    Returns:
        Phonemes of each word; none for a word without letters.
    """
    text = " ".join("I" if w.lower() == "i" else w.lower() for w in words)
    said = phonemize_english(text, "en-us").split(" ")
    if len(said) != len(words):
        said = [phonemize_english(w.lower(), "en-us") for w in words]
    return [to_arpabet(s) for s in said]


def split_syllables(phones: Sequence[Phone]) -> list[list[Phone]]:
    """Split a word at its vowels; a syllable begins with as many consonants as English allows."""
    vowels = [i for i, p in enumerate(phones) if p.name in ENGLISH_VOWELS]
    cuts = [0]
    for one, two in pairwise(vowels):
        start = two
        while start - 1 > one and _can_begin(
            [without_marks(p.name) for p in phones[start - 1 : two]]
        ):
            start -= 1
        cuts.append(start)
    ends = [*cuts[1:], len(phones)]
    return [list(phones[a:b]) for a, b in zip(cuts, ends, strict=True)]


def _can_begin(consonants: Sequence[str]) -> bool:
    if len(consonants) == 1:
        return consonants[0] != "ng"
    return "".join(consonants) in _ONSETS


def fit_to_notes(syllables: list[list[Phone]], notes: int) -> list[list[Phone]]:
    """Bring the syllables of a word to its number of notes.

    If there are too few notes, syllables are joined, those with a weak vowel first. If there are
    too many, the last notes get no phonemes: the last vowel goes on.

    Args:
        syllables: Syllables of a word.
        notes: Number of its notes, at least 1.

    Returns:
        Phonemes of each note.
    """
    joined = [list(s) for s in syllables]
    while len(joined) > notes:
        weak = [
            k for k in range(1, len(joined)) if _WEAK & {without_marks(p.name) for p in joined[k]}
        ]
        at = weak[-1] if weak else len(joined) - 1
        joined[at - 1 : at + 1] = [joined[at - 1] + joined[at]]
    return joined + [[] for _ in range(notes - len(joined))]


def read_lyrics(lyrics: Sequence[str]) -> list[list[Phone]]:
    """Convert the lyrics of consecutive notes to phonemes.

    A hyphen at the end of a lyric, or at the beginning of the next, joins them to one word. A lyric
    may hold several words.

    Args:
        lyrics: Lyric of each note, such as ``twin-``, ``kle``.

    Returns:
        Phonemes of each note; none if the vowel before goes on.

    Raises:
        InputError: A lyric has no letters. Its argument ``index`` is the note's.
    """
    words, notes = list[str](), list[list[int]]()
    for i, lyric in enumerate(lyrics):
        parts = [re.sub(r"[^\w'’]|[\d_]", "", part) for part in re.split(r"[\s‿]+", lyric.strip())]
        parts = [part.replace("’", "'") for part in parts if part.strip("'’")]
        if not parts:
            raise LyricError(f"the lyric '{lyric}' has no letters: write it in words", i)
        joins = lyric.strip().startswith("-") or (i > 0 and lyrics[i - 1].strip().endswith("-"))
        if joins and words:
            words[-1] += parts[0]
            notes[-1].append(i)
            parts = parts[1:]
        words += parts
        notes += [[i] for _ in parts]
    found: list[list[Phone]] = [[] for _ in lyrics]
    for word, phones, own in zip(words, read_words(words), notes, strict=True):
        if not phones:
            raise LyricError(f"'{word}' cannot be read as English", own[0])
        for i, part in zip(own, fit_to_notes(split_syllables(phones), len(own)), strict=True):
            found[i] += part
    return found


class LyricError(InputError):
    """A lyric that cannot be read.

    Args:
        reason: What is wrong, in one line.
        index: Number of the lyric, from 0.
    """

    def __init__(self, reason: str, index: int) -> None:
        super().__init__(reason)
        self.index = index
