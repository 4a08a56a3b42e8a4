"""Timing in segments: frames, words, notes of phonemes, and durations that fit the notes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.song_strategies import SAKURA

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.phonemizer import SYLLABIC
from oneleap.domains.singing.segments.segment import ScoreSegment, Segment
from oneleap.domains.singing.segments.timing import (
    align_notes_to_words,
    fit_to_notes,
    frame_counts,
    hold_vowels,
    phoneme_notes,
    word_durations,
    word_midi,
)


@given(
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
    st.sampled_from((0.005, 512 / 44_100, 0.016)),
)
def test_frames_add_up_to_the_rounded_total(durations: list[float], step: float) -> None:
    found = frame_counts(durations, step)
    assert min(found) >= 0
    assert sum(found) == np.floor(np.cumsum(durations)[-1] / step + 0.5)
    each = np.cumsum(found) - np.cumsum(durations) / step
    assert np.abs(each).max() <= 0.5 + 1e-6  # no end is further off than half a frame


def test_rounding_each_duration_would_drift() -> None:
    durations = [0.0074] * 100  # 1.48 frames of 5 ms
    assert sum(frame_counts(durations, 0.005)) == 148
    assert sum(round(d / 0.005) for d in durations) == 100


@given(
    st.lists(st.tuples(st.integers(1, 4), st.floats(0.05, 2)), min_size=1, max_size=8), st.data()
)
def test_consonants_keep_their_durations(
    words: list[tuple[int, float]], data: st.DataObject
) -> None:
    ph_num = [n for n, _ in words]
    lengths = [s for _, s in words]
    dur = data.draw(st.lists(st.floats(0, 3), min_size=sum(ph_num), max_size=sum(ph_num)))
    found = hold_vowels(dur, ph_num, lengths)
    at = 0
    for n, length in words:
        part, old = np.array(found[at : at + n]), np.array(dur[at : at + n])
        assert part.sum() == pytest.approx(length)
        assert part[0] >= 0.4 * length - 1e-9
        if old[1:].sum() <= 0.6 * length:
            np.testing.assert_allclose(part[1:], old[1:], atol=1e-9)
        else:  # shortened in proportion
            np.testing.assert_allclose(part[1:] * old[1:].sum(), old[1:] * 0.6 * length, atol=1e-8)
        at += n


def test_a_long_note_does_not_stretch_its_consonants() -> None:
    assert hold_vowels((0.2, 0.1, 0.08), (3,), (2.0,)) == pytest.approx((1.82, 0.1, 0.08))


def test_words_and_notes() -> None:
    np.testing.assert_allclose(word_durations(SAKURA), [0.5, 0.5, 0.5, 1.0, 0.5])
    assert word_midi(SAKURA) == (None, 69.0, 69.0, 71.0, None)
    # Without vowels, as openvpi's ph_midi: a consonant has the note of the word it is in.
    assert phoneme_notes(SAKURA) == (0, 0, 1, 1, 2, 2, 3, 5)
    # With them, the note it leads to.
    assert phoneme_notes(SAKURA, SYLLABIC) == (0, 1, 1, 2, 2, 3, 3, 5)


def test_a_closed_syllable_keeps_its_end() -> None:
    kanto = ScoreSegment(
        ph_seq=("SP", "k", "a", "N", "t", "o"),
        ph_num=(2, 3, 1),
        note_midi=(None, 60.0, 62.0),
        note_dur=(0.3, 1.0, 1.0),
        note_slur=(False, False, False),
    )
    assert phoneme_notes(kanto, SYLLABIC) == (0, 1, 1, 1, 2, 2)


def test_durations_fit_the_notes() -> None:
    found = fit_to_notes(SAKURA, (1.0,) * 8)
    assert found.ph_dur == pytest.approx((0.2, 0.3, 0.2, 0.3, 0.2, 0.3, 1.0, 0.5))


def test_slurs_found_by_time() -> None:
    estimated = Segment(
        ph_seq=SAKURA.ph_seq,
        ph_num=SAKURA.ph_num,
        ph_dur=SAKURA.ph_dur,
        note_midi=(None, 69.0, 71.0, 72.0, None),
        note_dur=(0.51, 0.99, 0.6, 0.4, 0.5),
    )
    found = align_notes_to_words(estimated)
    assert found.note_slur == (False, False, False, False, True, False)
    assert found.note_midi == SAKURA.note_midi
    np.testing.assert_allclose(found.note_dur, SAKURA.note_dur, atol=0.02)
    with pytest.raises(InputError, match="ph_num is missing"):
        align_notes_to_words(replace(estimated, ph_num=()))
