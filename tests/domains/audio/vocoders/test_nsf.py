"""The source-filter vocoder: its source in closed form, its pitch as it was told, its data."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.exact import seeded

from oneleap.core.errors import InputError
from oneleap.domains.audio.data.pitched import SungClips, carried_on, pitch_of
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.nsf import NSF, cycles, pulses
from oneleap.domains.audio.wave import Wave

RATE, HOP = 8000, 128
MEL = Mel(sample_rate=RATE, n_fft=256, hop=HOP, window=256, n_mels=10, fmax=4000.0)


def vocoder() -> NSF:
    torch.manual_seed(0)
    return NSF(MEL, width=8, hidden=8, depth=1).eval()


@given(hz=st.floats(40.0, 1000.0))
def test_pulses_are_the_sum_of_all_harmonics(hz: float) -> None:
    f0 = torch.full((1, 20), hz, dtype=torch.float64)
    count = math.floor(RATE / 2 / hz)
    t = torch.arange(1, 20 * HOP + 1, dtype=torch.float64) / RATE
    wanted = sum(torch.cos(2 * math.pi * k * hz * t) for k in range(1, count + 1))
    torch.testing.assert_close(pulses(f0, MEL)[0], wanted * math.sqrt(2 / count), atol=1e-6, rtol=0)


def test_pulses_have_power_one_and_none_without_voice() -> None:
    assert pulses(torch.full((1, 200), 200.0), MEL).square().mean() == pytest.approx(1, abs=0.05)
    assert not pulses(torch.zeros(1, 5), MEL).any()


def test_the_phase_holds_for_minutes() -> None:
    f0 = torch.full((1, 120 * RATE), 440.0)
    exact = (torch.arange(1, 120 * RATE + 1).double() * 440 / RATE) % 1
    off = (cycles(f0, RATE)[0].double() - exact + 0.5) % 1 - 0.5
    assert off.abs().max() < 1e-6


def test_what_is_heard_has_the_pitch_that_was_given() -> None:
    model = vocoder()
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


def test_frames_are_hops_and_noise_is_the_generators() -> None:
    model, mel, f0 = vocoder(), torch.zeros(2, 10, 9), torch.full((2, 9), 150.0)
    a, b = (model(mel, f0, generator=seeded(1)) for _ in range(2))
    assert a.shape == (2, 9 * HOP)
    assert torch.equal(a, b)
    assert not torch.equal(a, model(mel, f0, generator=seeded(2)))
    g = seeded(1)
    assert torch.equal(a, model(mel, f0, torch.randn(a.shape, generator=g)))


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    model = vocoder()
    model.save_pretrained(tmp_path)
    again = NSF.from_pretrained(tmp_path)
    mel, f0 = torch.randn(1, 10, 4), torch.full((1, 4), 150.0)
    assert torch.equal(model(mel, f0, generator=seeded(0)), again(mel, f0, generator=seeded(0)))
    with pytest.raises(InputError, match=r"mel\.center false"):
        NSF(Mel(center=True))


def test_pitch_is_carried_on_in_straight_lines() -> None:
    f0 = np.array([0, 100.0, 0, 400.0, 0])
    assert carried_on(f0) == pytest.approx([100, 100, 200, 400, 400])
    assert not carried_on(np.zeros(3)).any()


def folder(tmp_path: Path) -> Path:
    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "wavs").mkdir()
    (tmp_path / "f0").mkdir()
    for i in range(3):
        t = np.arange(RATE) / RATE
        soundfile.write(tmp_path / "wavs" / f"{i}.wav", 0.1 * np.sin(2 * np.pi * 200 * t), RATE)
        steps = (100 + 10 * np.arange(200) + i).astype(np.float32)
        np.save(tmp_path / "f0" / f"{i}.npy", steps)
    return tmp_path


def test_known_pitch_is_read_at_the_middles_of_frames(tmp_path: Path) -> None:
    path = folder(tmp_path) / "wavs" / "1.wav"
    wave = Wave(np.zeros(RATE, np.float32), RATE)
    found = pitch_of(path, wave, MEL, None, 65.0, 1000.0)
    middle = (np.arange(RATE // HOP) + 0.5) * HOP / RATE
    assert np.abs(found - (101 + 10 * middle / 0.005)).max() <= 5 + 1e-3
    (tmp_path / "f0" / "1.npy").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no row of numbers"):
        pitch_of(path, wave, MEL, None, 65.0, 1000.0)


def test_pieces_and_their_pitch_belong_together(tmp_path: Path) -> None:
    data = SungClips((str(folder(tmp_path) / "wavs"),), mel=MEL, seconds=0.25, batch_size=6)
    batch = data.batch(seeded(4))
    assert batch.wave.shape == (6, 16 * HOP)
    assert batch.f0.shape == (6, 16)
    again = data.batch(seeded(4))
    assert all(torch.equal(a, b) for a, b in zip(batch, again, strict=True))
    for wave, f0 in zip(batch.wave, batch.f0, strict=True):
        first = round((float(f0[0]) - 100) / 10 * 0.005 * RATE / HOP - 0.5)  # pitch tells time
        sine = torch.sin(2 * math.pi * 200 * (first * HOP + torch.arange(len(wave))) / RATE)
        lag = torch.dot(wave / wave.norm(), sine / sine.norm())
        assert lag > 0.97


def test_training_brings_the_spectra_nearer(tmp_path: Path) -> None:
    from oneleap.domains.audio.mel import log_mel
    from oneleap.domains.audio.vocoders.losses import mel_distance

    data = SungClips((str(folder(tmp_path) / "wavs"),), mel=MEL, seconds=0.25, batch_size=4)
    model, batch = vocoder().train(), data.batch(seeded(0))
    optimizer, losses = torch.optim.Adam(model.parameters(), 3e-2), []
    for step in range(40):
        fake = model(log_mel(batch.wave, MEL), batch.f0, generator=seeded(step))
        loss = mel_distance(fake, batch.wave, MEL)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
