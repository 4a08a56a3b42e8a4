"""Lyrics to phonemes, and scores to phrases."""

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.mora import kana_table, morae, romaji_table
from oneleap.domains.singing.lyrics.phonemes import (
    CARRIERS,
    JAPANESE,
    Phonemes,
    read_dictionary,
    write_dictionary,
)
from oneleap.domains.singing.scores.phrasing import segments
from oneleap.domains.singing.scores.score import Note, Score, even_bars
from oneleap.domains.singing.segments.timing import word_seconds


@pytest.mark.parametrize(
    ("lyric", "said"),
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
def test_morae(lyric: str, said: str | None) -> None:
    if said is None:
        with pytest.raises(InputError, match="lyric"):
            morae(lyric)
        return
    assert " ".join(sound for mora in morae(lyric) for sound in mora) == said


def test_tables() -> None:
    kana, romaji = kana_table(), romaji_table()
    assert len(kana) > 150
    assert {sound for mora in (*kana.values(), *romaji.values()) for sound in mora} <= set(JAPANESE)
    assert kana["し"] == romaji["shi"] == romaji["si"] == ("sh", "i")
    assert len(JAPANESE) == len(set(JAPANESE)) == 39


@given(st.lists(st.sampled_from(sorted(romaji_table())), min_size=1, max_size=5))
def test_romaji_is_read_mora_by_mora(spellings: list[str]) -> None:
    expected = tuple(romaji_table()[s] for s in spellings)
    assert morae(" ".join(spellings)) == expected


@given(st.text(max_size=8))
def test_any_text_is_said_or_refused(text: str) -> None:
    with suppress(InputError):
        found = [sound for mora in morae(text) for sound in mora]
        assert found
        assert set(found) <= set(JAPANESE)


def test_reserved_lyrics_and_chinese_characters() -> None:
    assert Phonemes().of("br") == ("AP",)
    assert Phonemes().of("SP") == ("SP",)
    pytest.importorskip("pyopenjtalk")
    assert Phonemes().of("桜") == ("s", "a", "k", "u", "r", "a")


@pytest.mark.parametrize(
    ("said", "place"), [("k a N", 1), ("N", 0), ("cl", 0), ("k w a", 2), ("s", 0), ("h a cl", 1)]
)
def test_what_falls_on_the_beat(said: str, place: int) -> None:
    assert Phonemes().nucleus(said.split()) == place


def test_dictionaries(tmp_path: Path) -> None:
    path = tmp_path / "zh.txt"
    path.write_text("zhang\tzh ang\na\ta\n\nxian\tx i an\n", encoding="utf-8")
    found = read_dictionary(path)
    assert found.of("zhang a") == ("zh", "ang", "a")
    assert found.carriers == {"ang", "a", "SP", "AP"}
    assert found.symbols == ("SP", "AP", "a", "an", "ang", "i", "x", "zh")
    assert read_dictionary(path, "zh/").of("xian") == ("zh/x", "zh/i", "zh/an")
    (tmp_path / "zh.vowels.txt").write_text("i\nan\nang\na\n")
    assert read_dictionary(path).nucleus(("x", "i", "an")) == 1
    with pytest.raises(InputError, match="'zhag' is not in the dictionary; did you mean 'zhang'"):
        found.of("zhag")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a a\n", "line 1: a syllable, a tab and phonemes"),
        ("a\t\n", "line 1: a syllable, a tab"),
        ("a\ta\na\tb\n", "line 2: 'a' is there already"),
        ("SP\ta\n", "SP is reserved"),
        ("\n", "holds no syllables"),
    ],
)
def test_bad_dictionaries(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError, match=said):
        read_dictionary(tmp_path / "a.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_dictionary(tmp_path / "b.txt")


def test_the_japanese_dictionary(tmp_path: Path) -> None:
    write_dictionary(tmp_path / "ja.txt")
    found = read_dictionary(tmp_path / "ja.txt")
    assert found.of("きゃ") == found.of("kya") == ("ky", "a")
    assert found.carriers == CARRIERS


def song(*notes: Note, tempo: float = 60.0) -> Score:
    beats = sum((n.beats for n in notes), Fraction(0))
    return Score(notes, even_bars(beats), ((Fraction(0), tempo),))


def sung(lyric: str, beats: int = 1, midi: float = 60.0, breath: bool = False) -> Note:
    return Note(Fraction(beats), midi, lyric, slur=not lyric, breath=breath)


REST = Note(Fraction(1), None)


def test_a_score_to_a_phrase() -> None:
    (found,) = segments(
        song(
            REST, sung("さ"), sung("くん", 2), sung("", 1, 64.0), replace(REST, beats=Fraction(2))
        ),
        Phonemes(),
    )
    assert found.ph_seq == ("SP", "s", "a", "k", "u", "N", "SP")
    assert found.ph_num == (2, 2, 2, 1)
    assert found.note_midi == (None, 60.0, 60.0, 64.0, None)
    assert found.note_slur == (False, False, False, True, False)
    assert found.note_dur == (0.25, 1.0, 2.0, 1.0, 0.25)
    assert found.offset == 0.75
    assert found.text == "さ くん"
    assert found.place(3) == "bar 2, note 1"
    assert word_seconds(found).tolist() == [0.25, 1.0, 3.0, 0.25]


def test_a_score_that_begins_at_once_has_a_silence_before() -> None:
    (found,) = segments(song(sung("さ"), sung("ら")), Phonemes())
    assert found.offset == 0.0  # and the first beat comes a quarter of a second later
    assert found.note_dur == (0.25, 1.0, 1.0, 0.25)


def test_long_rests_part_phrases() -> None:
    score = song(sung("さ"), replace(REST, beats=Fraction(3)), sung("く"), REST, sung("ら"))
    one, two = segments(score, Phonemes(), split_s=2.0)
    assert one.ph_seq == ("SP", "s", "a", "SP")
    assert two.ph_seq == ("SP", "k", "u", "SP", "r", "a", "SP")
    # With the quarter of a second before the song, the beat of the second phrase is at 4.25.
    assert two.offset == 4.0
    assert two.note_dur == (0.25, 1.0, 1.0, 1.0, 0.25)
    assert len(segments(score, Phonemes(), split_s=1.0)) == 3
    assert len(segments(score, Phonemes(), split_s=9.0)) == 1


def test_breaths() -> None:
    score = song(sung("さ", 2, breath=True), sung("く", breath=True), REST, sung("ら"))
    (found,) = segments(score, Phonemes(), split_s=2.0)
    assert found.ph_seq == ("SP", "s", "a", "AP", "k", "u", "SP", "AP", "r", "a", "SP")
    assert found.ph_num == (2, 1, 2, 1, 1, 2, 1, 1)
    assert found.note_dur == pytest.approx((0.25, 1.7, 0.3, 1.0, 0.7, 0.3, 1.0, 0.25))
    parts = segments(score, Phonemes(), split_s=2.0, longest_s=1.0)
    assert [p.ph_seq for p in parts] == [
        ("SP", "s", "a", "AP", "SP"),
        ("SP", "k", "u", "SP", "AP", "SP"),
        ("SP", "r", "a", "SP"),
    ]
    # A phrase after a breath begins in the breath: the beat is where it was.
    assert parts[1].offset + parts[1].note_dur[0] == pytest.approx(2.25)


def test_what_cannot_be_said_is_named() -> None:
    with pytest.raises(InputError, match="bar 2, note 1: 'x' in the lyric 'x' is no"):
        segments(song(sung("さ", 4), sung("x")), Phonemes())
    with pytest.raises(InputError, match="nothing is sung"):
        segments(song(REST), Phonemes())


@given(
    st.lists(
        st.tuples(st.sampled_from(("さ", "ん", "かっ", "", "_")), st.integers(1, 8), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_beats_stay_where_they_are(rows: list[tuple[str, int, bool]]) -> None:
    notes: list[Note] = []
    for lyric, eighths, breath in rows:
        beats = Fraction(eighths, 2)
        if lyric == "_" or (not lyric and (not notes or notes[-1].midi is None)):
            notes.append(Note(beats, None))
        else:
            notes.append(Note(beats, 60.0 + eighths, lyric, not lyric, breath))
    if all(n.midi is None for n in notes):
        notes.append(sung("あ"))
    score = song(*notes, tempo=90.0)
    found = segments(score, Phonemes())
    early = 0.25 if notes[0].midi is not None else 0.0
    starts = [
        (score.seconds(sum((m.beats for m in notes[:k]), Fraction(0))) + early, n.midi)
        for k, n in enumerate(notes)
        if n.midi is not None
    ]
    heard = []
    for segment in found:
        at = segment.offset
        for midi, seconds in zip(segment.note_midi, segment.note_dur, strict=True):
            if midi is not None:
                heard.append((at, midi))
            at += seconds
    assert [m for _, m in heard] == [m for _, m in starts]
    assert [t for t, _ in heard] == pytest.approx([t for t, _ in starts])
