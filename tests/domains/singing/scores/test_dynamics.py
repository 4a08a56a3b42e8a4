"""Dynamics of scores: marks, hairpins and accents as curves in dB."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.scores.notations import bar, line, n, partwise, sign, words

from oneleap.domains.singing.lyrics.phonemizer import Phonemizer
from oneleap.domains.singing.scores.dynamics import ACCENT_DB, DynamicSign, dynamics_curve
from oneleap.domains.singing.scores.musicxml import read_musicxml
from oneleap.domains.singing.scores.phrasing import score_to_segments
from oneleap.domains.singing.scores.score import Note, Score, uniform_bars

F = Fraction


def mark(beat: int, level: float) -> DynamicSign:
    return DynamicSign(F(beat), level)


def hairpin(beat: int, direction: int) -> DynamicSign:
    return DynamicSign(F(beat), None, direction)


@pytest.mark.parametrize(
    ("signs", "points"),
    [
        ([], []),
        ([mark(0, 4.0)], [(0, 4.0)]),
        ([mark(0, 0.0)], [(0, 0.0)]),
        ([mark(2, -8.0)], [(2, 0.0), (2, -8.0)]),
        ([mark(0, 4.0), mark(3, 4.0)], [(0, 4.0)]),
        ([mark(0, -8.0), hairpin(1, 1), mark(3, 4.0)], [(0, -8), (1, -8), (3, 4)]),
        ([mark(0, -8.0), hairpin(1, 1), hairpin(3, 0), mark(3, 4.0)], [(0, -8), (1, -8), (3, 4)]),
        ([mark(0, -8.0), hairpin(1, 1), hairpin(3, 0)], [(0, -8), (1, -8), (3, -4)]),
        ([hairpin(1, -1), hairpin(3, 0), mark(9, 8.0)], [(1, 0), (3, -4), (9, -4), (9, 8)]),
        (
            [hairpin(0, 1), hairpin(2, 0), hairpin(2, -1), hairpin(4, 0)],
            [(0, 0), (2, 4), (2, 4), (4, 0)],
        ),
        ([hairpin(0, 1)], []),
        ([hairpin(0, 0)], []),
    ],
)
def test_curves(signs: list[DynamicSign], points: list[tuple[int, float]]) -> None:
    assert list(dynamics_curve(signs)) == points


def read(folder: Path, text: str) -> Score:
    (folder / "a.xml").write_text(text, encoding="utf-8")
    return read_musicxml(folder / "a.xml")


def dynamic(name: str) -> str:
    return sign(f"<dynamics><{name}/></dynamics>")


RA = n("A4", 4, "ら")


@pytest.mark.parametrize(
    ("text", "points"),
    [
        (bar(1, dynamic("p"), RA), [(0, -8)]),
        (bar(1, dynamic("pp"), RA), [(0, -12)]),
        (bar(1, dynamic("mf"), RA), [(0, 0)]),
        (bar(1, dynamic("ff"), RA), [(0, 8)]),
        (bar(1, dynamic("fp"), RA), [(0, -8)]),
        (bar(1, dynamic("sfz"), RA), []),
        (bar(1, RA) + bar(2, dynamic("f"), RA), [(4, 0), (4, 4)]),
        (
            bar(1, dynamic("p"), sign('<wedge type="crescendo"/>'), RA)
            + bar(2, sign('<wedge type="stop"/>'), dynamic("f"), RA),
            [(0, -8), (0, -8), (4, 4)],
        ),
        (
            bar(1, dynamic("f"), words("dim."), RA) + bar(2, dynamic("p"), RA),
            [(0, 4), (0, 4), (4, -8)],
        ),
        (bar(1, words("", 'dynamics="106.67"'), RA), [(0, pytest.approx(4.0, abs=0.01))]),
        (bar(1, words("poco rit."), RA), []),
        (  # after a repeat, the loudness is the one that is written there
            bar(1, RA) + bar(2, dynamic("p"), RA, end=line(repeat="backward")),
            [(4, 0), (4, -8)],
        ),
        (
            bar(1, dynamic("f"), RA)
            + bar(2, line(repeat="forward"), RA)
            + bar(3, dynamic("p"), RA, end=line(repeat="backward")),
            [(0, 4), (8, 4), (8, -8), (12, -8), (12, 4), (16, 4), (16, -8)],
        ),
    ],
)
def test_marks_of_musicxml(tmp_path: Path, text: str, points: list[tuple[int, float]]) -> None:
    assert list(read(tmp_path, partwise(text)).dynamics) == points


def test_the_curve_of_a_phrase() -> None:
    notes = (Note(F(2), 60.0, "あ"), Note(F(2), 60.0, "い", accent=True))
    points = ((F(0), -8.0), (F(2), -8.0), (F(3), 4.0))
    score = Score(notes, uniform_bars(F(4)), ((F(0), 60.0),), dynamics=points)
    (phrase,) = score_to_segments(score, Phonemizer())
    curve = phrase.dynamics
    assert curve is not None
    times = np.array([0.0, 1.0, 2.0, 2.5, 3.0, 4.0]) - phrase.offset
    expected = [-8.0, -8.0, -8.0 + ACCENT_DB, -2.0 + ACCENT_DB / 2, 4.0, 4.0]
    assert curve.at(times) == pytest.approx(expected, abs=0.25)
    assert curve.step_s * len(curve.values) == pytest.approx(phrase.seconds)
    plain = Score(notes[:1], uniform_bars(F(2)))
    assert score_to_segments(plain, Phonemizer())[0].dynamics is None
