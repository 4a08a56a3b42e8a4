import sys

import pytest
import torch
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.clap import CLAP_MEL, CLIP_SAMPLES, Clap, clap_input, load_clap


def vocode(mel: Tensor) -> Tensor:
    return mel.mean(1).repeat_interleave(480, 1)


def test_the_spectrogram_is_ten_seconds_in_decibels() -> None:
    librosa = pytest.importorskip("librosa")
    wave = 0.1 * torch.randn(1, 48_000, generator=torch.Generator().manual_seed(0))
    found = clap_input(wave, 48_000)
    assert found.shape == (1, 1, CLIP_SAMPLES // CLAP_MEL.hop + 1, 64)
    mel = librosa.feature.melspectrogram(
        y=wave.repeat(1, 10)[0].numpy(),
        sr=48_000,
        n_fft=1024,
        hop_length=480,
        n_mels=64,
        fmin=50,
        fmax=14_000,
        pad_mode="reflect",
    )
    expected = torch.from_numpy(librosa.power_to_db(mel, top_db=None)).T
    torch.testing.assert_close(found[0, 0], expected, atol=1e-3, rtol=0)


def test_the_loss_is_one_minus_the_cosine() -> None:
    text = torch.tensor([1.0, 0.0, 2.0])
    control = Clap(lambda x: x.mean((1, 2))[:, :3], text, vocode, 48_000)
    mel = torch.rand(2, 4, 9).requires_grad_(True)
    audio = clap_input(vocode(mel), 48_000).mean((1, 2))[:, :3]
    cosine = (audio @ text) / (audio.norm(dim=1) * text.norm())
    torch.testing.assert_close(control.metric(mel), cosine)
    torch.testing.assert_close(control.loss(mel), 1 - cosine)
    (gradient,) = torch.autograd.grad(control.loss(mel).sum(), mel)
    assert gradient.abs().sum() > 0
    assert control.reached(torch.tensor([0.4, 0.6])).tolist() == [False, True]


def test_a_missing_library_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match="pip install transformers"):
        load_clap("laion/clap-htsat-unfused", "a calm piano", vocode, 48_000, torch.device("cpu"))
