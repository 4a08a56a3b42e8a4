"""Loudness against the numbers of its norm, and sounds at one level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneleap.domains.audio.loudness import HIGHEST_PEAK, level, loudness
from oneleap.domains.audio.wave import Wave


def sine(hz: float, amplitude: float, seconds: float = 3.0, rate: int = 48_000) -> Wave:
    t = np.arange(round(seconds * rate)) / rate
    return Wave((amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32), rate)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
def test_a_full_scale_tone_at_997_hz_has_minus_3_01_lufs(rate: int) -> None:
    assert loudness(sine(997.0, 1.0, rate=rate)) == pytest.approx(-3.01, abs=0.02)


def test_low_frequencies_count_less_and_high_ones_more() -> None:
    levels = [loudness(sine(hz, 0.5)) for hz in (30.0, 100.0, 997.0, 8000.0)]
    assert levels == sorted(levels)
    assert levels[0] < levels[2] - 5
    assert levels[3] == pytest.approx(levels[2] + 3.3, abs=0.3)


def test_quiet_parts_do_not_count() -> None:
    loud, quiet = sine(997.0, 0.1, 4.0), sine(997.0, 0.001, 8.0)
    both = Wave(np.concatenate([loud.samples, quiet.samples]), loud.sample_rate)
    assert loudness(both) == pytest.approx(loudness(loud), abs=0.3)


def test_silence_and_nothing_have_no_loudness_and_stay() -> None:
    for n in (0, 10, 48_000):
        silent = Wave(np.zeros(n, np.float32), 48_000)
        assert loudness(silent) == -np.inf
        assert level(silent) is silent


@settings(max_examples=25, deadline=None)
@given(
    amplitude=st.floats(0.003, 1.0),
    offset=st.floats(-0.2, 0.2),
    seconds=st.floats(0.1, 1.5),
    lufs=st.floats(-40.0, -20.0),
)
def test_sounds_get_the_level_without_offset_or_clicks(
    amplitude: float, offset: float, seconds: float, lufs: float
) -> None:
    wave = sine(440.0, amplitude, seconds, 24_000)
    done = level(Wave(wave.samples + np.float32(offset), 24_000), lufs)
    assert loudness(done) == pytest.approx(lufs, abs=0.05)
    assert abs(float(done.samples.mean())) < 0.02 * float(np.abs(done.samples).max())
    assert max(abs(done.samples[0]), abs(done.samples[-1])) < 0.01 * np.abs(done.samples).max()


def test_peaks_stay_below_full_scale() -> None:
    click = np.zeros(24_000, np.float32)
    click[::2_000] = 1.0
    assert float(np.abs(level(Wave(click, 24_000), -3.0).samples).max()) <= HIGHEST_PEAK + 1e-6
