"""Pitch and loudness of recordings, one value per spectrogram frame."""

import hashlib
import json
import math
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.reading.arrays import read_array
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.stft import stft
from oneleap.domains.audio.wave import Wave


@dataclass(frozen=True)
class PitchFormat:
    """Format of two channels that describe pitch: the logarithm of f0, and voicing.

    The first channel is ``log(f0 / center_hz) / scale``, continued over unvoiced frames. The
    second channel is 1 in voiced and -1 in unvoiced frames, divided by ``voicing_scale``.

    Attributes:
        center_hz: Pitch that becomes 0, in Hz.
        scale: Standard deviation of log pitch that becomes 1.
        voicing_scale: Divisor of the voicing channel.

    Raises:
        InputError: If a number is not positive and finite.
    """

    center_hz: float = 160.0
    scale: float = 0.35
    voicing_scale: float = 1.0

    def __post_init__(self) -> None:
        """Check all fields."""
        for name in ("center_hz", "scale", "voicing_scale"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"pitch: {name} must be positive, not {getattr(self, name)}")

    def encode(self, f0: NDArray[np.float64]) -> Float[Tensor, "2 frames"]:
        """Convert pitch in Hz, 0 where unvoiced, to the two channels.

        A sound without a voiced frame gets the central pitch.
        """
        whole = interpolate_unvoiced(f0) if (f0 > 0).any() else np.full(len(f0), self.center_hz)
        voiced = np.where(f0 > 0, 1.0, -1.0) / self.voicing_scale
        channels = np.stack([np.log(whole / self.center_hz) / self.scale, voiced])
        return torch.from_numpy(channels).float()

    def decode(self, channels: Float[Tensor, "b 2 n"]) -> Float[Tensor, "b n"]:
        """Convert the two channels to pitch in Hz, 0 where unvoiced."""
        f0 = self.center_hz * (channels[:, 0] * self.scale).exp()
        return f0.masked_fill(channels[:, 1] <= 0, 0.0)


PERIOD_S = 0.005
"""Seconds between two pitch values of Harvest, and of ``f0/NAME.npy`` files."""


def harvest(wave: Wave, low: float = 60.0, high: float = 800.0) -> NDArray[np.float64]:
    """Estimate pitch every 5 ms with WORLD's Harvest, in about a quarter of the sound's duration.

    Args:
        wave: The sound.
        low: Lowest pitch to look for, in Hz.
        high: Highest pitch to look for, in Hz.

    Returns:
        Pitch in Hz, 0 where unvoiced.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pyworld imports the old pkg_resources
        import pyworld

    found: NDArray[np.float64]
    found, _ = pyworld.harvest(
        wave.samples.astype(np.float64),
        wave.sample_rate,
        f0_floor=low,
        f0_ceil=high,
        frame_period=1e3 * PERIOD_S,
    )
    return found


def estimate_f0(
    wave: Wave, mel: Mel, *, low: float = 60.0, high: float = 800.0
) -> NDArray[np.float64]:
    """Estimate the fundamental frequency of each frame; see :func:`harvest`.

    Each frame takes the value nearest to its center, so no value is interpolated between voiced
    and unvoiced parts.

    Args:
        wave: Sound at the sample rate of ``mel``.
        mel: Spectrogram format, which fixes the frames.
        low: Lowest pitch to look for, in Hz.
        high: Highest pitch to look for, in Hz.

    Returns:
        Pitch in Hz, (frames,); 0 in unvoiced frames.
    """
    frames = len(wave.samples) // mel.hop + mel.center
    middle = (np.arange(frames) + (0.0 if mel.center else 0.5)) * mel.hop / wave.sample_rate
    return _nearest(harvest(wave, low, high), middle)


def load_f0(
    path: Path, wave: Wave, mel: Mel, cache: str | None, low: float, high: float
) -> NDArray[np.float64]:
    """Pitch of each frame of a sound file: from a file, from a cache, or by Harvest.

    If the sound lies in ``FOLDER/wavs`` and ``FOLDER/f0/NAME.npy`` exists, that file is used. It
    holds Hz values, one every 5 ms. Otherwise Harvest estimates pitch, and the cache keeps it.

    Args:
        path: Path of the sound file.
        wave: Its sound at the sample rate of ``mel``.
        mel: Spectrogram format, which fixes the frames.
        cache: Folder for estimates of Harvest, or ``None``.
        low: Lowest pitch to look for, in Hz.
        high: Highest pitch to look for, in Hz.

    Returns:
        Pitch in Hz, (frames,); 0 in unvoiced frames.

    Raises:
        InputError: A pitch file is damaged.
    """
    known = path.parent.parent / "f0" / f"{path.stem}.npy"
    if known.is_file():
        frames = len(wave.samples) // mel.hop
        middle = (np.arange(frames) + 0.5) * mel.hop / mel.sample_rate
        return _nearest(_read_values(known), middle)
    if cache is None:
        return estimate_f0(wave, mel, low=low, high=high)
    key = json.dumps([asdict(mel), low, high, str(path.resolve()), path.stat().st_mtime_ns])
    file = Path(cache) / f"f0-{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
    if file.is_file():
        return _read_values(file)
    found = estimate_f0(wave, mel, low=low, high=high)
    with atomic_write(file) as temporary:
        np.save(temporary, found.astype(np.float32), allow_pickle=False)
    return found


def _nearest(values: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values every 5 ms, read at the nearest grid point to each time."""
    nearest = np.clip(np.rint(times_s / PERIOD_S), 0, len(values) - 1).astype(int)
    each: NDArray[np.float64] = values[nearest]
    return each


def _read_values(path: Path) -> NDArray[np.float64]:
    values = read_array(path)
    if values.dtype.kind not in "biuf":
        raise InputError(f"{path}: holds {values.dtype}: delete it to estimate pitch again")
    values = values.astype(np.float64)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise InputError(f"{path}: is not a row of numbers: delete it to estimate pitch again")
    return values


def interpolate_unvoiced(f0: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill unvoiced frames by linear interpolation of log pitch; the ends hold their neighbors.

    A sound without any voiced frame stays 0 throughout.
    """
    voiced = np.flatnonzero(f0 > 0)
    if len(voiced) == 0:
        return f0
    whole: NDArray[np.float64] = np.exp(np.interp(np.arange(len(f0)), voiced, np.log(f0[voiced])))
    return whole


def log_energy(wave: Float[Tensor, "b n"], mel: Mel) -> Float[Tensor, "b frames"]:
    """Natural logarithm of the windowed root-mean-square amplitude of each frame."""
    spectrum = stft(wave, mel.n_fft, mel.hop, mel.window, center=mel.center)
    power = spectrum.abs().square()
    both_sides = 2 * power.sum(1) - power[:, 0] - power[:, -1]  # Parseval for a real signal
    window = torch.hann_window(mel.window, dtype=wave.dtype, device=wave.device).square().sum()
    return (both_sides / (mel.n_fft * window)).sqrt().clamp(min=mel.floor).log()
