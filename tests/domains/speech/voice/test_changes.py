"""Changes of pitch and effort in features."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.tiny_speech import MEL

from oneleap.domains.audio.mel import Mel, log_mel, magnitudes
from oneleap.domains.audio.pitch import PitchFormat
from oneleap.domains.audio.vocoders.harmonics import harmonic_source
from oneleap.domains.speech.spec import Spec
from oneleap.domains.speech.voice import changes
from oneleap.domains.speech.voice.changes import (
    EFFORT_HZ,
    change_effort,
    change_pitch,
    effort_shift,
)

PITCHED = Spec(MEL, pitch=PitchFormat(center_hz=150.0, scale=0.1))
WIDE = Mel(24_000, 1200, 300, 1200, 100, fmax=12_000.0)


def features(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(MEL.n_mels + 2, n, generator=torch.Generator().manual_seed(seed))


def test_twelve_semitones_double_the_pitch_and_leave_unvoiced_frames() -> None:
    given_, (mels, pitch) = features(20), (MEL.n_mels, PITCHED.pitch)
    assert pitch is not None
    octave = change_pitch(given_, PITCHED, 12.0)
    before, after = (pitch.decode(x[None, mels:]) for x in (given_, octave))
    assert torch.equal(before == 0, after == 0)
    torch.testing.assert_close(after, 2 * before)
    assert torch.equal(octave[mels + 1], given_[mels + 1])
    voiced = before[0] > 0
    assert torch.equal(octave[:mels, ~voiced], given_[:mels, ~voiced])
    assert not torch.equal(octave[:mels, voiced], given_[:mels, voiced])
    assert change_pitch(given_, PITCHED, 0.0) is given_


def test_a_pulse_train_becomes_that_of_the_new_pitch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "CONTRAST", 1.0)
    spec = Spec(WIDE, pitch=PitchFormat(center_hz=160.0, scale=0.35))
    assert spec.pitch is not None

    def pulses(hz: float) -> torch.Tensor:
        train = harmonic_source(torch.full((1, 30), hz), WIDE) * hz**0.5
        return log_mel(0.003 * train, WIDE)[0, :, 8:-8]

    for semitones in (-5.0, 3.3):
        old, new = 210.0, 210.0 * 2 ** (semitones / 12)
        mel = pulses(old)
        channels = spec.pitch.encode(np.full(mel.shape[1], old))
        changed = change_pitch(torch.cat([mel, channels]), spec, semitones)
        before, after = (
            float((x - pulses(new)).abs().mean()) for x in (mel, changed[: WIDE.n_mels])
        )
        assert after < 0.3 * before


def test_a_silent_band_has_no_harmonics() -> None:
    given_ = features(9)
    given_[: MEL.n_mels] = MEL.silence
    assert torch.equal(change_pitch(given_, PITCHED, 5.0)[: MEL.n_mels], given_[: MEL.n_mels])


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
