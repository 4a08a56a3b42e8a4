"""Sounds in pieces and in one go; they begin and end softly."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_speech import MEL, RATE, pitched_vocoder, vocoder

from oneleap.domains.audio.loudness import FADE_S
from oneleap.domains.audio.pitch import PitchFormat
from oneleap.domains.speech.spec import Spec
from oneleap.domains.speech.voice.vocoding import (
    _faded,
    vocode,
    vocode_in_pieces,
)

PITCHED = Spec(MEL, pitch=PitchFormat(center_hz=150.0, scale=0.1))


def features(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(MEL.n_mels + 2, n, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", ["vocos", "source-filter"])
@settings(max_examples=12, deadline=None)
@given(n=st.integers(1, 40), frames=st.integers(1, 20), seed=st.integers(0, 9))
def test_pieces_are_the_whole_and_both_ends_are_soft(
    kind: str, n: int, frames: int, seed: int
) -> None:
    made = vocoder() if kind == "vocos" else pitched_vocoder()
    (whole,) = vocode(made, PITCHED, [features(n, seed)], [seed])
    pieces = list(vocode_in_pieces(made, PITCHED, features(n, seed), seed, frames))
    together = np.concatenate([piece.samples for piece in pieces])
    assert len(together) == len(whole.samples) == n * MEL.hop
    assert np.abs(together - whole.samples).max() < 1e-4
    peak = np.abs(whole.samples).max()
    assert np.abs(whole.samples[[0, -1]]).max() <= 0.01 * peak


def test_the_middle_of_a_sound_is_not_faded() -> None:
    ones = np.ones(400, np.float32)
    faded = _faded(ones.copy(), 0, 400, RATE).samples
    n = round(FADE_S * RATE)
    assert (faded[n:-n] == 1).all()
    assert (np.diff(faded[:n]) > 0).all()
    np.testing.assert_allclose(faded[:n], faded[::-1][:n])
    cut = [
        _faded(ones[a:b].copy(), a, 400, RATE).samples for a, b in ((0, 9), (9, 390), (390, 400))
    ]
    np.testing.assert_array_equal(np.concatenate(cut), faded)
    short = _faded(ones[:5].copy(), 0, 5, RATE).samples
    assert short[2] == 1
