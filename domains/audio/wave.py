"""Sound in memory and in files: mono, float32 on [-1, 1]."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.files import replacing

SUFFIXES = (".flac", ".mp3", ".ogg", ".opus", ".wav")
"""Files that are taken for sound in a folder."""

SILENCE = 1e-4
"""Peak below which a recording holds nothing, 80 dB below full scale."""


@dataclass(frozen=True, eq=False)
class Wave:
    """A sound.

    Attributes:
        samples: On [-1, 1], mono, (n,).
        sample_rate: Hz.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.sample_rate

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, of 16 bits a sample where its format has a choice; see :func:`write`."""
        write(path, self)


def joined(waves: Sequence[Wave], pause_s: float = 0.0) -> Wave:
    """One after the other, with silence between; all of one sample rate."""
    rate = waves[0].sample_rate
    if any(wave.sample_rate != rate for wave in waves):
        raise ValueError(f"sounds of different rates: {[wave.sample_rate for wave in waves]}")
    gap = np.zeros(round(pause_s * rate), np.float32)
    parts = [part for wave in waves for part in (gap, wave.samples)][1:]
    return Wave(np.concatenate(parts), rate)


def read(path: str | os.PathLike[str], sample_rate: int) -> Wave:
    """Read a sound, its channels averaged, resampled if it has another rate.

    Raises:
        InputError: If there is no such file, it cannot be read, is empty, silent, or not finite.
    """
    import soundfile
    import soxr

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        reason = str(error).rpartition(": ")[2].strip() or "it breaks off"
        raise InputError(f"{path}: not a sound that can be read ({reason})") from None
    mono: NDArray[np.float32] = samples.mean(axis=1)
    if len(mono) == 0:
        raise InputError(f"{path}: holds no samples")
    if not np.isfinite(mono).all():
        raise InputError(f"{path}: holds samples that are no numbers: convert it again")
    if np.abs(mono).max() < SILENCE:
        raise InputError(f"{path}: is silent (peak {np.abs(mono).max():.1g} of full scale)")
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate).astype(np.float32)
    return Wave(mono, sample_rate)


def write(path: str | os.PathLike[str], wave: Wave) -> None:
    """Write a sound in the format of the file's suffix; it appears whole or not at all.

    Raises:
        InputError: If there is no such format, or the folder cannot be written.
    """
    import soundfile

    path = Path(path)
    kinds = soundfile.available_formats()
    if path.suffix.lstrip(".").upper() not in kinds:
        raise InputError(f"{path}: no format for sound '{path.suffix}': name it .wav or .flac")
    try:
        with replacing(path) as temporary:
            soundfile.write(temporary, wave.samples.clip(-1, 1), wave.sample_rate)
    except (soundfile.SoundFileError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path} cannot be written ({reason})") from None


def files_in(folder: str | os.PathLike[str]) -> list[Path]:
    """All sounds below a folder, in order.

    Raises:
        InputError: If there is no such folder, or no sound in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{folder} holds no sound ({', '.join(SUFFIXES)})")
    return found


def trimmed(wave: Wave, below_db: float = 45.0, keep_s: float = 0.1) -> Wave:
    """Without the silence at both ends.

    Args:
        wave: The sound.
        below_db: What is so far below the loudest 10 ms is silence.
        keep_s: Seconds of it that are kept at each end.
    """
    step = max(1, wave.sample_rate // 100)
    blocks = wave.samples[: len(wave.samples) // step * step].reshape(-1, step)
    level = np.sqrt(np.square(blocks).mean(axis=1))
    if len(level) == 0 or level.max() == 0:
        return wave
    loud = np.flatnonzero(level > level.max() * 10 ** (-below_db / 20))
    keep = round(keep_s * wave.sample_rate)
    first, last = loud[0] * step - keep, (loud[-1] + 1) * step + keep
    return Wave(wave.samples[max(0, first) : last], wave.sample_rate)
