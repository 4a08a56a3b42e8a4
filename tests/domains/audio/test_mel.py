"""Spectrograms equal librosa's; formats that differ cannot be combined."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.core.hub.config import from_config, to_config
from oneleap.domains.audio.mel import Mel, check_compatible, filterbank, log_mel, magnitudes
from oneleap.domains.audio.stft import istft, stft

FORMATS = [
    Mel(),
    Mel(sample_rate=22_050, fmax=8000.0, n_mels=100),
    Mel(scale="htk", norm="none", center=True, log_base="10", mean=0.0, std=1.0),
    Mel(sample_rate=24_000, n_fft=1024, window=600, hop=240, fmin=40.0, fmax=12_000.0, center=True),
]


def noise(n: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(2, n, generator=g, dtype=dtype)


@pytest.mark.parametrize("mel", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_spectrograms_equal_librosa(mel: Mel, dtype: torch.dtype) -> None:
    librosa = pytest.importorskip("librosa")
    wave = noise(4321, dtype)
    ours = log_mel(wave, mel)
    pad = (mel.n_fft - mel.hop) // 2
    for row, got in zip(wave.double().numpy(), ours.numpy(), strict=True):
        padded = row if mel.center else np.pad(row, (pad, pad), mode="reflect")
        bands = librosa.feature.melspectrogram(
            y=padded,
            sr=mel.sample_rate,
            n_fft=mel.n_fft,
            hop_length=mel.hop,
            win_length=mel.window,
            center=mel.center,
            pad_mode="reflect",
            power=1,
            n_mels=mel.n_mels,
            fmin=mel.fmin,
            fmax=mel.fmax,
            htk=mel.scale == "htk",
            norm="slaney" if mel.norm == "slaney" else None,
        )
        log = np.log if mel.log_base == "e" else np.log10
        want = (log(np.maximum(bands, mel.floor)) - mel.mean) / mel.std
        assert got.shape == want.shape
        assert np.abs(got - want).max() < 1e-4


def test_filters_are_triangles_of_equal_area() -> None:
    bank = filterbank(Mel(norm="slaney", fmax=7000.0), torch.float64, torch.device("cpu"))
    area = bank.sum(1) * 16_000 / 1024
    wide = area[30:]  # the first filters span only a few bins
    assert (wide - 1).abs().max() < 0.05
    heights = filterbank(Mel(norm="none"), torch.float64, torch.device("cpu")).amax(1)
    assert heights.max() <= 1


def test_magnitudes_invert_log_mel() -> None:
    for mel in FORMATS[:3]:
        wave = noise(3000)
        bands = filterbank(mel, wave.dtype, wave.device) @ stft(
            wave, mel.n_fft, mel.hop, mel.window, center=mel.center
        ).abs().clamp(min=0)
        torch.testing.assert_close(magnitudes(log_mel(wave, mel), mel), bands.clamp(min=mel.floor))


def test_silence_equals_the_floor() -> None:
    for mel in FORMATS:
        quiet = log_mel(torch.zeros(1, 2048, dtype=torch.float64), mel)
        torch.testing.assert_close(quiet, torch.full_like(quiet, mel.silence))


@given(hops=st.integers(3, 20), seed=st.integers(0, 99))
def test_istft_inverts_stft(hops: int, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    wave = torch.randn(2, 64 * hops, generator=g, dtype=torch.float64)
    spectrum = stft(wave, 256, 64, 200)
    assert spectrum.shape == (2, 129, hops)
    torch.testing.assert_close(istft(spectrum, 256, 64, 200), wave)


def test_padded_frames_have_no_influence() -> None:
    short, g = noise(64 * 7), torch.Generator().manual_seed(1)
    spectrum = stft(short, 256, 64, 256)
    junk = torch.randn(2, 129, 5, generator=g, dtype=torch.float64).to(spectrum.dtype)
    mask = torch.arange(12)[None, None].expand(2, 1, -1) < 7
    long = istft(torch.cat([spectrum, junk], 2), 256, 64, 256, mask)
    torch.testing.assert_close(long[:, : 64 * 7], short)
    assert not long[:, 64 * 7 + 96 :].any()


@pytest.mark.parametrize("n", [1, 63, 64, 100, 385])
def test_short_sounds_have_one_frame(n: int) -> None:
    assert log_mel(noise(n), Mel()).shape[2] >= 1


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("hop", 0, "hop must be positive"),
        ("hop", 255, "n_fft - hop must be even"),
        ("window", 2048, "window 2048 <= n_fft 1024"),
        ("fmax", 9000.0, "<= half the sample_rate, 8000 Hz"),
        ("std", -1.0, "std must be positive"),
    ],
)
def test_invalid_formats_are_rejected(field: str, value: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(Mel(), **{field: value})


def test_different_formats_are_incompatible_and_saved_formats_are_equal() -> None:
    check_compatible(Mel(), Mel(), "a", "b")
    with pytest.raises(InputError, match="voice v has hop 256, vocoder w has 200: they cannot be"):
        check_compatible(Mel(), Mel(hop=200), "voice v", "vocoder w")
    assert from_config(to_config(FORMATS[2])) == FORMATS[2]
