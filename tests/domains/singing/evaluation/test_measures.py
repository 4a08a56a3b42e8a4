"""Measures of sung phrases in closed form."""

import math

import numpy as np
import pytest
import torch
from support.tiny_singing import MEL, TIMED

from oneleap.domains.singing.evaluation.measures import (
    cepstral_distortion,
    match_notes_to_words,
    pitch_errors,
    score_pitch,
    timing_error_ms,
)
from oneleap.domains.singing.segments.segment import ScoreSegment


def test_pitch_is_evaluated_in_the_middles_of_vowels() -> None:
    target = score_pitch(TIMED, 75, MEL)
    evaluated = np.flatnonzero(~np.isnan(target)) / MEL.frame_rate
    inside = [
        (0.25, 0.39),
        (0.55, 0.75),
        (0.85, 0.95),
    ]  # 50 ms off the ends
    assert all(any(a - 0.02 <= t <= b for a, b in inside) for t in evaluated)
    assert set(target[~np.isnan(target)]) == {57, 60, 64}
    exact = 440 * 2 ** ((np.nan_to_num(target) - 69) / 12)
    perfect = pitch_errors(exact, target)
    assert np.abs(perfect.cents).max() < 1e-6
    assert perfect.hits == perfect.num_frames == len(evaluated)
    sharp = pitch_errors(exact * 2 ** (60 / 1200), target)
    assert np.median(sharp.cents) == pytest.approx(60)
    assert sharp.hits == 0
    silent = pitch_errors(np.zeros(75), target)
    assert (len(silent.cents), silent.num_frames) == (0, len(evaluated))


def test_cepstral_distortion_in_closed_form() -> None:
    k, n = 3, MEL.n_mels
    bands = torch.arange(n) + 0.5
    wave = torch.cos(math.pi / n * k * bands)
    real = torch.zeros(1, n, 4)
    found = cepstral_distortion(real + wave[:, None], real, MEL)
    c = float((wave * MEL.std * torch.cos(math.pi / n * k * bands)).sum()) * 2 / n
    torch.testing.assert_close(
        found, torch.full((1, 4), 10 / math.log(10) * math.sqrt(2) * c), rtol=1e-4, atol=0
    )
    assert float(cepstral_distortion(real + 1, real, MEL).abs().max()) < 1e-4  # loudness


def test_notes_are_matched_to_recorded_words() -> None:
    found = match_notes_to_words(TIMED)
    assert found.note_dur == pytest.approx((0.2, 0.3, 0.3, 0.2, 0.2))
    late = ScoreSegment(
        ph_seq=TIMED.ph_seq,
        ph_num=TIMED.ph_num,
        ph_dur=(0.25, 0.05, 0.24, 0.06, 0.4, 0.2),
        note_midi=TIMED.note_midi,
        note_dur=TIMED.note_dur,
        note_slur=TIMED.note_slur,
    )
    assert match_notes_to_words(late).note_dur == pytest.approx((0.3, 0.3, 0.24, 0.16, 0.2))
    assert timing_error_ms(late, TIMED) == pytest.approx(1e3 * (4 * 0.1) / 6)
