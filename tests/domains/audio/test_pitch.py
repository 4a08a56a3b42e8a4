"""Pitch and loudness of a tone are known."""

import math

import numpy as np
import pytest
import torch
from support.tiny_speech import MEL, RATE, tone

from oneleap.domains.audio.mel import log_mel
from oneleap.domains.audio.pitch import energy, f0_hz
from oneleap.domains.audio.wave import Wave


@pytest.mark.parametrize("hz", [110.0, 220.0, 330.0])
def test_the_pitch_of_a_tone(hz: float) -> None:
    pytest.importorskip("pyworld")
    quiet = np.zeros(RATE // 2, np.float32)
    wave = Wave(np.concatenate([tone(1.0, hz), quiet]), RATE)
    f0 = f0_hz(wave, MEL)
    assert len(f0) == log_mel(torch.from_numpy(wave.samples)[None], MEL).shape[2]
    assert abs(np.median(f0[5:50]) - hz) < 0.01 * hz
    assert not f0[-20:].any()


def test_energy_of_white_noise_is_its_deviation() -> None:
    wave = 0.1 * torch.randn(4, 80_000, generator=torch.Generator().manual_seed(0)).double()
    level = energy(wave, MEL)
    assert level.shape == log_mel(wave, MEL).shape[::2]
    assert abs(float(level.exp().square().mean().sqrt()) - 0.1) < 1e-3
    assert float(energy(torch.zeros(1, 4000), MEL).max()) == pytest.approx(math.log(MEL.floor))
