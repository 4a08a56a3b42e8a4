"""NSF: its source in closed form, its output at the given pitch, saving and loading."""

from pathlib import Path

import pytest
import torch
from support.exact import seeded
from support.tiny_audio import HOP, MEL, RATE, tiny_nsf

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.nsf import NSF, phase_cycles, pulse_train


def test_pulses_have_power_one_and_unvoiced_frames_are_silent() -> None:
    assert pulse_train(torch.full((1, 200), 200.0), MEL).square().mean() == pytest.approx(
        1, abs=0.05
    )
    assert not pulse_train(torch.zeros(1, 5), MEL).any()


def test_phase_is_accurate_for_minutes() -> None:
    f0 = torch.full((1, 120 * RATE), 440.0)
    exact = (torch.arange(1, 120 * RATE + 1).double() * 440 / RATE) % 1
    off = (phase_cycles(f0, RATE)[0].double() - exact + 0.5) % 1 - 0.5
    assert off.abs().max() < 1e-6


def test_output_has_the_given_pitch() -> None:
    model = tiny_nsf()
    torch.nn.init.zeros_(model.outward.weight)
    bins = MEL.n_fft // 2 + 1
    model.outward.bias.data[2 * bins :] = -30.0  # no noise
    mel = torch.randn(1, 10, 60, generator=seeded(0))
    for hz in (200.0, 300.0):
        wave = model(mel, torch.full((1, 60), hz))[0, 1000:-1000].detach()
        power = torch.fft.rfft(wave * torch.hann_window(len(wave))).abs().square()
        at = torch.arange(len(power)) * RATE / len(wave)
        near = ((at / hz) - (at / hz).round()).abs() * hz < 10
        assert power[near].sum() > 0.99 * power.sum()


def test_length_and_noise() -> None:
    model, mel, f0 = tiny_nsf(), torch.zeros(2, 10, 9), torch.full((2, 9), 150.0)
    a, b = (model(mel, f0, generator=seeded(1)) for _ in range(2))
    assert a.shape == (2, 9 * HOP)
    assert torch.equal(a, b)
    assert not torch.equal(a, model(mel, f0, generator=seeded(2)))
    g = seeded(1)
    assert torch.equal(a, model(mel, f0, torch.randn(a.shape, generator=g)))


def test_saving_and_loading(tmp_path: Path) -> None:
    model = tiny_nsf()
    model.save_pretrained(tmp_path)
    again = NSF.from_pretrained(tmp_path)
    mel, f0 = torch.randn(1, 10, 4), torch.full((1, 4), 150.0)
    assert torch.equal(model(mel, f0, generator=seeded(0)), again(mel, f0, generator=seeded(0)))
    with pytest.raises(InputError, match=r"mel\.center false"):
        NSF(Mel(center=True))
