"""The smallest NSF vocoder, and recordings whose pitch tells the time."""

from pathlib import Path

import numpy as np
import pytest
import torch

from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.nsf import NSF

RATE, HOP = 8000, 128
MEL = Mel(sample_rate=RATE, n_fft=256, hop=HOP, window=256, n_mels=10, fmax=4000.0)


def vocoder() -> NSF:
    """An NSF of a few hundred random weights."""
    torch.manual_seed(0)
    return NSF(MEL, width=8, hidden=8, depth=1).eval()


def write_recordings(tmp_path: Path) -> Path:
    """Write three sines of 200 Hz, each with a pitch file that rises over time."""
    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "wavs").mkdir()
    (tmp_path / "f0").mkdir()
    for i in range(3):
        t = np.arange(RATE) / RATE
        soundfile.write(tmp_path / "wavs" / f"{i}.wav", 0.1 * np.sin(2 * np.pi * 200 * t), RATE)
        steps = (100 + 10 * np.arange(200) + i).astype(np.float32)
        np.save(tmp_path / "f0" / f"{i}.npy", steps)
    return tmp_path
