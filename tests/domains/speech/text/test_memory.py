"""A program that reads ever new text does not grow."""

import random
import string
from collections.abc import Iterator

import pytest

from oneleap.domains.audio.english import words
from oneleap.domains.speech.text import phonemes


def new_words(n: int) -> Iterator[str]:
    g = random.Random(0)
    for _ in range(n):
        yield "".join(g.choice(string.ascii_lowercase) for _ in range(9))


def test_the_readings_of_words_are_bounded() -> None:
    reader = words.Words("en-us")
    words._readings.cache_clear()
    for word in new_words(words.MAX_WORDS + 300):
        reader.readings(word)
    info = words._readings.cache_info()
    assert info.maxsize is not None
    assert info.currsize == info.maxsize <= 5000


def test_a_word_without_end_is_not_kept() -> None:
    reader = words.Words("en-us")
    words._readings.cache_clear()
    assert reader.readings("z" * 5000) == reader.readings("z" * 5000)
    assert words._readings.cache_info().currsize == 0


def test_the_phonemes_of_phrases_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Letters:
        """Says each letter; espeak-ng would take a while for so many phrases."""

        def phonemize(self, texts: list[str], strip: bool) -> list[str]:
            return texts

    monkeypatch.setattr(phonemes, "_backend", lambda language: Letters())
    phonemes._phrase.cache_clear()
    for word in new_words(phonemes.MAX_PHRASES + 300):
        phonemes.phonemize(word, "de")
    size = phonemes._phrase.cache_info().currsize
    phonemes._phrase.cache_clear()
    assert size == phonemes.MAX_PHRASES <= 2000
