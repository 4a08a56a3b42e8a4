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
from oneleap.domains.singing.segments.phonemes import without_marks


def sung(*lyrics: str) -> list[str]:
    return [" ".join(p.name for p in notes) for notes in read_lyrics(lyrics)]


@pytest.mark.parametrize(
    ("lyrics", "phonemes"),
    [
        (("Twin-", "kle"), ["t_b w_b ih1 ng", "k ax0 l_e"]),
        (("A-", "ma-", "zing"), ["ax0", "m ey1", "z ih0 ng_e"]),
        (("won", "-der"), ["w_b ah1 n", "d er0"]),  # a hyphen at either side joins
        (("the", "star"), ["dh_b ax0", "s_b t_b aa1 r_e"]),
        (("the", "apple"), ["dh_b iy0", "ae1 p ax0 l_e"]),  # the article depends on what follows
        (("ex-", "tra"), ["eh1 k", "s t r ax0"]),  # as many consonants as English allows
        (("heaven",), ["hh_b eh1 v ax0 n_e"]),  # one note for two syllables
        (("won-", "derful"), ["w_b ah1 n", "d er0 f ax0 l_e"]),
        (("in the", "sky!"), ["ih0 n_e dh_b ax0", "s_b k_b ay1"]),  # two words on a note
        (("“Don’t", "go”"), ["d_b ow1 n_e t_e", "g_b ow2"]),
        (("I", "am"), ["ay2", "ae0 m_e"]),
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
    assert [p.name for p in phones] == ["s_b", "t_b", "r_b", "eh1", "ng_e", "th_e"]
    assert "".join(p.written for p in phones) == " stɹˈɛŋθ"
    assert [p.name for p in to_arpabet("bˈɜɹdəɹ")] == ["b_b", "er1", "d", "er0"]
    assert {without_marks(p) for p in ENGLISH_PHONEMES} < set(ENGLISH_PHONEMES)
    assert [p.name for p in to_arpabet("ˌʌndəɹstˈænd")][::3] == ["ah2", "er0", "ae1"]


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
    assert english.read(["AP", "sing-", "ing"]) == [("AP",), ("s_b", "ih1", "ng"), ("ih0", "ng_e")]
    assert english.nucleus_index(("s_b", "t_b", "aa1", "r_e")) == 2
    assert english.nucleus_index(("s", "t", "aa", "r")) == 2
    assert {"SP", "AP", "aa", "zh"} <= set(english.symbols)
    assert Phonemizer.of_language("ja").read(["さ", "く-"]) == [("s", "a"), ("k", "u")]
    with pytest.raises(InputError, match=r"no rules for lyrics in 'xx', .* --dictionary"):
        Phonemizer.of_language("xx")
