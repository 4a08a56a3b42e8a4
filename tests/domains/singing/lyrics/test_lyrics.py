"""Lyrics to phonemes: morae, dictionaries, and what is refused."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.mora import kana_table, morae, romaji_table
from oneleap.domains.singing.lyrics.phonemizer import (
    JAPANESE_PHONEMES,
    SYLLABIC,
    Phonemizer,
    read_dictionary,
    write_dictionary,
)


@pytest.mark.parametrize(
    ("lyric", "phonemes"),
    [
        ("さ", "s a"),
        ("キャ", "ky a"),
        ("ｻ", "s a"),
        ("\uff53\uff41", "s a"),
        ("か゛", None),
        ("カー", "k a"),
        ("かん", "k a N"),
        ("はっ", "h a cl"),
        ("くぁ", "k w a"),
        ("ヴァ", "v a"),
        ("ぢ", "j i"),
        ("を", "o"),
        ("ぁ", "a"),
        ("さくら", "s a k u r a"),
        ("sakura", "s a k u r a"),
        ("SHI", "sh i"),
        ("si", "sh i"),
        ("tsu", "ts u"),
        ("hu", "f u"),
        ("la", "r a"),
        ("tōkyô", "t o ky o"),
        ("kekkon", "k e cl k o N"),
        ("matcha", "m a cl ch a"),
        ("shinnyo", "sh i N ny o"),
        ("honya", "h o ny a"),
        ("hon'ya", "h o N y a"),
        ("kan'i", "k a N i"),
        ("sampo", "s a N p o"),
        ("n", "N"),
        ("cl", "cl"),
        ("っ", "cl"),
        ("か あ", "k a a"),
        ("ra-", "r a"),
        ("漢", None),
        ("q", None),
        ("kz", None),
        ("ー", None),
        ("", None),
        ("!", None),
    ],
)
def test_morae(lyric: str, phonemes: str | None) -> None:
    if phonemes is None:
        with pytest.raises(InputError, match="lyric"):
            morae(lyric)
        return
    assert " ".join(sound for mora in morae(lyric) for sound in mora) == phonemes


def test_tables() -> None:
    kana, romaji = kana_table(), romaji_table()
    assert len(kana) > 150
    assert {sound for mora in (*kana.values(), *romaji.values()) for sound in mora} <= set(
        JAPANESE_PHONEMES
    )
    assert kana["し"] == romaji["shi"] == romaji["si"] == ("sh", "i")
    assert len(JAPANESE_PHONEMES) == len(set(JAPANESE_PHONEMES)) == 39


@given(st.lists(st.sampled_from(sorted(romaji_table())), min_size=1, max_size=5))
def test_romaji_is_read_mora_by_mora(spellings: list[str]) -> None:
    expected = tuple(romaji_table()[s] for s in spellings)
    assert morae(" ".join(spellings)) == expected


@given(st.text(max_size=8))
def test_any_text_has_phonemes_or_is_refused(text: str) -> None:
    with suppress(InputError):
        found = [sound for mora in morae(text) for sound in mora]
        assert found
        assert set(found) <= set(JAPANESE_PHONEMES)


def test_reserved_lyrics_and_chinese_characters() -> None:
    assert Phonemizer().phonemes("br") == ("AP",)
    assert Phonemizer().phonemes("SP") == ("SP",)
    pytest.importorskip("pyopenjtalk")
    assert Phonemizer().phonemes("桜") == ("s", "a", "k", "u", "r", "a")


@pytest.mark.parametrize(
    ("phonemes", "index"),
    [("k a N", 1), ("N", 0), ("cl", 0), ("k w a", 2), ("s", 0), ("h a cl", 1)],
)
def test_the_nucleus_is_on_the_beat(phonemes: str, index: int) -> None:
    assert Phonemizer().nucleus_index(phonemes.split()) == index


def test_dictionaries(tmp_path: Path) -> None:
    path = tmp_path / "zh.txt"
    path.write_text("zhang\tzh ang\na\ta\n\nxian\tx i an\n", encoding="utf-8")
    found = read_dictionary(path)
    assert found.phonemes("zhang a") == ("zh", "ang", "a")
    assert found.syllabic == {"ang", "a", "SP", "AP"}
    assert found.symbols == ("SP", "AP", "a", "an", "ang", "i", "x", "zh")
    assert read_dictionary(path, "zh/").phonemes("xian") == ("zh/x", "zh/i", "zh/an")
    (tmp_path / "zh.vowels.txt").write_text("i\nan\nang\na\n")
    assert read_dictionary(path).nucleus_index(("x", "i", "an")) == 1
    with pytest.raises(InputError, match="'zhag' is not in the dictionary; did you mean 'zhang'"):
        found.phonemes("zhag")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a a\n", "line 1: must be a syllable, a tab and phonemes"),
        ("a\t\n", "line 1: must be a syllable, a tab"),
        ("a\ta\na\tb\n", "line 2: 'a' has other phonemes"),
        ("SP\ta\n", "SP is reserved"),
        ("\n", "contains no syllables"),
    ],
)
def test_bad_dictionaries(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_dictionary(tmp_path / "a.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_dictionary(tmp_path / "b.txt")


def test_the_japanese_dictionary(tmp_path: Path) -> None:
    write_dictionary(tmp_path / "ja.txt")
    found = read_dictionary(tmp_path / "ja.txt")
    assert found.phonemes("きゃ") == found.phonemes("kya") == ("ky", "a")
    assert found.syllabic == SYLLABIC
