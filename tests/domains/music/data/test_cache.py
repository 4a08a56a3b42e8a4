"""The cache: spectrograms and facts about recordings."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_music import MEL, RATE, chord

from oneleap.domains.audio.mel import log_mel
from oneleap.domains.music.data import cache
from oneleap.domains.music.data.cache import (
    analyze_recording,
    estimate_key,
    frame_level_db,
    pitch_class_profile,
    split_into_blocks,
)

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_formats_and_sample_rates_are_read(suffix: str, tmp_path: Path) -> None:
    wave = chord(2.0, 220.0, 16_000)
    soundfile.write(tmp_path / f"a.{suffix}", np.stack([wave, wave], 1), 16_000)
    found, info = analyze_recording(tmp_path / f"a.{suffix}", MEL)
    wanted = log_mel(torch.from_numpy(chord(2.0, 220.0))[None], MEL)[0].numpy()
    assert info.seconds == pytest.approx(2.0, abs=0.2)  # mp3 pads
    if suffix == "flac":
        assert np.abs(found - wanted)[:, 2:-2].mean() < 0.05


def test_levels_follow_the_gain(tmp_path: Path) -> None:
    wave = chord(2.0, 220.0)
    levels = [
        frame_level_db(log_mel(torch.from_numpy(wave * g)[None], MEL), MEL)[0, 5:-5]
        for g in (1.0, 0.5)
    ]
    assert torch.allclose(levels[0] - levels[1], torch.full_like(levels[0], 6.02), atol=0.1)
    soundfile.write(tmp_path / "a.wav", wave, RATE)
    _, info = analyze_recording(tmp_path / "a.wav", MEL)
    assert 6 < info.range_db < 12  # swells from 0.3 to 1
    assert info.seconds == 2.0
    json.dumps(info.__dict__)


def test_a_440_hz_tone_is_an_a_and_the_key_of_a_scale_is_found() -> None:
    t = torch.arange(2 * RATE) / RATE
    tone = torch.sin(2 * torch.pi * 440 * t).unsqueeze(0)
    assert int(pitch_class_profile(tone, MEL).argmax()) == 9
    scale = [0, 2, 4, 5, 7, 9, 11]
    for tonic, name in ((0, "C major"), (7, "G major")):
        weights = {0: 3.0, 4: 2.0, 7: 2.0}
        profile = np.zeros(12, np.float32)
        for step in scale:
            profile[(tonic + step) % 12] = weights.get(step, 1.0)
        assert estimate_key(profile)[0] == name
    minor = np.zeros(12, np.float32)
    minor[[9, 0, 4]] = (3, 2, 2)
    minor[[11, 2, 5, 7]] = 0.5
    assert estimate_key(minor)[0] == "A minor"
    assert estimate_key(np.zeros(12, np.float32)) == ("C major", 0.0)


def test_long_recordings_are_cut_into_blocks_of_whole_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache, "BLOCK_S", 1)
    samples = torch.arange(2 * 62 * 128 + 100.0)
    parts = split_into_blocks(samples, MEL)
    assert torch.equal(torch.cat(parts, 1)[0], samples)
    assert all(part.shape[1] % 128 == 0 for part in parts[:-1])
    assert parts[-1].shape[1] >= MEL.n_fft
