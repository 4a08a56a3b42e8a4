"""Scores: what they refuse, time by tempos, and other lyrics."""

from dataclasses import replace
from fractions import Fraction

import pytest

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.score import Note, Score, uniform_bars


def test_scores_are_checked() -> None:
    bars = uniform_bars(Fraction(4))
    for notes, message in (
        ((Note(Fraction(4), 60.0),), "bar 1, note 1: it has no lyric"),
        ((Note(Fraction(4), None, "あ"),), "a rest has the lyric"),
        (
            (Note(Fraction(2), 60.0, "あ"), Note(Fraction(2), 200.0, "い")),
            "bar 1, note 2: its pitch",
        ),
        ((Note(Fraction(4), 60.0, "あ"), Note(Fraction(0), 60.0, "い")), "length is 0"),
        ((Note(Fraction(3), 60.0, "あ"),), "bars are not as long"),
    ):
        with pytest.raises(InputError, match=message):
            Score(notes, bars)
    with pytest.raises(InputError, match="no tempo"):
        Score((Note(Fraction(4), 60.0, "あ"),), bars, ((Fraction(1), 100.0),))


def test_times_of_beats() -> None:
    notes = (Note(Fraction(8), 60.0, "あ"),)
    score = Score(notes, uniform_bars(Fraction(8)), ((Fraction(0), 60.0), (Fraction(2), 120.0)))
    assert [score.time_at(Fraction(b)) for b in (0, 1, 2, 4, 8)] == [0.0, 1.0, 2.0, 3.0, 5.0]


def test_a_fermata_holds_its_note_and_nothing_else() -> None:
    beats = [Fraction(1), Fraction(2), Fraction(1)]
    notes = [Note(b, 60.0, "ら", fermata=i == 1) for i, b in enumerate(beats)]
    tempos = ((Fraction(0), 60.0), (Fraction(2), 120.0))  # the tempo changes within the fermata
    score = Score(tuple(notes), uniform_bars(Fraction(4)), tempos)
    assert [score.time_at(Fraction(b)) for b in (0, 1, 2, 3, 4)] == [0.0, 1.0, 2.5, 3.25, 3.75]
    plain = replace(score, notes=tuple(replace(n, fermata=False) for n in notes))
    assert plain.sung_tempos == tempos
    assert plain.time_at(Fraction(4)) == 3.0
