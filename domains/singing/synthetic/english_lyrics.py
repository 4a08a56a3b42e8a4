"""Random English lyrics for melodies: sentences of common words, and some from the dictionary."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from oneleap.domains.audio.english.dictionary import FOLDER
from oneleap.domains.singing.lyrics.english import (
    ENGLISH_VOWELS,
    Phone,
    read_words,
    split_syllables,
)

TEMPLATES = (
    "owners adjectives nouns verbs adverbs",
    "owners nouns verbs places owners nouns",
    "openings owners nouns verbs owners adjectives nouns",
    "I verbs owners nouns places owners nouns",
    "you verbs me places owners adjectives nouns",
    "we verbs adverbs and they verbs adverbs",
    "adverbs she verbs owners nouns and nouns",
    "oh my adjectives nouns openings he verbs adverbs",
    "places owners nouns owners nouns verbs",
    "it was owners adjectives nouns of nouns and nouns",
    "I will not verbs you adverbs my nouns",
    "who verbs owners nouns and what is your nouns",
    "do not go adverbs my adjectives nouns",
    "there is owners nouns places owners adjectives nouns",
    "adjectives and adjectives are owners nouns we verbs",
)
"""Sentences; a part of speech stands for a random word of it."""

P_RARE = 0.25
"""Probability that a noun is any word of the dictionary, for rare sequences of phonemes."""


@lru_cache(maxsize=1)
def word_lists() -> Mapping[str, tuple[str, ...]]:
    """Words by part of speech."""
    text = (Path(__file__).parent / "english_words.txt").read_text(encoding="utf-8")
    found = {}
    for block in text.split("\n\n")[1:]:
        name, _, words = block.partition(":")
        found[name.strip()] = tuple(words.split())
    return found


@lru_cache(maxsize=1)
def _rare_words() -> tuple[str, ...]:
    import gzip

    lines = gzip.decompress((FOLDER / "en-us.dictionary.gz").read_bytes()).decode().splitlines()
    words = (line.partition("\t")[0] for line in lines)
    return tuple(w for w in words if w.isascii() and w.isalpha() and w.islower() and len(w) > 2)


def random_words(rng: np.random.Generator) -> Iterator[list[str]]:
    """Yield sentences without end, each a list of words."""
    lists = word_lists()
    while True:
        words = list[str]()
        for part in str(rng.choice(TEMPLATES)).split():
            if part == "nouns" and rng.random() < P_RARE:
                words.append(str(rng.choice(_rare_words())))
            else:
                words.append(str(rng.choice(lists[part])) if part in lists else part)
        yield words


def random_syllables(rng: np.random.Generator) -> Iterator[list[tuple[str, list[Phone]]]]:
    """Yield sentences without end, each a list of syllables.

    A syllable is its lyric, which is the word at its first syllable and a hyphen at the others, and
    its phonemes. Sentences with a word that has no vowel are left out.
    """
    for words in random_words(rng):
        found = list[tuple[str, list[Phone]]]()
        for word, phones in zip(words, read_words(words), strict=True):
            if not any(p.name in ENGLISH_VOWELS for p in phones):
                break
            for k, syllable in enumerate(split_syllables(phones)):
                found.append(("-" if k else word, syllable))
        else:
            yield found
