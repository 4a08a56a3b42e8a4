"""English lyrics: syllables on notes, joined words, elisions, and what is refused."""

import pytest

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.english import (
    ENGLISH_PHONEMES,
    ENGLISH_VOWELS,
    LyricError,
    fit_to_notes,
    read_lyrics,
    read_words,
    split_syllables,
    to_arpabet,
)
from oneleap.domains.singing.lyrics.phonemizer import Phonemizer


def sung(*lyrics: str) -> list[str]:
    return [" ".join(p.name for p in notes) for notes in read_lyrics(lyrics)]


@pytest.mark.parametrize(
    ("lyrics", "phonemes"),
    [
        (("Twin-", "kle"), ["t w ih ng", "k ax l"]),
        (("A-", "ma-", "zing"), ["ax", "m ey", "z ih ng"]),
        (("won", "-der"), ["w ah n", "d er"]),  # a hyphen at either side joins
        (("the", "star"), ["dh ax", "s t aa r"]),
        (("the", "apple"), ["dh iy", "ae p ax l"]),  # the article depends on what follows
        (("ex-", "tra"), ["eh k", "s t r ax"]),  # as many consonants as English allows
        (("heaven",), ["hh eh v ax n"]),  # one note for two syllables
        (("won-", "derful"), ["w ah n", "d er f ax l"]),
        (("in the", "sky!"), ["ih n dh ax", "s k ay"]),  # two words on a note, punctuation
        (("“Don’t", "go”"), ["d ow n t", "g ow"]),
        (("I", "am"), ["ay", "ae m"]),
    ],
)
def test_syllables_of_notes(lyrics: tuple[str, ...], phonemes: list[str]) -> None:
    assert sung(*lyrics) == phonemes


def test_with_too_many_notes_the_last_vowel_goes_on() -> None:
    (phones,) = read_words(["sky"])
    assert fit_to_notes(split_syllables(phones), 3) == [phones, [], []]


def test_every_phoneme_is_known_and_vowels_are_phonemes() -> None:
    assert set(ENGLISH_PHONEMES) > ENGLISH_VOWELS
    phones = to_arpabet("stɹˈɛŋθ")
    assert [p.name for p in phones] == ["s", "t", "r", "eh", "ng", "th"]
    assert "".join(p.written for p in phones) == " stɹˈɛŋθ"
    assert [p.name for p in to_arpabet("bˈɜɹdəɹ")] == ["b", "er", "d", "er"]


def test_syllables_hold_all_phonemes() -> None:
    for word in ("strengthen", "apple", "umbrella", "extraordinary", "mississippi", "a"):
        (phones,) = read_words([word])
        parts = split_syllables(phones)
        assert [p for part in parts for p in part] == phones
        assert all(sum(p.name in ENGLISH_VOWELS for p in part) == 1 for part in parts)


@pytest.mark.parametrize("lyric", ["♪", "12", "...", "-"])
def test_a_lyric_without_letters_is_refused(lyric: str) -> None:
    with pytest.raises(LyricError, match="has no letters: write it in words") as caught:
        read_lyrics(["la", lyric])
    assert caught.value.index == 1


def test_a_phonemizer_of_a_language() -> None:
    english = Phonemizer.of_language("en")
    assert english.read(["AP", "sing-", "ing"]) == [("AP",), ("s", "ih", "ng"), ("ih", "ng")]
    assert english.nucleus_index(("s", "t", "aa", "r")) == 2
    assert {"SP", "AP", "aa", "zh"} <= set(english.symbols)
    assert Phonemizer.of_language("ja").read(["さ", "く-"]) == [("s", "a"), ("k", "u")]
    with pytest.raises(InputError, match=r"no rules for lyrics in 'xx', .* --dictionary"):
        Phonemizer.of_language("xx")
