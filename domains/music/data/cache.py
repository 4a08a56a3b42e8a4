"""Recordings as spectrograms in memory-mapped files, computed once, with what is known of each."""

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
from oneleap.core.files import replacing
from oneleap.domains.audio.mel import Mel, log_mel, magnitudes
from oneleap.domains.audio.stft import stft
from oneleap.domains.audio.wave import read_wave

BLOCK_S = 60
"""Seconds that are transformed at once."""

KEYS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""Key profiles of Krumhansl and Kessler (1982): how well each pitch class fits the tonic's key."""


@dataclass(frozen=True)
class Facts:
    """What is known of a recording.

    Attributes:
        seconds: How long it is.
        loudness_db: Median level of its frames, dB relative to full scale, silence left out.
        range_db: From the 5th to the 95th percentile of these levels.
        key: Of Krumhansl and Schmuckler's algorithm, "A minor".
        clarity: Correlation with that key's profile, at most 1.
    """

    seconds: float
    loudness_db: float
    range_db: float
    key: str
    clarity: float


@dataclass(frozen=True, eq=False)
class Piece:
    """A recording, ready.

    Attributes:
        path: Where it is from.
        mel: Spectrogram of the contract, float16, (mels, n); mapped, not read.
        facts: What is known of it.
    """

    path: Path
    mel: NDArray[np.float16]
    facts: Facts


def load(paths: Sequence[Path], mel: Mel, cache: str | os.PathLike[str]) -> list[Piece]:
    """Spectrograms of recordings, from the cache, or computed and put there.

    A cached file goes by the recording's contents and the contract: renamed recordings are found
    again, changed ones are not.

    Raises:
        InputError: If a recording cannot be read, is silent, or is shorter than a window.
    """
    return [_piece(path, mel, Path(cache)) for path in paths]


def _piece(path: Path, mel: Mel, cache: Path) -> Piece:
    digest = hashlib.sha256(json.dumps(asdict(mel)).encode())
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    name = digest.hexdigest()[:32]
    features, about = cache / f"{name}.npy", cache / f"{name}.json"
    if not about.is_file():  # written last: where it is, the other is complete
        _keep(features, about, *analysed(path, mel))
    try:
        mapped = np.load(features, mmap_mode="r", allow_pickle=False)
        facts = Facts(**json.loads(about.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{features} is damaged ({error}): delete the folder {cache}") from None
    return Piece(path, mapped, facts)


def _keep(features: Path, about: Path, computed: NDArray[np.float16], facts: Facts) -> None:
    """Put a spectrogram into the cache.

    Raises:
        InputError: If the cache cannot be written.
    """
    try:
        with replacing(features) as temporary:
            np.save(temporary, computed, allow_pickle=False)
        with replacing(about) as temporary:
            temporary.write_text(json.dumps(asdict(facts)) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{features.parent} cannot be written ({error.strerror}): name another data.cache"
        ) from None


def analysed(path: Path, mel: Mel) -> tuple[NDArray[np.float16], Facts]:
    """Spectrogram and facts of a recording.

    Raises:
        InputError: See :func:`load`.
    """
    wave = read_wave(path, mel.sample_rate)
    if len(wave.samples) < mel.n_fft:
        raise InputError(f"{path}: {wave.seconds:.3f} s is shorter than a window of mel.n_fft")
    samples = torch.from_numpy(wave.samples)
    features = torch.cat([log_mel(x, mel) for x in blocks(samples, mel)], dim=2)[0]
    profile = torch.stack([chroma(x, mel) for x in blocks(samples, mel)]).sum(0)
    key, clarity = key_of(profile.numpy())
    level = loudness(features.unsqueeze(0), mel)[0]
    heard = level[level > level.max() - 60]
    low, middle, high = torch.quantile(heard, torch.tensor([0.05, 0.5, 0.95])).tolist()
    facts = Facts(wave.seconds, round(middle, 2), round(high - low, 2), key, round(clarity, 3))
    return features.numpy().astype(np.float16), facts


def blocks(samples: Float[Tensor, "n"], mel: Mel) -> list[Float[Tensor, "1 m"]]:
    """Pieces of whole frames that are transformed one after the other, for want of memory.

    At the seams a frame sees its own mirror instead of its neighbours.
    """
    size = round(BLOCK_S * mel.frame_rate) * mel.hop
    parts = [samples[i : i + size] for i in range(0, len(samples), size)]
    if len(parts) > 1 and len(parts[-1]) < mel.n_fft:
        parts[-2:] = [torch.cat(parts[-2:])]
    return [part.unsqueeze(0) for part in parts]


def loudness(features: Float[Tensor, "b mels n"], mel: Mel) -> Float[Tensor, "b n"]:
    """Level of each frame in dB: the root mean square of its bands' magnitudes, uncalibrated."""
    power = magnitudes(features, mel).square().mean(1)
    return 10 * torch.log10(power.clamp(min=1e-12))


def chroma(samples: Float[Tensor, "1 n"], mel: Mel) -> Float[Tensor, "12"]:
    """Energy of each pitch class, C first, from 60 Hz to 2 kHz, summed over time."""
    power = stft(samples, 4096, 2048, 4096, center=True).abs().square().sum((0, 2))
    hz = torch.arange(len(power)) * mel.sample_rate / 4096
    used = (hz > 60) & (hz < 2000)
    pitch = (12 * torch.log2(hz[used] / 440) + 9).round().long() % 12
    return torch.zeros(12).index_add(0, pitch, power[used].sqrt())


def key_of(profile: NDArray[np.float32]) -> tuple[str, float]:
    """The key whose profile correlates best with a chroma (Krumhansl 1990), and how well."""
    best = ("C major", -1.0)
    for mode, fits in (("major", MAJOR), ("minor", MINOR)):
        for tonic in range(12):
            wanted = np.roll(fits, tonic)
            r = float(np.corrcoef(profile, wanted)[0, 1]) if profile.std() > 0 else 0.0
            if r > best[1]:
                best = (f"{KEYS[tonic]} {mode}", r)
    return best
