"""The pulse train: its spectrum in closed form, and pitch where voicing begins and ends."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_audio import HOP, MEL, RATE

from oneleap.domains.audio.vocoders.harmonics import HIGHEST, harmonic_source, hold_pitch


@pytest.mark.parametrize("hz", [100.0, 200.0, 250.0])
def test_harmonics_have_amplitude_one_up_to_the_limit(hz: float) -> None:
    wave = harmonic_source(torch.full((1, 2 * RATE // HOP + 1), hz), MEL)[0, :RATE].double()
    amplitude = torch.fft.rfft(wave).abs() * 2 / RATE  # bins of 1 Hz, whole periods
    count = int(HIGHEST * RATE / hz)
    at = torch.arange(1, count + 1) * int(hz)
    torch.testing.assert_close(amplitude[at], torch.ones(count).double(), atol=2e-3, rtol=0)
    amplitude[at] = 0.0
    assert amplitude.max() < 2e-3  # nothing between them, none above the limit, no mean


def test_the_limit_is_a_share_of_the_sample_rate() -> None:
    wave = harmonic_source(torch.full((1, 80), 150.0), MEL, highest=0.1)[0, :RATE].double()
    amplitude = torch.fft.rfft(wave).abs() * 2 / RATE
    assert amplitude[750] == pytest.approx(1, abs=2e-3)  # 5 harmonics below 800 Hz
    assert amplitude[801:].max() < 2e-3


def test_pitch_is_linear_between_voiced_frames_and_held_at_unvoiced_ones() -> None:
    hz = hold_pitch(torch.tensor([[100.0, 200.0, 0.0, 300.0]]), HOP)[0]
    assert not hz[2 * HOP : 3 * HOP].any()
    middle = (torch.arange(HOP) + 0.5) / HOP
    torch.testing.assert_close(hz[HOP // 2 : 3 * HOP // 2], 100 + 100 * middle)
    assert torch.equal(hz[3 * HOP // 2 : 2 * HOP], torch.full((HOP // 2,), 200.0))
    assert torch.equal(hz[3 * HOP :], torch.full((HOP,), 300.0))  # no glide from 0


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.one_of(st.just(0.0), st.floats(60, 800, width=32)), min_size=1, max_size=12),
    st.integers(1, 9),
)
def test_held_pitch_stays_in_range_and_keeps_voicing(frames: list[float], hop: int) -> None:
    f0 = torch.tensor([frames])
    hz = hold_pitch(f0, hop).unflatten(1, (-1, hop))
    assert torch.equal((hz > 0).all(2), f0 > 0)
    assert torch.equal((hz > 0).any(2), f0 > 0)
    if (f0 > 0).any():
        assert hz[hz > 0].min() >= f0[f0 > 0].min() * (1 - 1e-5)
        assert hz.max() <= f0.max() * (1 + 1e-5)
