import math

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel, log_mel, magnitudes, triangles
from oneleap.domains.music.features import spectral as features
from oneleap.domains.music.features.chroma import MIDDLE_C, chroma, chroma_filters
from oneleap.domains.music.spec import MUSIC_MEL

librosa = pytest.importorskip("librosa")

RATE = MUSIC_MEL.sample_rate


def tone(hz: float, seconds: float = 1.0, level: float = 0.3) -> Tensor:
    t = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    return level * torch.sin(2 * math.pi * hz * t)[None]


def noise(seconds: float = 1.0, level: float = 0.1) -> Tensor:
    g = torch.Generator().manual_seed(0)
    return level * torch.randn(1, round(seconds * RATE), generator=g, dtype=torch.float64)


@pytest.mark.parametrize(
    ("hz", "low", "high"), [(440, -2, -1), (1000, -2, -0.8), (3000, -6.5, -4), (7000, -10.5, -8)]
)
def test_the_error_for_a_single_tone_is_the_documented_one(
    hz: float, low: float, high: float
) -> None:
    """Over a semitone around it, because it depends on where in its band the tone lies."""
    for k in range(6):
        sound = tone(hz * 2 ** (k / 72), level=0.3)
        true = 10 * math.log10(0.3**2 / 2)
        error = features.rms_db(log_mel(sound, MUSIC_MEL), MUSIC_MEL)[0, 10:-10].mean() - true
        assert low - 0.3 < error.item() < high + 0.3


def test_the_level_of_a_chord_with_harmonics_is_nearly_right() -> None:
    sound = sum(
        (tone(hz * k, level=0.05 / k) for hz in (220.0, 277.2, 329.6) for k in range(1, 12)),
        torch.zeros(1, RATE, dtype=torch.float64),
    )
    found = features.rms_db(log_mel(sound, MUSIC_MEL), MUSIC_MEL)[0, 10:-10].mean()
    true = 10 * torch.log10(sound.square().mean())
    assert (found - true).item() == pytest.approx(-1.3, abs=0.4)


def test_decibels_are_those_of_the_magnitudes() -> None:
    for spec in (MUSIC_MEL, Mel(log_base="10")):
        mel = torch.randn(2, spec.n_mels, 5, dtype=torch.float64)
        expected = 20 * torch.log10(magnitudes(mel, spec))
        torch.testing.assert_close(features.decibels(mel, spec), expected)


@pytest.mark.parametrize(("window", "order"), [(5, 2), (43, 2), (87, 3), (9, 4)])
def test_savgol_equals_scipys(window: int, order: int) -> None:
    x = torch.randn(3, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = scipy.signal.savgol_filter(x.numpy(), window, order, axis=1, mode="mirror")
    np.testing.assert_allclose(features.savgol(x, window, order).numpy(), expected, atol=1e-9)


@given(coefficients=st.lists(st.floats(-2, 2), min_size=1, max_size=3))
@settings(max_examples=20, deadline=None)
def test_smoothing_does_not_change_parabolas(coefficients: list[float]) -> None:
    t = torch.linspace(-1, 1, 101, dtype=torch.float64)
    x = sum(c * t**k for k, c in enumerate(coefficients))
    smooth = features.savgol(torch.as_tensor(x)[None], 21, 2)[0]
    torch.testing.assert_close(smooth[10:-10], torch.as_tensor(x)[10:-10])


def test_smoothing_refuses_even_windows_and_returns_short_curves() -> None:
    with pytest.raises(InputError, match="needs an odd window"):
        features.savgol_kernel(4, 2)
    short = torch.randn(1, 2)
    assert torch.equal(features.savgol(short, 87), short)
    assert features.savgol(torch.randn(1, 10), 87).shape == (1, 10)
    assert features.odd_window(1.0, MUSIC_MEL) == 87


def test_level_of_noise_is_its_root_mean_square() -> None:
    mel = log_mel(noise(2.0, 0.1), MUSIC_MEL)
    level = features.rms_db(mel, MUSIC_MEL).mean().item()
    inside = 20 * math.log10(0.1) + 10 * math.log10(MUSIC_MEL.fmax / (RATE / 2))
    assert level == pytest.approx(inside, abs=1.5)  # the mean magnitude of noise is 1 dB too low


def test_level_follows_librosas_frame_by_frame() -> None:
    wave = noise(2.0) * torch.linspace(0.05, 1, 2 * RATE, dtype=torch.float64)
    mel = log_mel(wave, MUSIC_MEL)
    power = np.linalg.pinv(triangles(MUSIC_MEL)) @ magnitudes(mel, MUSIC_MEL)[0].numpy()
    window = np.square(np.hanning(MUSIC_MEL.n_fft + 1)[:-1]).mean()
    rms = librosa.feature.rms(S=np.abs(power), frame_length=MUSIC_MEL.n_fft)[0] / math.sqrt(window)
    ours = features.rms_db(mel, MUSIC_MEL)[0].numpy()
    away = ours - 20 * np.log10(rms)
    assert np.ptp(away[4:-4]) < 1.5
    assert abs(np.median(away)) < 1.5


def test_a_factor_moves_the_level_by_its_decibels() -> None:
    mel = log_mel(noise(), MUSIC_MEL)
    louder = log_mel(10 * noise(), MUSIC_MEL)
    torch.testing.assert_close(
        features.rms_db(louder, MUSIC_MEL), features.rms_db(mel, MUSIC_MEL) + 20, atol=0.1, rtol=0
    )


def test_a_weighting_equals_librosas() -> None:
    hz = np.array([1.0, 20.0, 100.0, 440.0, 1000.0, 4000.0, 9000.0])
    np.testing.assert_allclose(features.a_weighting(hz), librosa.A_weighting(hz), atol=1e-6)


def test_loudness_is_the_level_plus_the_a_weighting() -> None:
    for hz in (200.0, 1000.0):
        mel = log_mel(tone(hz), MUSIC_MEL)
        gap = features.loudness_db(mel, MUSIC_MEL) - features.rms_db(mel, MUSIC_MEL)
        loss = librosa.A_weighting(np.array([hz]))[0]
        assert gap.median().item() == pytest.approx(loss, abs=1.0)


def test_the_cepstrum_equals_librosas_without_its_first_row() -> None:
    mel = log_mel(noise(0.5) + tone(440, 0.5), MUSIC_MEL)
    level = features.decibels(mel, MUSIC_MEL)
    expected = librosa.feature.mfcc(S=level[0].numpy(), n_mfcc=20)[1:]
    np.testing.assert_allclose(features.mfcc(mel, MUSIC_MEL, 19)[0].numpy(), expected, atol=1e-9)


def test_the_cepstrum_does_not_depend_on_the_level() -> None:
    mel = torch.randn(1, MUSIC_MEL.n_mels, 4, dtype=torch.float64)
    torch.testing.assert_close(features.mfcc(mel + 1, MUSIC_MEL), features.mfcc(mel, MUSIC_MEL))


def test_flux_equals_librosas_onset_strength() -> None:
    mel = log_mel(noise(0.5) + tone(440, 0.5), MUSIC_MEL)
    level = features.decibels(mel, MUSIC_MEL)
    expected = librosa.onset.onset_strength(S=level[0].numpy(), center=False, detrend=False)
    np.testing.assert_allclose(
        features.spectral_flux(mel, MUSIC_MEL)[0].numpy(), expected, atol=1e-6
    )


def test_similarity_is_a_cosine() -> None:
    x = torch.randn(2, 7, 6, generator=torch.Generator().manual_seed(0))
    found = features.self_similarity(x)
    expected = torch.nn.functional.cosine_similarity(x[:, :, :, None], x[:, :, None], dim=1)
    torch.testing.assert_close(found, expected)


def test_an_aab_clip_shows_its_blocks() -> None:
    a, b = tone(300) + tone(900, level=0.1), noise()
    mel = log_mel(torch.cat([a, a, b], dim=1), MUSIC_MEL)
    matrix = features.self_similarity(features.mean_pool(features.mfcc(mel, MUSIC_MEL), 12))[0]
    blocks = matrix.reshape(3, 4, 3, 4).mean((1, 3))
    assert blocks[0, 1] > 0.98  # the A repeats
    assert blocks[:2, 2].max() < blocks[0, 1] - 0.3


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_chroma_filters_equal_librosas(n_fft: int) -> None:
    expected = librosa.filters.chroma(sr=RATE, n_fft=n_fft, tuning=0.0)
    np.testing.assert_allclose(chroma_filters(RATE, n_fft), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("hz", "name"),
    [(440.0, 9), (MIDDLE_C, 0), (MIDDLE_C * 2 ** (1 / 12), 1), (1046.5, 0), (659.3, 4)],
)
def test_a_tone_is_its_pitch_class(hz: float, name: int) -> None:
    found = chroma(log_mel(tone(hz), MUSIC_MEL), MUSIC_MEL)
    assert (found.argmax(1)[:, 4:-4] == name).all()  # without the ends, which are mirrored


def test_pitches_below_middle_c_do_not_count() -> None:
    low, high = tone(110.0, level=0.5), tone(587.33, level=0.1)
    assert (chroma(log_mel(low + high, MUSIC_MEL), MUSIC_MEL).argmax(1) == 2).all()


@pytest.mark.parametrize(
    "feature",
    [
        features.rms_db,
        features.loudness_db,
        features.mfcc,
        features.spectral_flux,
        chroma,
    ],
)
def test_features_have_gradients(feature: object) -> None:
    assert callable(feature)
    mel = torch.randn(1, MUSIC_MEL.n_mels, 6, dtype=torch.float64).requires_grad_(True)
    out = feature(mel, MUSIC_MEL).log1p() if feature is chroma else feature(mel, MUSIC_MEL)
    (gradient,) = torch.autograd.grad(out.sum(), mel)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0
