"""Changes of pitch and effort in features, and sounds that begin and end softly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_speech import MEL, RATE, pitched_vocoder, vocoder

from oneleap.domains.audio.loudness import FADE_S
from oneleap.domains.audio.mel import Mel, magnitudes
from oneleap.domains.audio.pitch import PitchFormat
from oneleap.domains.speech.spec import Spec
from oneleap.domains.speech.voice.vocoding import (
    EFFORT_HZ,
    _faded,
    change_effort,
    change_pitch,
    effort_shift,
    vocode,
    vocode_in_pieces,
)

PITCHED = Spec(MEL, pitch=PitchFormat(center_hz=150.0, scale=0.1))
WIDE = Mel(24_000, 1200, 300, 1200, 100, fmax=12_000.0)


def features(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(MEL.n_mels + 2, n, generator=torch.Generator().manual_seed(seed))


def test_twelve_semitones_double_the_pitch_and_change_nothing_else() -> None:
    given_, (mels, pitch) = features(20), (MEL.n_mels, PITCHED.pitch)
    assert pitch is not None
    octave = change_pitch(given_, PITCHED, 12.0)
    before, after = (pitch.decode(x[None, mels:]) for x in (given_, octave))
    assert torch.equal(before == 0, after == 0)
    torch.testing.assert_close(after, 2 * before)
    assert torch.equal(octave[:mels], given_[:mels])
    assert torch.equal(octave[mels + 1], given_[mels + 1])
    assert change_pitch(given_, PITCHED, 0.0) is given_


@pytest.mark.parametrize("base", ["e", "10"])
def test_effort_changes_bands_as_the_standard_says(base: str) -> None:
    mel = replace(WIDE, log_base=base)
    flat = torch.full((mel.n_mels, 3), 0.5)
    before, after = (magnitudes(x[None], mel)[0] for x in (flat, change_effort(flat, mel, 12.5)))
    db = 20 * (after / before).log10()[:, 0].numpy()
    points = np.linspace(0, 15 + 27 * np.log(12) / np.log(6.4), mel.n_mels + 2)[1:-1]
    hz = np.where(points < 15, points * 200 / 3, 1000 * 6.4 ** ((points - 15) / 27))
    # Loud minus normal speech in ANSI S3.5, less 12.5 dB in all.
    wanted = np.interp(np.log(hz), np.log(EFFORT_HZ), [-5.7, -1.92, 4.65, 4.57, 3.58, -2.24])
    np.testing.assert_allclose(db, wanted, atol=1e-3)
    assert change_effort(flat, mel, 0.0) is flat


def test_silence_stays_silent_and_pitch_channels_stay() -> None:
    given_ = features(9)
    given_[: MEL.n_mels, 4:] = MEL.silence
    for db in (-12.0, 12.0):
        changed = change_effort(given_, MEL, db)
        assert torch.equal(changed[:, 4:], given_[:, 4:])
        assert torch.equal(changed[MEL.n_mels :], given_[MEL.n_mels :])
        assert (changed[: MEL.n_mels] >= MEL.silence).all()
        assert not torch.equal(changed[:, :4], given_[:, :4])


def test_effort_keeps_the_level_of_speech_with_the_spectrum_of_the_standard() -> None:
    hz = np.arange(100.0, 11_000.0)
    normal = (34.75, 34.27, 25.01, 17.32, 9.33, 1.13)
    spectrum = np.interp(np.log(hz), np.log(EFFORT_HZ), normal)
    points = np.linspace(0, 15 + 27 * np.log(12) / np.log(6.4), WIDE.n_mels + 2)[1:-1]
    centers = np.where(points < 15, points * 200 / 3, 1000 * 6.4 ** ((points - 15) / 27))
    gain = np.interp(hz, centers, 20 / np.log(10) * WIDE.std * effort_shift(WIDE))

    def level(db: float) -> float:
        return float(10 * np.log10((10 ** ((spectrum + db * gain) / 10)).sum()))

    for db in (-6.0, 6.0, 12.0):
        assert abs(level(db) - level(0)) < 1.5


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
