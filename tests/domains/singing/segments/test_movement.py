"""Glides, vibrato and scoops in closed form, and their numbers in ``.ds`` files."""

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.manner import Manner
from oneleap.domains.singing.segments.movement import (
    glide,
    glide_difference,
    manner_of,
    manner_offsets,
    scoops,
    sung_pitch,
    vibrato,
)
from oneleap.domains.singing.segments.segment import ScoreSegment

TIMES = np.arange(0, 3, 0.01)
STARTS = np.array([0.0, 1.0, 2.0])

PHRASE = ScoreSegment(
    ph_seq=("SP", "a", "a", "SP"),
    ph_num=(1, 1, 1, 1),
    note_midi=(None, 60.0, 64.0, None),
    note_dur=(0.5, 1.0, 1.0, 0.5),
    note_slur=(False,) * 4,
)


def test_a_glide_is_centered_on_the_later_note() -> None:
    found = glide([60.0, 64.0, 62.0], STARTS, TIMES, 0.2)
    assert found[0] == 60
    assert found[-1] == 62
    at = np.searchsorted(TIMES, 1.0 - 1e-9)
    assert found[at] == pytest.approx(62)  # half way at the start of the second note
    assert found[at - 11] == 60
    assert found[at + 11] == 64
    steps = glide([60.0, 64.0], STARTS, TIMES, 0.0)
    np.testing.assert_array_equal(steps, np.where(TIMES < 1.0, 60, 64))


def test_vibrato_has_its_depth_and_rate_and_waits() -> None:
    manner = Manner(vibrato=0.5, vibrato_hz=5.0, vibrato_delay_s=0.2)
    fine = np.arange(0, 2, 0.001)
    found = vibrato(np.array([0.0, 2.0]), fine, manner)
    np.testing.assert_array_equal(found[fine < 0.2], 0)
    late = found[fine >= 0.5]
    assert late.max() == pytest.approx(0.5, abs=1e-3)
    assert late.min() == pytest.approx(-0.5, abs=1e-3)
    crossings = np.flatnonzero((late[:-1] < 0) & (late[1:] >= 0))
    assert np.diff(crossings).mean() == pytest.approx(200, abs=1)  # milliseconds
    np.testing.assert_array_equal(vibrato(np.array([0.5, 1.0]), fine[fine > 1.0], manner), 0)


def test_a_scoop_rises_from_its_depth_to_the_note() -> None:
    manner = Manner(scoop=2.0, scoop_s=0.1)
    found = scoops(np.array([1.0]), TIMES, manner)
    at = np.searchsorted(TIMES, 1.0 - 1e-9)
    assert found[at] == pytest.approx(-2)
    assert found[at + 5] == pytest.approx(-1)
    np.testing.assert_allclose(found[at + 10 :], 0, atol=1e-12)
    np.testing.assert_array_equal(found[: at - 11], 0)  # earlier notes are not touched
    np.testing.assert_array_equal(scoops(np.array([]), TIMES, manner), 0)


def test_rests_do_not_move_and_only_notes_after_rests_have_scoops() -> None:
    found = manner_offsets(PHRASE, Manner(vibrato=1.0, vibrato_delay_s=0.0), TIMES)
    assert np.abs(found[(TIMES > 0.5) & (TIMES < 2.5)]).max() > 0.5
    np.testing.assert_array_equal(found[(TIMES < 0.5) | (TIMES >= 2.5)], 0)
    scooped = manner_offsets(PHRASE, Manner(scoop=1.0), TIMES)
    assert scooped[np.searchsorted(TIMES, 0.5)] == pytest.approx(-1, abs=0.02)
    np.testing.assert_array_equal(scooped[(TIMES > 0.7) & (TIMES < 2.5)], 0)


def test_other_glides_change_only_where_notes_change() -> None:
    np.testing.assert_array_equal(glide_difference(PHRASE, Manner(), TIMES), 0)
    found = glide_difference(PHRASE, Manner(glide_s=0.3), TIMES)
    assert np.abs(found).max() > 0.5
    np.testing.assert_allclose(found[(TIMES < 1.3) | (TIMES > 1.7)], 0, atol=1e-12)


def test_a_file_may_set_the_manner() -> None:
    segment = ScoreSegment(
        ph_seq=PHRASE.ph_seq,
        ph_num=PHRASE.ph_num,
        note_midi=PHRASE.note_midi,
        note_dur=PHRASE.note_dur,
        note_slur=PHRASE.note_slur,
        extra={"vibrato": 0.5, "seed": 3},
    )
    assert manner_of(segment, Manner(scoop=1.0)) == Manner(vibrato=0.5, scoop=1.0)
    with pytest.raises(InputError, match=r"vibrato: must be 0 or more, not -1\.0"):
        Manner(vibrato=-1.0)


def test_a_drift_is_small_and_repeatable() -> None:
    one, two = (
        sung_pitch([60.0, 62.0], STARTS, 200, 0.0125, Manner(), np.random.default_rng(0))
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
    assert 0.01 < np.std(one[:60] - 60) < 0.2
