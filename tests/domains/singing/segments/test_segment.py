"""Segments: what is refused, and the arithmetic of time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.phonemes import CARRIERS
from oneleap.domains.singing.segments.phrases import phrases
from oneleap.domains.singing.segments.segment import Curve, Segment
from oneleap.domains.singing.segments.timing import (
    at_tempo,
    fitted,
    frames,
    opencpop,
    phoneme_notes,
    score_f0,
    shifted,
    with_slurs,
    within_words,
    word_midi,
    word_seconds,
)

SAKURA = Segment(
    ph_seq=("SP", "s", "a", "k", "u", "r", "a", "SP"),
    ph_num=(2, 2, 2, 1, 1),
    ph_dur=(0.4, 0.1, 0.4, 0.1, 0.45, 0.05, 1.0, 0.5),
    note_midi=(None, 69.0, 69.0, 71.0, 72.0, None),
    note_dur=(0.5, 0.5, 0.5, 0.6, 0.4, 0.5),
    note_slur=(False, False, False, False, True, False),
)


@pytest.mark.parametrize(
    ("change", "said"),
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
        ({"note_slur": (False, False, False, False, False, True)}, "note 6 is a rest and a slur"),
        ({"note_slur": (False,) * 6}, "5 words, note_slur 6 notes"),
        ({"offset": float("nan")}, "offset is nan"),
    ],
)
def test_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(SAKURA, **change)  # type: ignore[arg-type]


def test_curves_are_finite_and_stepped() -> None:
    with pytest.raises(InputError, match="all of them numbers"):
        Curve(np.array([1.0, np.nan]), 0.005)
    with pytest.raises(InputError, match="step of time"):
        Curve(np.array([1.0]), 0.0)
    curve = Curve(np.array([1.0, 3.0]), 0.5)
    assert curve.at(np.array([-1.0, 0.25, 9.0])).tolist() == [1.0, 2.0, 3.0]


@given(
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
    st.sampled_from((0.005, 512 / 44_100, 0.016)),
)
def test_frames_add_up_to_the_rounded_total(durations: list[float], step: float) -> None:
    found = frames(durations, step)
    assert min(found) >= 0
    assert sum(found) == np.floor(np.cumsum(durations)[-1] / step + 0.5)
    each = np.cumsum(found) - np.cumsum(durations) / step
    assert np.abs(each).max() <= 0.5 + 1e-6  # no end is further off than half a frame


def test_rounding_each_alone_would_drift() -> None:
    durations = [0.0074] * 100  # 1.48 frames of 5 ms
    assert sum(frames(durations, 0.005)) == 148
    assert sum(round(d / 0.005) for d in durations) == 100


@given(
    st.lists(st.tuples(st.integers(1, 4), st.floats(0.05, 2)), min_size=1, max_size=8), st.data()
)
def test_rescaling_keeps_words(words: list[tuple[int, float]], data: st.DataObject) -> None:
    ph_num = [n for n, _ in words]
    lengths = [s for _, s in words]
    dur = data.draw(st.lists(st.floats(0, 3), min_size=sum(ph_num), max_size=sum(ph_num)))
    dur = [d if d > 1e-3 else 0.0 for d in dur]
    found = within_words(dur, ph_num, lengths)
    at = 0
    for n, length in words:
        part, old = found[at : at + n], dur[at : at + n]
        assert sum(part) == pytest.approx(length)
        if sum(old) > 0:  # inside a word, proportions stay
            np.testing.assert_allclose(np.array(part) * sum(old), np.array(old) * length, atol=1e-9)
        at += n


def test_words_and_notes() -> None:
    np.testing.assert_allclose(word_seconds(SAKURA), [0.5, 0.5, 0.5, 1.0, 0.5])
    assert word_midi(SAKURA) == (None, 69.0, 69.0, 71.0, None)
    # Without vowels, as openvpi's ph_midi: a consonant has the note of the word it is in.
    assert phoneme_notes(SAKURA) == (0, 0, 1, 1, 2, 2, 3, 5)
    # With them, the note it leads to.
    assert phoneme_notes(SAKURA, CARRIERS) == (0, 1, 1, 2, 2, 3, 3, 5)


def test_a_closed_syllable_keeps_its_end() -> None:
    kanto = Segment(
        ph_seq=("SP", "k", "a", "N", "t", "o"),
        ph_num=(2, 3, 1),
        note_midi=(None, 60.0, 62.0),
        note_dur=(0.3, 1.0, 1.0),
        note_slur=(False, False, False),
    )
    assert phoneme_notes(kanto, CARRIERS) == (0, 1, 1, 1, 2, 2)


def test_fitted_to_the_notes() -> None:
    found = fitted(SAKURA, (1.0,) * 8)
    assert found.ph_dur == pytest.approx((0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 1.0, 0.5))


def test_opencpop_repeats_the_slurred_vowel() -> None:
    rows = opencpop(SAKURA, CARRIERS)
    assert [r.phoneme for r in rows] == ["SP", "s", "a", "k", "u", "r", "a", "a", "SP"]
    assert [r.slur for r in rows] == [False] * 7 + [True, False]
    assert [r.midi for r in rows] == [None, 69, 69, 69, 69, 71, 71, 72, None]
    assert [r.seconds for r in rows[6:8]] == pytest.approx([0.6, 0.4])
    assert sum(r.seconds for r in rows) == pytest.approx(SAKURA.seconds)


def test_slurs_found_by_time() -> None:
    guessed = replace(
        SAKURA,
        note_midi=(None, 69.0, 71.0, 72.0, None),
        note_dur=(0.51, 0.99, 0.6, 0.4, 0.5),
        note_slur=(),
    )
    found = with_slurs(guessed)
    assert found.note_slur == (False, False, False, False, True, False)
    assert found.note_midi == SAKURA.note_midi
    np.testing.assert_allclose(found.note_dur, SAKURA.note_dur, atol=0.02)
    with pytest.raises(InputError, match="ph_num is missing"):
        with_slurs(replace(guessed, ph_num=()))


def test_key_and_tempo() -> None:
    sung = replace(SAKURA, f0=Curve(np.array([220.0, 0.0]), 0.01), offset=2.0)
    up = shifted(sung, 12.0)
    assert up.note_midi[1] == 81.0
    assert up.note_midi[0] is None
    assert up.f0 == Curve(np.array([440.0, 0.0]), 0.01)
    assert shifted(up, -12.0) == sung
    fast = at_tempo(sung, 2.0)
    assert fast.seconds == pytest.approx(sung.seconds / 2)
    assert fast.offset == 1.0
    assert fast.f0 is not None
    assert fast.f0.step_s == 0.005
    with pytest.raises(InputError, match="note 2 has pitch 129"):
        shifted(sung, 60.0)
    with pytest.raises(InputError, match="tempo"):
        at_tempo(sung, 0.0)


def test_pitch_of_the_notes() -> None:
    f0 = score_f0(SAKURA, 0.1, 32)
    assert f0[:5].tolist() == [0.0] * 5
    np.testing.assert_allclose(f0[5:15], 440.0)
    np.testing.assert_allclose(f0[21:25], 440.0 * 2 ** (3 / 12))
    assert f0[25:].max() == 0


def test_phrases_between_rests() -> None:
    twice = Segment(
        ph_seq=("SP", "s", "a", "SP", "k", "o", "SP"),
        ph_num=(2, 1, 2, 1, 1),
        ph_dur=(0.9, 0.1, 0.5, 1.9, 0.1, 0.5, 1.0),
        note_midi=(None, 60.0, None, 62.0, None),
        note_dur=(1.0, 0.5, 2.0, 0.5, 1.0),
        note_slur=(False,) * 5,
        f0=Curve(np.arange(1000.0), 0.005),
    )
    one, two = phrases(twice, margin_s=0.25)
    assert (one.ph_seq, two.ph_seq) == (("SP", "s", "a", "SP"), ("SP", "k", "o", "SP"))
    assert one.ph_dur == pytest.approx((0.25, 0.1, 0.5, 0.25))
    assert (one.offset, two.offset) == pytest.approx((0.65, 3.15))
    assert two.note_dur == pytest.approx((0.35, 0.5, 0.25))
    assert two.note_midi == (None, 62.0, None)
    for part in (one, two):
        assert part.f0 is not None
        assert part.f0.values[0] == pytest.approx(part.offset / 0.005)
        assert len(part.f0.values) == round(part.seconds / 0.005)
    assert phrases(replace(twice, f0=None), rest_s=5.0)[0].ph_seq == twice.ph_seq
