"""Segments and curves: what they refuse, and segments that are scores."""

from dataclasses import replace

import numpy as np
import pytest
from support.song_strategies import SAKURA

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.segment import Curve, ScoreSegment, Segment, map_curves


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ph_seq": ()}, "ph_seq is empty"),
        ({"ph_num": (2, 2, 2, 2, 1)}, "ph_num counts 9 phonemes, ph_seq has 8"),
        ({"ph_num": (2, 2, 4, 0, 0)}, "word 4 has no phonemes"),
        ({"ph_dur": (1.0,)}, "ph_dur has 1 values, ph_seq 8"),
        ({"ph_dur": (0.4, -0.1, 0.4, 0.1, 0.45, 0.05, 1.0, 0.5)}, r"phoneme 2 \(s\) lasts -0.1"),
        ({"note_dur": (0.5,)}, "note_dur has 1 values, note_seq 6"),
        ({"note_dur": (0.5, 0.5, 0.0, 0.6, 0.4, 0.5)}, "note 3 lasts 0.0 s"),
        ({"note_midi": (None, 69.0, 128.0, 71.0, 72.0, None)}, "note 3 has pitch 128.0"),
        ({"note_slur": (True, False, False, False, True, False)}, "note 1 is a slur"),
        (
            {"note_slur": (False, False, False, False, False, True)},
            "note 6 is both a rest",
        ),
        ({"note_slur": (False,) * 6}, "5 words, but note_slur has 6 notes"),
        ({"offset": float("nan")}, "offset is nan"),
    ],
)
def test_invalid_segments_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(SAKURA, **change)  # type: ignore[arg-type]


def test_curves() -> None:
    with pytest.raises(InputError, match="all must be finite numbers"):
        Curve(np.array([1.0, np.nan]), 0.005)
    with pytest.raises(InputError, match="time step must be positive"):
        Curve(np.array([1.0]), 0.0)
    curve = Curve(np.array([1.0, 3.0]), 0.5)
    assert curve.at(np.array([-1.0, 0.25, 9.0])).tolist() == [1.0, 2.0, 3.0]


def test_a_score_segment_has_words_and_notes() -> None:
    plain = Segment(ph_seq=SAKURA.ph_seq, ph_num=SAKURA.ph_num, ph_dur=SAKURA.ph_dur)
    with pytest.raises(InputError, match="note_seq is missing"):
        ScoreSegment.from_segment(plain)
    noted = replace(plain, note_midi=SAKURA.note_midi, note_dur=SAKURA.note_dur)
    with pytest.raises(InputError, match="note_slur is missing"):
        ScoreSegment.from_segment(noted)
    found = ScoreSegment.from_segment(replace(noted, note_slur=SAKURA.note_slur))
    assert found == SAKURA
    assert ScoreSegment.from_segment(found) is found
    with pytest.raises(InputError, match="ph_num is missing"):
        replace(SAKURA, ph_num=())


def test_all_curves_are_changed() -> None:
    curve = Curve(np.array([1.0, 2.0]), 0.1)
    segment = replace(SAKURA, f0=curve, tension=curve, gender=curve, velocity=1.5)
    found = map_curves(segment, lambda c: Curve(2 * c.values, c.step_s))
    doubled = Curve(np.array([2.0, 4.0]), 0.1)
    assert found == replace(segment, f0=doubled, tension=doubled, gender=doubled)
