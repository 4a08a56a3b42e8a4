"""Sound in memory and in files: one channel, float32 samples in [-1, 1]."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.outputs import check_output
from oneleap.core.reading.guard import check_size

SUFFIXES = (".flac", ".mp3", ".ogg", ".opus", ".wav")
"""File suffixes that count as sound when a folder is searched."""

RATES = (1_000, 768_000)
"""Lowest and highest sample rate of a sound file, in Hz."""

RATIO = 1_000
"""Largest number of bytes that a byte of compressed sound stands for."""

SILENCE = 1e-4
"""Peak amplitude below which a recording counts as silent, 80 dB below full scale."""


@dataclass(frozen=True, eq=False)
class Wave:
    """A mono sound.

    Attributes:
        samples: Samples in [-1, 1], (n,).
        sample_rate: Sample rate in Hz.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.samples) / self.sample_rate

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the sound to a file; see :func:`write_wave`."""
        write_wave(path, self)


def concatenate(waves: Sequence[Wave], pause_s: float = 0.0) -> Wave:
    """Join sounds of one sample rate, with a silent pause between neighbors.

    Raises:
        ValueError: The sample rates differ.
    """
    rate = waves[0].sample_rate
    if any(wave.sample_rate != rate for wave in waves):
        raise ValueError(f"sounds of different rates: {[wave.sample_rate for wave in waves]}")
    gap = np.zeros(round(pause_s * rate), np.float32)
    parts = [part for wave in waves for part in (gap, wave.samples)][1:]
    return Wave(np.concatenate(parts), rate)


def read_wave(path: str | os.PathLike[str], sample_rate: int) -> Wave:
    """Read a sound file, average its channels and resample it if necessary.

    Raises:
        InputError: The file does not exist, cannot be read, or holds samples that are missing,
            silent or not finite.
    """
    import soundfile
    import soxr

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        info = soundfile.info(path)
        if not RATES[0] <= info.samplerate <= RATES[1]:
            raise InputError(f"{path}: has a sample rate of {info.samplerate} Hz: convert the file")
        check_size(path, 4 * info.frames * info.channels, path.stat().st_size, RATIO)
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except InputError:
        raise
    except Exception as error:  # the decoders raise errors of their own
        reason = str(error).rpartition(": ")[2].strip() or "the file ends too early"
        raise InputError(f"{path}: cannot be read as sound ({reason})") from None
    mono: NDArray[np.float32] = samples.mean(axis=1)
    if len(mono) == 0:
        raise InputError(f"{path}: holds no samples")
    if not np.isfinite(mono).all():
        raise InputError(f"{path}: holds samples that are not finite: convert the file again")
    if np.abs(mono).max() < SILENCE:
        raise InputError(f"{path}: is silent (peak {np.abs(mono).max():.1g} of full scale)")
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate).astype(np.float32)
    return Wave(mono, sample_rate)


def check_sound_file(path: str | os.PathLike[str]) -> None:
    """Check before the work that :func:`write_wave` can write a file.

    Raises:
        InputError: The suffix names no known format, or the file cannot be written.
    """
    import soundfile

    path = Path(path)
    if path.suffix.lstrip(".").upper() not in soundfile.available_formats():
        raise InputError(f"{path}: unknown sound format '{path.suffix}': use .wav or .flac")
    check_output(path)


def write_wave(path: str | os.PathLike[str], wave: Wave) -> None:
    """Write a sound in the format that the file suffix names.

    Formats with a choice of sample width get 16 bits. The file appears complete or not at all.

    Raises:
        InputError: The suffix names no known format, or the file cannot be written.
    """
    import soundfile

    path = Path(path)
    check_sound_file(path)
    try:
        with atomic_write(path) as temporary:
            soundfile.write(temporary, wave.samples.clip(-1, 1), wave.sample_rate)
    except (soundfile.SoundFileError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path} cannot be written ({reason})") from None


def wav_bytes(wave: Wave) -> bytes:
    """Return a sound as the contents of a WAV file with 16 bits."""
    import io

    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, wave.samples.clip(-1, 1), wave.sample_rate, format="WAV")
    return buffer.getvalue()


def write_wav_stream(stream: BinaryIO, wave: Wave) -> None:
    """Write a sound as WAV with 16 bits to an open stream, such as a pipe."""
    stream.write(wav_bytes(wave))
    stream.flush()


def find_audio_files(folder: str | os.PathLike[str]) -> list[Path]:
    """List all sound files below a folder in sorted order; ``~`` is the home folder.

    Raises:
        InputError: The folder does not exist or holds no sound files.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = sorted(path for path in folder.rglob("[!.]*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{folder} holds no sound files ({', '.join(SUFFIXES)})")
    return found


def trim_silence(wave: Wave, below_db: float = 45.0, keep_s: float = 0.1) -> Wave:
    """Remove the silence at both ends.

    Args:
        wave: The sound.
        below_db: Level that counts as silence, in dB below the loudest 10 ms.
        keep_s: Seconds of silence to keep at each end.

    Returns:
        The shorter sound, or ``wave`` itself if it is silent throughout.
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
