"""Synthesis with WORLD: spectra, noise, pitch and level."""

import numpy as np
import pytest

from oneleap.domains.singing.synthetic.synthesis import aperiodicity, power_spectrum, synthesize

pytest.importorskip("pyworld")


def test_power_of_a_cepstrum() -> None:
    # c_0 alone is a flat spectrum; c_1 is cos of the warped frequency, +1 at 0 and -1 at the end.
    flat = power_spectrum(np.array([[np.log(32768.0), 0.0]], np.float32), 64)
    np.testing.assert_allclose(flat, 1.0, rtol=1e-4)
    tilted = power_spectrum(np.array([[np.log(32768.0), 0.5]], np.float32), 64)[0]
    assert tilted[0] == pytest.approx(np.e, rel=1e-4)
    assert tilted[-1] == pytest.approx(1 / np.e, rel=1e-4)
    assert (np.diff(tilted) < 0).all()


def test_the_noise_is_the_complement_of_the_low_pass() -> None:
    moving = np.full(8, 1 / 8, np.float32)
    noise = aperiodicity(moving, 64)
    assert noise[0] == pytest.approx(1e-3)
    assert noise[8] == pytest.approx(1 - 1e-3)  # a zero of the moving average


def test_the_sound_has_the_right_pitch_and_level() -> None:
    rate, frames = 16_000, 200
    f0 = np.full(frames, 200.0)
    spectra = np.full((frames, 513), 1e-4)
    sound = synthesize(f0, spectra, np.full(513, 1e-3), 0.005, rate)
    assert len(sound) == 16_000
    spectrum = np.abs(np.fft.rfft(sound))
    assert spectrum[200] > 20 * spectrum[150]  # 1 Hz a bin
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(1e-2, rel=0.2)
