"""A voice's parameters to sound, its pitch moved onto the notes."""

import numpy as np
import pytest

from oneleap.domains.singing.segments.hts import Label
from oneleap.domains.singing.synthetic.pitch_correction import MAX_DEVIATION, correct_pitch
from oneleap.domains.singing.synthetic.synthesis import aperiodicity, power_spectrum, synthesize

pytest.importorskip("pyworld")

VOWELS = frozenset("aiueo")


def test_power_of_a_cepstrum() -> None:
    # c_0 alone is a flat spectrum; c_1 is cos of the warped frequency, +1 at 0 and -1 at the end.
    flat = power_spectrum(np.array([[np.log(32768.0), 0.0]], np.float32), 64)
    np.testing.assert_allclose(flat, 1.0, rtol=1e-4)
    tilted = power_spectrum(np.array([[np.log(32768.0), 0.5]], np.float32), 64)[0]
    assert tilted[0] == pytest.approx(np.e, rel=1e-4)
    assert tilted[-1] == pytest.approx(1 / np.e, rel=1e-4)
    assert (np.diff(tilted) < 0).all()


def test_noise_is_what_the_low_pass_stops() -> None:
    moving = np.full(8, 1 / 8, np.float32)
    noise = aperiodicity(moving, 64)
    assert noise[0] == pytest.approx(1e-3)
    assert noise[8] == pytest.approx(1 - 1e-3)  # a zero of the moving average


def line(start: int, end: int, phoneme: str, note: str) -> Label:
    return Label(start * 50_000, end * 50_000, f"x@a^a-{phoneme}+a=a_x/E:{note}]x/F:x")


def test_pitch_is_moved_onto_the_notes() -> None:
    takes = (line(0, 40, "pau", "xx"), line(40, 60, "s", "A4"), line(60, 200, "a", "A4"))
    takes += (line(200, 360, "a", "C5"), line(360, 400, "pau", "xx"))
    hertz = np.zeros(400)
    hertz[60:200] = 440 * 2 ** (-1 / 12)  # a semitone flat
    hertz[200:360] = 440 * 2 ** (1.5 / 12)  # half of the step too low
    found = correct_pitch(hertz, takes, 0.005, VOWELS)
    assert (found[:60] == 0).all()
    np.testing.assert_allclose(found[80:180], 440, rtol=1e-6)
    np.testing.assert_allclose(found[220:340], 440 * 2 ** (3 / 12), rtol=1e-6)
    between = found[190:210]
    assert (np.diff(between) > 0).any()
    assert between.max() < 560
    silent = np.zeros(400)
    assert (correct_pitch(silent, takes, 0.005, VOWELS) == 0).all()


def test_pitch_that_steps_within_a_note_is_bent_back() -> None:
    takes = (line(0, 200, "a", "A4"), line(200, 240, "pau", "xx"))
    hertz = np.where(np.arange(240) < 60, 440 * 2 ** (-1.8 / 12), 440.0)
    hertz[120:200] *= 2 ** (0.1 * np.sin(np.arange(80) / 4) / 12)  # a vibrato stays
    hertz[200:] = 0
    found = 12 * np.log2(correct_pitch(hertz, takes, 0.005, VOWELS)[:200] / 440)
    assert np.abs(found[:50]).max() == pytest.approx(MAX_DEVIATION, abs=0.02)
    assert np.ptp(found[120:190]) > 0.18


def test_the_sound_has_the_pitch_and_the_level() -> None:
    rate, frames = 16_000, 200
    f0 = np.full(frames, 200.0)
    spectra = np.full((frames, 513), 1e-4)
    sound = synthesize(f0, spectra, np.full(513, 1e-3), 0.005, rate)
    assert len(sound) == 16_000
    spectrum = np.abs(np.fft.rfft(sound))
    assert spectrum[200] > 20 * spectrum[150]  # 1 Hz a bin
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(1e-2, rel=0.2)
