"""A cache of spectrograms and facts about recordings, in files that are mapped into memory."""

import hashlib
import json
import os
from collections.abc import Sequence
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
from oneleap.core.reading.guard import reading
from oneleap.core.reading.text import read_json
from oneleap.domains.audio.mel import Mel, log_mel, magnitudes
from oneleap.domains.audio.stft import stft
from oneleap.domains.audio.wave import read_wave
from oneleap.domains.music.features.chroma import PITCH_CLASSES

BLOCK_S = 60
"""Length in seconds of the blocks that are transformed at once."""

MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""Key profiles of Krumhansl and Kessler (1982): how well a pitch class fits a key, tonic first."""


@dataclass(frozen=True)
class RecordingInfo:
    """Facts about a recording. The cache stores them under these field names.

    Attributes:
        seconds: Duration.
        loudness_db: Median level of the frames in dB relative to full scale, without silence.
        range_db: Difference of the 95th and the 5th percentile of these levels, in dB.
        key: Key by the Krumhansl-Schmuckler algorithm, such as ``A minor``.
        clarity: Correlation with the profile of that key, at most 1.
    """

    seconds: float
    loudness_db: float
    range_db: float
    key: str
    clarity: float


@dataclass(frozen=True, eq=False)
class CachedRecording:
    """A recording whose spectrogram is in the cache.

    Attributes:
        path: File of the recording.
        mel: Spectrogram in the mel format, float16, (mels, n). It is memory-mapped.
        info: Facts about the recording.
    """

    path: Path
    mel: NDArray[np.float16]
    info: RecordingInfo


def load_recordings(
    paths: Sequence[Path], mel: Mel, cache: str | os.PathLike[str]
) -> list[CachedRecording]:
    """Load the spectrograms of recordings from a cache; compute those that it lacks.

    The name of a cached file depends on the contents of the recording and on the mel format. A
    renamed recording is therefore found again, and a changed one is computed anew.

    Args:
        paths: Sound files.
        mel: Format of the spectrograms.
        cache: Folder of the cache; it is created if it does not exist.

    Returns:
        One entry per path, in order.

    Raises:
        InputError: If a recording cannot be read, is silent, or is shorter than a window, or if
            the cache is damaged or cannot be written.
    """
    return [_load_recording(path, mel, Path(cache)) for path in paths]


def _load_recording(path: Path, mel: Mel, cache: Path) -> CachedRecording:
    digest = hashlib.sha256(json.dumps(asdict(mel)).encode())
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    name = digest.hexdigest()[:32]
    features, info_file = cache / f"{name}.npy", cache / f"{name}.json"
    if not info_file.is_file():  # it is written last: where it exists, the other is complete
        _write_cache(features, info_file, *analyze_recording(path, mel))
    try:
        with reading(features, "part of a cache"):
            mapped = read_array(features, mapped=True)
            if mapped.ndim != 2 or mapped.dtype != np.float16 or len(mapped) != mel.n_mels:
                raise ValueError(f"it has {mapped.dtype} of shape {mapped.shape}")
            info = RecordingInfo(**read_json(info_file))
    except InputError as error:
        raise InputError(f"{features} is damaged ({error}): delete the folder {cache}") from None
    return CachedRecording(path, mapped, info)


def _write_cache(
    features: Path, info_file: Path, computed: NDArray[np.float16], info: RecordingInfo
) -> None:
    """Write a spectrogram and the facts about its recording.

    Raises:
        InputError: If the cache cannot be written.
    """
    try:
        with atomic_write(features) as temporary:
            np.save(temporary, computed, allow_pickle=False)
        with atomic_write(info_file) as temporary:
            temporary.write_text(json.dumps(asdict(info)) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{features.parent} cannot be written ({error.strerror}): set another data.cache"
        ) from None


def analyze_recording(path: Path, mel: Mel) -> tuple[NDArray[np.float16], RecordingInfo]:
    """Compute the spectrogram of a recording and the facts about it.

    Raises:
        InputError: If the recording cannot be read, is silent, or is shorter than a window.
    """
    wave = read_wave(path, mel.sample_rate)
    if len(wave.samples) < mel.n_fft:
        raise InputError(f"{path}: {wave.seconds:.3f} s is shorter than a window of mel.n_fft")
    samples = torch.from_numpy(wave.samples)
    blocks = split_into_blocks(samples, mel)
    features = torch.cat([log_mel(x, mel) for x in blocks], dim=2)[0]
    profile = torch.stack([pitch_class_profile(x, mel) for x in blocks]).sum(0)
    key, clarity = estimate_key(profile.numpy())
    level = frame_level_db(features.unsqueeze(0), mel)[0]
    audible = level[level > level.max() - 60]
    low, middle, high = torch.quantile(audible, torch.tensor([0.05, 0.5, 0.95])).tolist()
    info = RecordingInfo(
        seconds=wave.seconds,
        loudness_db=round(middle, 2),
        range_db=round(high - low, 2),
        key=key,
        clarity=round(clarity, 3),
    )
    return features.numpy().astype(np.float16), info


def split_into_blocks(samples: Float[Tensor, "n"], mel: Mel) -> list[Float[Tensor, "1 m"]]:
    """Split samples into blocks of whole frames, which bounds the memory of a transform.

    At the borders of a block, a frame sees the block mirrored instead of its neighbors.
    """
    size = round(BLOCK_S * mel.frame_rate) * mel.hop
    parts = [samples[i : i + size] for i in range(0, len(samples), size)]
    if len(parts) > 1 and len(parts[-1]) < mel.n_fft:
        parts[-2:] = [torch.cat(parts[-2:])]
    return [part.unsqueeze(0) for part in parts]


def frame_level_db(features: Float[Tensor, "b mels n"], mel: Mel) -> Float[Tensor, "b n"]:
    """Return the level of each frame in dB: the RMS of its band magnitudes, not calibrated."""
    power = magnitudes(features, mel).square().mean(1)
    return 10 * torch.log10(power.clamp(min=1e-12))


def pitch_class_profile(samples: Float[Tensor, "1 n"], mel: Mel) -> Float[Tensor, "12"]:
    """Sum the magnitude of each pitch class from 60 Hz to 2 kHz over time; C comes first."""
    power = stft(samples, 4096, 2048, 4096, center=True).abs().square().sum((0, 2))
    hz = torch.arange(len(power)) * mel.sample_rate / 4096
    used = (hz > 60) & (hz < 2000)
    pitch = (12 * torch.log2(hz[used] / 440) + 9).round().long() % 12
    return torch.zeros(12).index_add(0, pitch, power[used].sqrt())


def estimate_key(profile: NDArray[np.float32]) -> tuple[str, float]:
    """Find the key whose profile correlates best with a pitch class profile (Krumhansl 1990).

    Returns:
        The key, such as ``A minor``, and the correlation.
    """
    best = ("C major", -1.0)
    for mode, fits in (("major", MAJOR), ("minor", MINOR)):
        for tonic in range(12):
            expected = np.roll(fits, tonic)
            r = float(np.corrcoef(profile, expected)[0, 1]) if profile.std() > 0 else 0.0
            if r > best[1]:
                best = (f"{PITCH_CLASSES[tonic]} {mode}", r)
    return best
