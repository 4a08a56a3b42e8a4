"""Targets given by users: names of curves, CSV files, and recordings."""

import os
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError, suggest
from oneleap.core.reading.guard import SHOWN
from oneleap.core.reading.text import read_rows
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.wave import SILENCE, Wave, read_wave
from oneleap.domains.music.controls.presets import LOUD_DB, PRESETS, QUIET_DB

CURVE_FORMAT = "expected two columns (seconds and dB) or one column of dB, one row per frame"


def preset_curve(
    name: str, frames: int, low: float = QUIET_DB, high: float = LOUD_DB
) -> Float[Tensor, "n"]:
    """Return a curve of :data:`~oneleap.domains.music.controls.presets.PRESETS` in dB.

    Args:
        name: Name of the preset.
        frames: Number of frames.
        low: Level of 0 in dB.
        high: Level of 1 in dB.

    Raises:
        InputError: If there is no such preset.
    """
    if name not in PRESETS:
        raise InputError(
            f"intensity: no preset '{name}'{suggest(name, PRESETS)} ({', '.join(PRESETS)}; "
            "or name a .csv file)"
        )
    levels = PRESETS[name]
    curve = np.interp(np.linspace(0, len(levels) - 1, frames), range(len(levels)), levels)
    return torch.from_numpy(low + (high - low) * curve)


def intensity_target(
    source: str, spec: Mel, frames: int, seconds: float, *, low: float, high: float
) -> Float[Tensor, "n"]:
    """Return the target level of each frame of a clip in dB.

    Args:
        source: Name of a preset, or path of a CSV file. The file has either two columns, seconds
            and dB, between which the curve is interpolated, or one column of dB with one row per
            frame. A header is skipped.
        spec: Mel format.
        frames: Number of frames of the clip.
        seconds: Duration of the clip. A curve in seconds must have the same duration.
        low: Lowest level of a preset in dB.
        high: Highest level of a preset in dB.

    Raises:
        InputError: If there is no such preset or file, or its curve does not fit the clip.
    """
    if not source.lower().endswith(".csv"):
        return preset_curve(source, frames, low, high)
    table = read_curve(source)
    if table.shape[1] == 1:
        if len(table) != frames:
            raise InputError(
                f"intensity: {source} has {len(table)} values, the clip {frames} frames: give one "
                "value per frame, or two columns (seconds and dB)"
            )
        return torch.from_numpy(table[:, 0].copy())
    times, levels = table.T
    if (np.diff(times) <= 0).any():
        raise InputError(f"intensity: {source}: the seconds in the first column must increase")
    tolerance = 1.5 / spec.frame_rate
    if times[0] > tolerance or times[-1] < seconds - tolerance or times[-1] > seconds + 0.05:
        raise InputError(
            f"intensity: {source} covers {times[0]:g} to {times[-1]:g} s, the clip 0 to "
            f"{seconds:g} s: they must have the same duration"
        )
    return torch.from_numpy(np.interp(frame_times(frames, spec), times, levels))


def frame_times(frames: int, spec: Mel) -> NDArray[np.float64]:
    """Return the time of the middle of each frame in seconds."""
    times: NDArray[np.float64] = (
        np.arange(frames) + (0.0 if spec.center else 0.5)
    ) / spec.frame_rate
    return times


def read_curve(path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """Read the numbers of a CSV file of one or two columns, (rows, columns).

    Raises:
        InputError: If it cannot be read, or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    rows = [row for row in read_rows(path) if any(cell.strip() for cell in row)]
    if rows and not _numeric(rows[0]):
        rows = rows[1:]
    if len(rows) < 2:
        raise InputError(f"{path}: a curve needs at least two rows: {CURVE_FORMAT}")
    for k, row in enumerate(rows, 1):
        if not _numeric(row) or len(row) != len(rows[0]) or len(row) > 2:
            raise InputError(f"{path}: row {k} is '{','.join(row)[:SHOWN]}': {CURVE_FORMAT}")
    return np.array([[float(cell) for cell in row] for row in rows])


def _numeric(row: list[str]) -> bool:
    """Whether all cells of a row are finite numbers."""
    try:
        return bool(np.isfinite([float(cell) for cell in row]).all())
    except ValueError:
        return False


def parse_structure(text: str) -> str:
    """Return the letters of the sections of a clip in upper case.

    Raises:
        InputError: If there are fewer than 2 or more than 8 letters, or other characters.
    """
    letters = text.strip().upper()
    if not (letters.isascii() and letters.isalpha() and 2 <= len(letters) <= 8):
        raise InputError(f"structure: expected 2 to 8 letters, such as ABA, not '{text}'")
    return letters


def read_complete_wave(path: str | os.PathLike[str], sample_rate: int) -> Wave:
    """Read a sound with :func:`oneleap.domains.audio.wave.read_wave`, and refuse truncated files.

    A WAV file stores its length, and most MP3 files do; an Ogg file does not.

    Raises:
        InputError: If it cannot be read, or is shorter than it says.
    """
    import soundfile

    wave = read_wave(path, sample_rate)
    declared, actual = soundfile.info(path).duration, wave.seconds
    if Path(path).suffix.lower() == ".wav":
        declared *= _wav_length_ratio(Path(path))
    if actual < 0.98 * declared:
        raise InputError(f"{path} is truncated: it has {actual:.1f} of {declared:.1f} s")
    return wave


def _wav_length_ratio(path: Path) -> float:
    """Return the length of a WAV file's samples by its header, relative to their actual length.

    The ratio is 1 for a length that was never filled in: programs that write into a pipe leave
    it at 0 or at its maximum.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        at = file.seek(12)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                actual = size - at - 8
                return length / actual if actual < length < 0xFFFFF000 else 1.0
            at = file.seek(at + 8 + length + length % 2)
    return 1.0


def read_clip(path: str | os.PathLike[str], spec: Mel, control: str) -> Wave:
    """Read a recording for a control, at the sample rate of the mel format.

    Args:
        path: Sound file.
        spec: Mel format.
        control: Name of the control, for error messages.

    Returns:
        The recording, resampled.

    Raises:
        InputError: If it cannot be read, is silent, truncated, or shorter than two windows.
    """
    wave = read_complete_wave(path, spec.sample_rate)
    if len(wave.samples) < 2 * spec.n_fft:
        raise InputError(f"{control}: {path} lasts {wave.seconds:.2f} s, which is too short")
    return wave


def check_not_silent(samples: NDArray[np.float32], what: str) -> None:
    """Check that samples are not silent.

    Raises:
        InputError: If they are; the message starts with ``what``.
    """
    if np.abs(samples).max(initial=0.0) < SILENCE:
        raise InputError(f"{what} is silent: there is nothing to continue from")


def wave_to_mel(wave: Wave, spec: Mel) -> Float[Tensor, "1 mels n"]:
    """Return the normalized spectrogram of a sound."""
    return log_mel(torch.from_numpy(wave.samples.copy())[None], spec)
