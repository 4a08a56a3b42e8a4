"""Segments in another key, at another tempo, in parts, and in the form of Opencpop."""

from dataclasses import replace

import numpy as np
import pytest
from support.song_strategies import SAKURA

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.phonemizer import SYLLABIC
from oneleap.domains.singing.segments.opencpop import to_opencpop
from oneleap.domains.singing.segments.segment import Curve, ScoreSegment
from oneleap.domains.singing.segments.splitting import split_at_rests
from oneleap.domains.singing.segments.transforms import change_tempo, transpose


def test_opencpop_repeats_the_slurred_vowel() -> None:
    rows = to_opencpop(SAKURA, SYLLABIC)
    assert [r.phoneme for r in rows] == ["SP", "s", "a", "k", "u", "r", "a", "a", "SP"]
    assert [r.slur for r in rows] == [False] * 7 + [True, False]
    assert [r.midi for r in rows] == [None, 69, 69, 69, 69, 71, 71, 72, None]
    assert [r.seconds for r in rows[6:8]] == pytest.approx([0.6, 0.4])
    assert sum(r.seconds for r in rows) == pytest.approx(SAKURA.seconds)


def test_transpose_and_change_tempo() -> None:
    sung = replace(SAKURA, f0=Curve(np.array([220.0, 0.0]), 0.01), offset=2.0)
    up = transpose(sung, 12.0)
    assert up.note_midi[1] == 81.0
    assert up.note_midi[0] is None
    assert up.f0 == Curve(np.array([440.0, 0.0]), 0.01)
    assert transpose(up, -12.0) == sung
    fast = change_tempo(sung, 2.0)
    assert fast.seconds == pytest.approx(sung.seconds / 2)
    assert fast.offset == 1.0
    assert fast.f0 is not None
    assert fast.f0.step_s == 0.005
    with pytest.raises(InputError, match="note 2 has pitch 129"):
        transpose(sung, 60.0)
    with pytest.raises(InputError, match="tempo"):
        change_tempo(sung, 0.0)


def test_a_song_is_split_at_its_rests() -> None:
    twice = ScoreSegment(
        ph_seq=("SP", "s", "a", "SP", "k", "o", "SP"),
        ph_num=(2, 1, 2, 1, 1),
        ph_dur=(0.9, 0.1, 0.5, 1.9, 0.1, 0.5, 1.0),
        note_midi=(None, 60.0, None, 62.0, None),
        note_dur=(1.0, 0.5, 2.0, 0.5, 1.0),
        note_slur=(False,) * 5,
        f0=Curve(np.arange(1000.0), 0.005),
    )
    one, two = split_at_rests(twice, margin_s=0.25)
    assert (one.ph_seq, two.ph_seq) == (("SP", "s", "a", "SP"), ("SP", "k", "o", "SP"))
    assert one.ph_dur == pytest.approx((0.25, 0.1, 0.5, 0.25))
    assert (one.offset, two.offset) == pytest.approx((0.65, 3.15))
    assert two.note_dur == pytest.approx((0.35, 0.5, 0.25))
    assert two.note_midi == (None, 62.0, None)
    for part in (one, two):
        assert part.f0 is not None
        assert part.f0.values[0] == pytest.approx(part.offset / 0.005)
        assert len(part.f0.values) == round(part.seconds / 0.005)
    assert split_at_rests(replace(twice, f0=None), min_rest_s=5.0)[0].ph_seq == twice.ph_seq
