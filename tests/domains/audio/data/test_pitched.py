"""Segments of recordings with pitch."""

import math
from pathlib import Path

import torch
from support.exact import seeded
from support.tiny_audio import HOP, MEL, RATE, tiny_nsf, write_recordings

from oneleap.domains.audio.data.pitched import PitchedAudioData
from oneleap.domains.audio.mel import log_mel
from oneleap.domains.audio.vocoders.losses import mel_distance


def test_segments_match_their_pitch(tmp_path: Path) -> None:
    data = PitchedAudioData(
        (str(write_recordings(tmp_path) / "wavs"),), mel=MEL, seconds=0.25, batch_size=6
    )
    batch = data.batch(seeded(4))
    assert batch.wave.shape == (6, 16 * HOP)
    assert batch.f0.shape == (6, 16)
    again = data.batch(seeded(4))
    assert all(torch.equal(a, b) for a, b in zip(batch, again, strict=True))
    for wave, f0 in zip(batch.wave, batch.f0, strict=True):
        first = round(
            (float(f0[0]) - 100) / 10 * 0.005 * RATE / HOP - 0.5
        )  # the pitch tells the time
        sine = torch.sin(2 * math.pi * 200 * (first * HOP + torch.arange(len(wave))) / RATE)
        lag = torch.dot(wave / wave.norm(), sine / sine.norm())
        assert lag > 0.97


def test_training_reduces_the_mel_distance(tmp_path: Path) -> None:
    data = PitchedAudioData(
        (str(write_recordings(tmp_path) / "wavs"),), mel=MEL, seconds=0.25, batch_size=4
    )
    model, batch = tiny_nsf().train(), data.batch(seeded(0))
    optimizer, losses = torch.optim.Adam(model.parameters(), 3e-2), []
    for step in range(40):
        fake = model(log_mel(batch.wave, MEL), batch.f0, generator=seeded(step))
        loss = mel_distance(fake, batch.wave, MEL)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
