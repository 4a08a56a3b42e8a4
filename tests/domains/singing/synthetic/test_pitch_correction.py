"""Pitch is moved to the notes, and large deviations are limited."""

import numpy as np
import pytest

from oneleap.domains.singing.segments.hts import Label
from oneleap.domains.singing.synthetic.pitch_correction import MAX_DEVIATION, correct_pitch

VOWELS = frozenset("aiueo")


def line(start: int, end: int, phoneme: str, note: str) -> Label:
    return Label(start * 50_000, end * 50_000, f"x@a^a-{phoneme}+a=a_x/E:{note}]x/F:x")


def test_pitch_is_moved_onto_the_notes() -> None:
    takes = (line(0, 40, "pau", "xx"), line(40, 60, "s", "A4"), line(60, 200, "a", "A4"))
    takes += (line(200, 360, "a", "C5"), line(360, 400, "pau", "xx"))
    hertz = np.zeros(400)
    hertz[60:200] = 440 * 2 ** (-1 / 12)  # a semitone flat
    hertz[200:360] = 440 * 2 ** (1.5 / 12)  # half of the step too low
    found = correct_pitch(hertz, takes, 0.005, VOWELS)
    assert (found[:60] == 0).all()
    np.testing.assert_allclose(found[80:180], 440, rtol=1e-6)
    np.testing.assert_allclose(found[220:340], 440 * 2 ** (3 / 12), rtol=1e-6)
    between = found[190:210]
    assert (np.diff(between) > 0).any()
    assert between.max() < 560
    silent = np.zeros(400)
    assert (correct_pitch(silent, takes, 0.005, VOWELS) == 0).all()


def test_large_deviations_within_a_note_are_limited() -> None:
    takes = (line(0, 200, "a", "A4"), line(200, 240, "pau", "xx"))
    hertz = np.where(np.arange(240) < 60, 440 * 2 ** (-1.8 / 12), 440.0)
    hertz[120:200] *= 2 ** (0.1 * np.sin(np.arange(80) / 4) / 12)  # a vibrato stays
    hertz[200:] = 0
    found = 12 * np.log2(correct_pitch(hertz, takes, 0.005, VOWELS)[:200] / 440)
    assert np.abs(found[:50]).max() == pytest.approx(MAX_DEVIATION, abs=0.02)
    assert np.ptp(found[120:190]) > 0.18
