"""Pitch and loudness of speech and song, frame by frame of a contract."""

import warnings

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.stft import stft
from oneleap.domains.audio.wave import Wave

PERIOD_S = 0.005
"""Seconds between two of Harvest's values."""


def f0_hz(wave: Wave, mel: Mel, *, low: float = 60.0, high: float = 800.0) -> NDArray[np.float64]:
    """Fundamental frequency of each frame, (frames,), 0 where there is no voice; WORLD's Harvest.

    Harvest runs in real time's quarter. A frame takes the value nearest to
    its middle, so that no value is made up between voice and none.

    Args:
        wave: At the contract's sample rate.
        mel: The contract.
        low: Least pitch looked for, Hz.
        high: Greatest.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it imports setuptools' old pkg_resources
        import pyworld

    samples = wave.samples.astype(np.float64)
    found: NDArray[np.float64]
    found, _ = pyworld.harvest(
        samples, wave.sample_rate, f0_floor=low, f0_ceil=high, frame_period=1e3 * PERIOD_S
    )
    frames = len(samples) // mel.hop + mel.center
    middle = (np.arange(frames) + (0.0 if mel.center else 0.5)) * mel.hop / wave.sample_rate
    nearest = np.clip(np.rint(middle / PERIOD_S), 0, len(found) - 1).astype(int)
    each: NDArray[np.float64] = found[nearest]
    return each


def energy(wave: Float[Tensor, "b n"], mel: Mel) -> Float[Tensor, "b frames"]:
    """Natural logarithm of a frame's root-mean-square amplitude under the window, floored."""
    spectrum = stft(wave, mel.n_fft, mel.hop, mel.window, center=mel.center)
    power = spectrum.abs().square()
    both_sides = 2 * power.sum(1) - power[:, 0] - power[:, -1]  # Parseval, of a real signal
    window = torch.hann_window(mel.window, dtype=wave.dtype, device=wave.device).square().sum()
    return (both_sides / (mel.n_fft * window)).sqrt().clamp(min=mel.floor).log()
