"""The smallest sounds and vocoders, and recordings whose pitch tells the time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.vocos import Vocos

RATE, HOP = 8_000, 128
MEL = Mel(sample_rate=RATE, n_fft=256, hop=HOP, window=256, n_mels=10, fmax=4000.0)


def tone(seconds: float = 0.5, hz: float = 220.0, rate: int = RATE) -> NDArray[np.float32]:
    """A sawtooth-like sound of ten harmonics with a peak of about 0.5."""
    t = np.arange(round(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 11))
    return np.asarray(0.25 * wave, np.float32)


def tiny_vocos() -> Vocos:
    """A Vocos with random weights."""
    torch.manual_seed(0)
    model = Vocos(MEL, width=16, hidden=16, depth=2)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


def tiny_nsf() -> NSF:
    """An NSF with its initial weights."""
    torch.manual_seed(0)
    return NSF(MEL, width=8, hidden=8, depth=1).eval()


def write_recordings(folder: Path) -> Path:
    """Write three sines of 200 Hz, each with a pitch file that rises over time."""
    soundfile = pytest.importorskip("soundfile")
    (folder / "wavs").mkdir()
    (folder / "f0").mkdir()
    for i in range(3):
        t = np.arange(RATE) / RATE
        soundfile.write(folder / "wavs" / f"{i}.wav", 0.1 * np.sin(2 * np.pi * 200 * t), RATE)
        steps = (100 + 10 * np.arange(200) + i).astype(np.float32)
        np.save(folder / "f0" / f"{i}.npy", steps)
    return folder


def tiny_source_filter() -> SourceFilterVocoder:
    """A source-filter vocoder with random weights."""
    torch.manual_seed(0)
    model = SourceFilterVocoder(MEL, width=8, hidden=8, depth=1)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


def write_parts(folder: Path) -> Path:
    """Write recordings with pitch, and parts that tell the frame."""
    write_recordings(folder)
    (folder / "parts").mkdir()
    frames = RATE // HOP
    for i in range(3):
        parts = np.zeros((frames, 5, MEL.n_fft // 2 + 1), np.float16)
        parts += (np.arange(frames) / 16 - 4).astype(np.float16)[:, None, None]
        np.save(folder / "parts" / f"{i}.npy", parts)
    return folder
