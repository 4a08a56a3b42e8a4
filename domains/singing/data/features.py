"""Features of a recording, frame by frame: spectrogram, pitch, energy, breathiness."""

import math
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.pitch import interpolate_unvoiced, load_f0, log_energy
from oneleap.domains.audio.stft import stft
from oneleap.domains.audio.wave import Wave, read_wave
from oneleap.domains.singing.data.batches import QUIET_DB, SMOOTH_S, AudioFeatures, smooth

LOWEST_HZ, HIGHEST_HZ = 65.0, 1100.0
"""Range in which pitch of singing is looked for, in Hz."""


def audio_features(
    path: Path, mel: Mel, *, curves: bool, voicing: bool = False, cache: str | None = None
) -> AudioFeatures:
    """Compute the features of a recording.

    Args:
        path: Path of the sound file, which is resampled if necessary.
        mel: Spectrogram format.
        curves: Whether to compute energy and breathiness; otherwise they are zeros.
        voicing: Whether voicing follows the spectrogram as one more channel.
        cache: Folder that keeps estimated pitch, the slowest feature, or ``None``.

    Returns:
        The features; pitch is 0 throughout if no frame is voiced.

    Raises:
        InputError: The sound cannot be read.
    """
    wave = read_wave(path, mel.sample_rate)
    f0 = load_f0(path, wave, mel, cache, LOWEST_HZ, HIGHEST_HZ)
    frames = len(wave.samples) // mel.hop
    samples = torch.from_numpy(wave.samples[: frames * mel.hop]).unsqueeze(0)
    whole = interpolate_unvoiced(f0)
    if whole.any():
        whole = np.maximum(whole, LOWEST_HZ)
    spectrogram = log_mel(samples, mel)[0]
    if voicing:
        voiced = torch.from_numpy(np.where(f0[:frames] > 0, 1.0, -1.0)).float()
        spectrogram = torch.cat([spectrogram, voiced.unsqueeze(0)])
    zeros = np.zeros(frames)
    loud, breath = db_curves(wave, f0, mel) if curves else (zeros, zeros)
    return AudioFeatures(
        mel=spectrogram,
        f0=torch.from_numpy(whole[:frames]).float(),
        energy=torch.from_numpy(loud[:frames]).float(),
        breathiness=torch.from_numpy(breath[:frames]).float(),
    )


def db_curves(
    wave: Wave, f0: NDArray[np.float64], mel: Mel
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energy and breathiness of each frame in dB, smoothed.

    Breathiness is the energy of the aperiodic part. WORLD's D4C estimates the aperiodic fraction
    of each frequency bin; openvpi separates the parts by a network.

    Args:
        wave: Sound at the sample rate of ``mel``.
        f0: Pitch of each frame in Hz, 0 in unvoiced frames.
        mel: Spectrogram format.

    Returns:
        Energy and breathiness, (frames,) each.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pyworld imports the old pkg_resources
        import pyworld

    samples = torch.from_numpy(wave.samples).unsqueeze(0)
    loud = log_energy(samples, mel)[0].double().numpy() * 20 / math.log(10)
    power = stft(samples, mel.n_fft, mel.hop, mel.window)[0].abs().square().double().numpy()
    middle = (np.arange(len(f0)) + 0.5) * mel.hop / mel.sample_rate
    share = pyworld.d4c(
        wave.samples.astype(np.float64), f0, middle, mel.sample_rate, fft_size=mel.n_fft
    )
    n = min(power.shape[1], len(share))
    part = (power[:, :n] * share[:n].T ** 2).sum(0) / power[:, :n].sum(0).clip(1e-12)
    breath = loud[:n] + 10 * np.log10(part.clip(1e-9))
    return (
        smooth(np.maximum(loud[:n], QUIET_DB), SMOOTH_S, mel),
        smooth(np.maximum(breath, QUIET_DB), SMOOTH_S, mel),
    )
