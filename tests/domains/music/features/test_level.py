"""Loudness in short windows, and its jumps, of sounds whose levels are known."""

import math

import pytest
import torch
from torch import Tensor

from oneleap.domains.audio.mel import log_mel
from oneleap.domains.music.features.level import (
    QUIET_DB,
    jump_at,
    level_jumps,
    levels_of_mel,
    levels_of_samples,
    reach_of_jumps,
)
from oneleap.domains.music.spec import MUSIC_MEL

FRAMES, HOP = 240, MUSIC_MEL.hop


def tone(gain_db: Tensor) -> Tensor:
    """A sine of 1 kHz whose level is given frame by frame, in dB relative to full scale."""
    t = torch.arange(FRAMES * HOP, dtype=torch.float64) / MUSIC_MEL.sample_rate
    gain = (10 ** (gain_db / 20)).repeat_interleave(HOP)
    return (math.sqrt(2) * gain * torch.sin(2 * math.pi * 1000 * t))[None]


def flat(level: float = -20.0) -> Tensor:
    return torch.full((FRAMES,), level, dtype=torch.float64)


def test_levels_are_those_of_the_sound() -> None:
    level = levels_of_samples(tone(flat()), MUSIC_MEL)
    torch.testing.assert_close(level[0], flat(), atol=0.1, rtol=0)
    assert level_jumps(level, MUSIC_MEL).max() < 0.1


@pytest.mark.parametrize("depth", [10.0, 28.0])
def test_a_gap_counts_with_its_depth(depth: float) -> None:
    gain = flat()
    gain[120:132] -= depth  # 0.14 s
    jumps = level_jumps(levels_of_samples(tone(gain), MUSIC_MEL), MUSIC_MEL)[0]
    assert jumps[126].item() == pytest.approx(depth, abs=0.5)
    assert jumps[:60].max() < 0.2
    assert jumps[190:].max() < 0.2


def test_a_lasting_step_counts_with_half_its_height() -> None:
    gain = flat()
    gain[120:] -= 12.0
    jumps = level_jumps(levels_of_samples(tone(gain), MUSIC_MEL), MUSIC_MEL)[0]
    assert jumps[120].item() == pytest.approx(6, abs=0.2)


def test_a_slow_rise_and_silence_have_no_jump() -> None:
    rise = torch.linspace(-34, -16, FRAMES, dtype=torch.float64)
    middle = slice(reach_of_jumps(MUSIC_MEL), -reach_of_jumps(MUSIC_MEL))
    jumps = level_jumps(levels_of_samples(tone(rise), MUSIC_MEL), MUSIC_MEL)[0]
    assert jumps[middle].max() < 1.5
    silence = levels_of_samples(torch.zeros(1, FRAMES * HOP), MUSIC_MEL)
    assert (silence == QUIET_DB).all()
    assert (level_jumps(silence, MUSIC_MEL) == 0).all()
    assert torch.isfinite(level_jumps(silence[:, :3], MUSIC_MEL)).all()


def test_spectrograms_have_the_level_of_their_sound() -> None:
    g = torch.Generator().manual_seed(0)
    sound = 0.1 * torch.randn(1, FRAMES * HOP, generator=g, dtype=torch.float64)
    sound[:, 100 * HOP : 140 * HOP] *= 0.1
    of_mel = levels_of_mel(log_mel(sound, MUSIC_MEL), MUSIC_MEL)
    inside = torch.cat([torch.arange(10, 95), torch.arange(106, 134), torch.arange(146, 230)])
    error = (of_mel - levels_of_samples(sound, MUSIC_MEL))[0, inside]
    assert (error - error.mean()).abs().max() < 1
    assert error.mean().item() == pytest.approx(10 * math.log10(8000 / 11025), abs=0.8)  # fmax


def test_distances_at_a_frame_are_those_of_the_largest() -> None:
    g = torch.Generator().manual_seed(0)
    level = 10 * torch.randn(2, FRAMES, generator=g, dtype=torch.float64) - 40
    jumps = level_jumps(level, MUSIC_MEL)
    for frame in (50, 120, 180):
        found = jump_at(level, frame, MUSIC_MEL).abs().amax(1)
        torch.testing.assert_close(found, jumps[:, frame])
