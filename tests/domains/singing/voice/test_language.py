"""The language of lyrics chooses the singer; a performance is written as a ``.ds`` file."""

from fractions import Fraction
from pathlib import Path

import pytest
from support.tiny_singing import SCORE, TWO, tiny_singer

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.score import Note, Score, uniform_bars
from oneleap.domains.singing.segments.ds import read_ds, write_ds
from oneleap.domains.singing.segments.manner import Manner
from oneleap.domains.singing.segments.segment import ScoreSegment
from oneleap.domains.singing.voice import loading
from oneleap.domains.singing.voice.language import (
    language_of,
    lyrics_language,
    phonemes_language,
    singer_of,
)
from oneleap.domains.singing.voice.performance import perform


def score(*lyrics: str) -> Score:
    notes = tuple(Note(Fraction(1), 60.0, lyric) for lyric in lyrics)
    return Score(notes, uniform_bars(Fraction(len(notes))))


@pytest.mark.parametrize(
    ("lyrics", "language"),
    [
        (("さ", "く", "ら"), "ja"),
        (("sa", "ku", "ra"), "ja"),
        (("桜",), "ja"),
        (("Twin-", "kle"), "en"),
        (("the",), "en"),
        (("さ", "く", "x"), "ja"),  # one wrong lyric does not make it English
        (("naïve", "café"), "en"),
    ],
)
def test_the_language_of_lyrics(lyrics: tuple[str, ...], language: str) -> None:
    pytest.importorskip("pyopenjtalk")
    assert lyrics_language(score(*lyrics)) == language


def test_the_language_of_phonemes_and_of_singers(tmp_path: Path) -> None:
    assert phonemes_language((SCORE,)) == "ja"
    tiny_singer().save(tmp_path / "mine", bits=32)
    assert language_of(tmp_path / "mine") == "ja"
    with pytest.raises(InputError, match="no 'nobody'"):
        language_of("nobody")


def test_a_singer_of_each_language_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    assert language_of(singer_of("ja")) == "ja"
    assert language_of(singer_of("en")) == "en"
    monkeypatch.setattr(loading, "shipped_singers", dict)
    with pytest.raises(InputError, match="no singer ships with this installation"):
        singer_of("en")


def test_a_performance_sings_the_same_again(tmp_path: Path) -> None:
    singer, manner = tiny_singer(), Manner(vibrato=0.5)
    phrases = singer.prepare(TWO, 0.0, 1.0)
    write_ds(tmp_path / "song.ds", perform(singer, phrases, 3, manner))
    again = read_ds(tmp_path / "song.ds")
    assert [s.extra["vibrato"] for s in again] == [0.5, 0.5]
    assert all(s.ph_dur and s.f0 is not None for s in again)
    for i, (one, two) in enumerate(zip(phrases, again, strict=True)):
        timed = singer.durations.add_durations(one)
        assert two.ph_dur == pytest.approx(timed.ph_dur, abs=1e-4)
        first = singer.predict_f0(singer.predict_durations(timed), timed, 3 + i, manner)
        segment = ScoreSegment.from_segment(two)
        second = singer.predict_f0(singer.predict_durations(segment), segment, 0)
        cents = 1200 * (second / first).log2().abs()
        assert cents.max() < 30
        assert cents.median() < 10
