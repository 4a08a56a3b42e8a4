"""Pitch, pitch files, interpolation and energy."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_audio import MEL, RATE, tone, write_recordings

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import log_mel
from oneleap.domains.audio.pitch import estimate_f0, interpolate_unvoiced, load_f0, log_energy
from oneleap.domains.audio.wave import Wave


@pytest.mark.parametrize("hz", [110.0, 220.0, 330.0])
def test_the_pitch_of_a_tone(hz: float) -> None:
    pytest.importorskip("pyworld")
    quiet = np.zeros(RATE // 2, np.float32)
    wave = Wave(np.concatenate([tone(1.0, hz), quiet]), RATE)
    f0 = estimate_f0(wave, MEL)
    assert len(f0) == log_mel(torch.from_numpy(wave.samples)[None], MEL).shape[2]
    assert abs(np.median(f0[5:50]) - hz) < 0.01 * hz
    assert not f0[-20:].any()


def test_energy_of_white_noise_is_its_standard_deviation() -> None:
    wave = 0.1 * torch.randn(4, 80_000, generator=torch.Generator().manual_seed(0)).double()
    level = log_energy(wave, MEL)
    assert level.shape == log_mel(wave, MEL).shape[::2]
    assert abs(float(level.exp().square().mean().sqrt()) - 0.1) < 1e-3
    assert float(log_energy(torch.zeros(1, 4000), MEL).max()) == pytest.approx(math.log(MEL.floor))


def test_unvoiced_frames_are_interpolated() -> None:
    f0 = np.array([0, 100.0, 0, 400.0, 0])
    assert interpolate_unvoiced(f0) == pytest.approx([100, 100, 200, 400, 400])
    assert not interpolate_unvoiced(np.zeros(3)).any()


def test_pitch_files_are_read_at_frame_centers(tmp_path: Path) -> None:
    path = write_recordings(tmp_path) / "wavs" / "1.wav"
    wave = Wave(np.zeros(RATE, np.float32), RATE)
    found = load_f0(path, wave, MEL, None, 65.0, 1000.0)
    middle = (np.arange(RATE // MEL.hop) + 0.5) * MEL.hop / RATE
    assert np.abs(found - (101 + 10 * middle / 0.005)).max() <= 5 + 1e-3
    (tmp_path / "f0" / "1.npy").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not an array of numbers"):
        load_f0(path, wave, MEL, None, 65.0, 1000.0)
