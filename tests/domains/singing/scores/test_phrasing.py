"""Scores to phrases: rests, breaths, and beats that stay where they are."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.phonemizer import Phonemizer
from oneleap.domains.singing.scores.phrasing import score_to_segments
from oneleap.domains.singing.scores.score import Note, Score, uniform_bars
from oneleap.domains.singing.segments.timing import word_durations


def song(*notes: Note, tempo: float = 60.0) -> Score:
    beats = sum((n.beats for n in notes), Fraction(0))
    return Score(notes, uniform_bars(beats), ((Fraction(0), tempo),))


def sung(lyric: str, beats: int = 1, midi: float = 60.0, breath: bool = False) -> Note:
    return Note(Fraction(beats), midi, lyric, slur=not lyric, breath=breath)


REST = Note(Fraction(1), None)


def test_a_score_to_a_phrase() -> None:
    (found,) = score_to_segments(
        song(
            REST, sung("さ"), sung("くん", 2), sung("", 1, 64.0), replace(REST, beats=Fraction(2))
        ),
        Phonemizer(),
    )
    assert found.ph_seq == ("SP", "s", "a", "k", "u", "N", "SP")
    assert found.ph_num == (2, 2, 2, 1)
    assert found.note_midi == (None, 60.0, 60.0, 64.0, None)
    assert found.note_slur == (False, False, False, True, False)
    assert found.note_dur == (0.25, 1.0, 2.0, 1.0, 0.25)
    assert found.offset == 0.75
    assert found.text == "さ くん"
    assert found.note_location(3) == "bar 2, note 1"
    assert word_durations(found).tolist() == [0.25, 1.0, 3.0, 0.25]


def test_a_score_that_starts_with_a_note_gets_a_silence_before_it() -> None:
    (found,) = score_to_segments(song(sung("さ"), sung("ら")), Phonemizer())
    assert found.offset == -0.25  # the first beat is at 0
    assert found.note_dur == (0.25, 1.0, 1.0, 0.25)


def test_long_rests_separate_phrases() -> None:
    score = song(sung("さ"), replace(REST, beats=Fraction(3)), sung("く"), REST, sung("ら"))
    one, two = score_to_segments(score, Phonemizer(), min_rest_s=2.0)
    assert one.ph_seq == ("SP", "s", "a", "SP")
    assert two.ph_seq == ("SP", "k", "u", "SP", "r", "a", "SP")
    assert two.offset == 3.75  # its beat is at 4 s
    assert two.note_dur == (0.25, 1.0, 1.0, 1.0, 0.25)
    assert len(score_to_segments(score, Phonemizer(), min_rest_s=1.0)) == 3
    assert len(score_to_segments(score, Phonemizer(), min_rest_s=9.0)) == 1


def test_breaths() -> None:
    score = song(sung("さ", 2, breath=True), sung("く", breath=True), REST, sung("ら"))
    (found,) = score_to_segments(score, Phonemizer(), min_rest_s=2.0)
    assert found.ph_seq == ("SP", "s", "a", "AP", "k", "u", "SP", "AP", "r", "a", "SP")
    assert found.ph_num == (2, 1, 2, 1, 1, 2, 1, 1)
    assert found.note_dur == pytest.approx((0.25, 1.7, 0.3, 1.0, 0.7, 0.3, 1.0, 0.25))
    parts = score_to_segments(score, Phonemizer(), min_rest_s=2.0, max_phrase_s=1.0)
    assert [p.ph_seq for p in parts] == [
        ("SP", "s", "a", "AP", "SP"),
        ("SP", "k", "u", "SP", "AP", "SP"),
        ("SP", "r", "a", "SP"),
    ]
    # A phrase after a breath starts within the breath, and its beat stays where it was.
    assert parts[1].offset + parts[1].note_dur[0] == pytest.approx(2.0)


def test_lyrics_without_phonemes_are_named() -> None:
    with pytest.raises(InputError, match="bar 2, note 1: 'x' in the lyric 'x' is no"):
        score_to_segments(song(sung("さ", 4), sung("x")), Phonemizer())
    with pytest.raises(InputError, match="nothing to sing"):
        score_to_segments(song(REST), Phonemizer())


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
    found = score_to_segments(score, Phonemizer())
    starts = [
        (score.time_at(sum((m.beats for m in notes[:k]), Fraction(0))), n.midi)
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
