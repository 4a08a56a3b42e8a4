"""Recordings that stay in their files: parts of them are read when they are needed."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.reading.guard import reading
from oneleap.domains.audio.wave import RATES

SEEKABLE = (".flac", ".wav")
"""Suffixes of files whose parts can be read exactly."""


class FileSamples:
    """The samples of a file at 16 bits; a slice reads its part.

    Args:
        path: WAV or FLAC file.
        sample_rate: Sample rate in Hz that it must have.

    Raises:
        InputError: It has another format or rate, or cannot be read.
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        import soundfile

        if path.suffix.lower() not in SEEKABLE:
            raise InputError(
                f"{path}: parts of {path.suffix} files cannot be read exactly: convert it to WAV "
                "or FLAC, or keep the data in memory"
            )
        with reading(path, "sound"):
            info = soundfile.info(path)
        if info.samplerate != sample_rate:
            raise InputError(
                f"{path}: has {info.samplerate} Hz, and is to be read without resampling at "
                f"{sample_rate} Hz: resample it, or keep the data in memory"
            )
        if not info.frames or not RATES[0] <= info.samplerate <= RATES[1]:
            raise InputError(f"{path}: holds no samples")
        self.path, self.frames = path, int(info.frames)

    def __len__(self) -> int:
        return self.frames

    def __getitem__(self, part: slice) -> NDArray[np.int16]:
        import soundfile

        first, stop, _ = part.indices(self.frames)
        with reading(self.path, "sound"):
            found, _ = soundfile.read(
                self.path, start=first, stop=stop, dtype="float32", always_2d=True
            )
        mono: NDArray[np.float32] = found.mean(axis=1)
        if len(mono) != stop - first or not np.isfinite(mono).all():
            raise InputError(f"{self.path}: ends too early, or holds samples that are not finite")
        return to_int16(mono)


def to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Samples in [-1, 1] at 16 bits."""
    rounded: NDArray[np.int16] = np.round(samples.clip(-1, 1) * 32767).astype(np.int16)
    return rounded
