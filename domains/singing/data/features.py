"""What is measured in a recording, frame by frame: spectrum, pitch, energy, breath."""

import math
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.pitch import energy, interpolate_unvoiced, load_f0
from oneleap.domains.audio.stft import stft
from oneleap.domains.audio.wave import Wave, read_wave
from oneleap.domains.singing.data.batches import SMOOTH_S, Take, smoothed

QUIET_DB = -96.0
"""What is softer counts as this."""

LOWEST_HZ, HIGHEST_HZ = 65.0, 1100.0


def take(path: Path, mel: Mel, *, curves: bool, cache: str | None = None) -> Take:
    """Features of a recording.

    Args:
        path: Of the sound; resampled if it has another rate.
        mel: Contract.
        curves: Whether energy and breathiness are wanted; zeros are given otherwise.
        cache: Folder in which pitch is kept, the one that takes long.

    Raises:
        InputError: If the sound cannot be read.
    """
    wave = read_wave(path, mel.sample_rate)
    f0 = load_f0(path, wave, mel, cache, LOWEST_HZ, HIGHEST_HZ)
    frames = len(wave.samples) // mel.hop
    samples = torch.from_numpy(wave.samples[: frames * mel.hop]).unsqueeze(0)
    whole = np.maximum(interpolate_unvoiced(f0), LOWEST_HZ)
    loud, breath = (db_curves(wave, f0, mel)) if curves else (np.zeros(frames), np.zeros(frames))
    return Take(
        mel=log_mel(samples, mel)[0],
        f0=torch.from_numpy(whole[:frames]).float(),
        energy=torch.from_numpy(loud[:frames]).float(),
        breathiness=torch.from_numpy(breath[:frames]).float(),
    )


def db_curves(
    wave: Wave, f0: NDArray[np.float64], mel: Mel
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Root-mean-square of each frame, and of its aperiodic part, dB, smoothed.

    The aperiodic share of each bin is WORLD's (D4C), where openvpi separates by a network.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it imports setuptools' old pkg_resources
        import pyworld

    samples = torch.from_numpy(wave.samples).unsqueeze(0)
    loud = energy(samples, mel)[0].double().numpy() * 20 / math.log(10)
    power = stft(samples, mel.n_fft, mel.hop, mel.window)[0].abs().square().double().numpy()
    middle = (np.arange(len(f0)) + 0.5) * mel.hop / mel.sample_rate
    share = pyworld.d4c(
        wave.samples.astype(np.float64), f0, middle, mel.sample_rate, fft_size=mel.n_fft
    )
    n = min(power.shape[1], len(share))
    part = (power[:, :n] * share[:n].T ** 2).sum(0) / power[:, :n].sum(0).clip(1e-12)
    breath = loud[:n] + 10 * np.log10(part.clip(1e-9))
    return (
        smoothed(np.maximum(loud[:n], QUIET_DB), SMOOTH_S, mel),
        smoothed(np.maximum(breath, QUIET_DB), SMOOTH_S, mel),
    )
