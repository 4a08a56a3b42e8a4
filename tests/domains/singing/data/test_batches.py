"""Scores as tensors: frames, smoothed pitch, and what a voice cannot sing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.tiny_singing import MEL, SCORE, SPEC, TIMED

from oneleap.core.errors import InputError
from oneleap.domains.singing.data.batches import (
    base_pitch,
    phoneme_tokens,
    score_features,
    smooth,
)
from oneleap.domains.singing.segments.segment import ScoreSegment


def test_score_features_match_the_frames_of_the_recording() -> None:
    score = score_features(TIMED, SPEC, 70)
    assert int(score.durations.sum()) == 70 == len(score.base_pitch)
    assert score.word_onset.tolist() == [True, False, True, False, True, True]
    assert score.word_index.tolist() == [0, 0, 1, 1, 2, 3]
    assert score.ph_midi.tolist() == [0, 0, 57, 57, 60, 0]
    seconds = score.word_durations / MEL.frame_rate
    torch.testing.assert_close(seconds, torch.tensor([0.2, 0.2, 0.3, 0.3, 0.5, 0.2]))
    assert score.note_midi.tolist() == [57, 57, 60, 64, 64]
    plain = score_features(SCORE, SPEC)
    assert int(plain.durations.sum()) == 0
    assert len(plain.base_pitch) == round(1.2 * MEL.frame_rate)


def test_base_pitch_is_smooth() -> None:
    base = base_pitch(np.array([60.0, 64.0]), np.array([50, 50]), 100, MEL)
    assert base[:40] == pytest.approx(60)
    assert base[60:] == pytest.approx(64)
    assert (np.diff(base) >= -1e-9).all()
    assert smooth(np.ones(9), 0.1, MEL) == pytest.approx(1)


def phrase(phoneme: str, *notes: float) -> ScoreSegment:
    """One word on some notes."""
    return ScoreSegment(
        ph_seq=(phoneme,),
        ph_num=(1,),
        note_midi=notes,
        note_dur=(1.0,) * len(notes),
        note_slur=(False, *(True for _ in notes[1:])),
    )


def test_what_a_voice_cannot_sing_is_an_error() -> None:
    with pytest.raises(InputError, match=r"phoneme 1 is 'zz', which this voice cannot sing"):
        phoneme_tokens(phrase("zz", 60.0), SPEC)


def test_a_breath_that_was_never_heard_is_silence() -> None:
    spec = replace(SPEC, phonemes=("SP", "AP", "a"))
    segment = phrase("AP", 60.0)
    assert phoneme_tokens(segment, spec).tolist() == [2]
    assert phoneme_tokens(segment, replace(spec, breath=False)).tolist() == [1]
