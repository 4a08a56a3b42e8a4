"""Targets that a person gives: words, files of curves, sounds to go on from. One line if wrong."""

import csv
import os
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError, nearest
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.wave import SILENCE, Wave, read_wave

QUIET_DB, LOUD_DB = -34.0, -16.0
"""Ends of the presets, dB below full scale: of music whose peaks are near full scale, a tenth is
softer than the one and a tenth is louder than the other, about."""

PRESETS = {
    "rise": (0.0, 1.0),
    "fall": (1.0, 0.0),
    "hill": (0.0, 1.0, 0.0),
    "valley": (1.0, 0.0, 1.0),
    "flat": (0.7, 0.7),
    "loud": (1.0, 1.0),
    "quiet": (0.0, 0.0),
    "late": (0.0, 0.0, 1.0),
    "early": (1.0, 0.0, 0.0),
    "waves": (0.0, 1.0, 0.0, 1.0, 0.0),
}
"""Curves of loudness: straight lines between levels, 0 quiet and 1 loud, at equal distances."""

CURVE = "two columns, seconds and dB, or one of dB for each frame"


def preset(
    name: str, frames: int, low: float = QUIET_DB, high: float = LOUD_DB
) -> Float[Tensor, "n"]:
    """A curve of :data:`PRESETS`, dB.

    Raises:
        InputError: If there is no such preset.
    """
    if name not in PRESETS:
        raise InputError(
            f"intensity: no '{name}'{nearest(name, PRESETS)} ({', '.join(PRESETS)}, or a .csv)"
        )
    levels = PRESETS[name]
    curve = np.interp(np.linspace(0, len(levels) - 1, frames), range(len(levels)), levels)
    return torch.from_numpy(low + (high - low) * curve)


def intensity_target(
    asked: str, spec: Mel, frames: int, seconds: float, *, low: float, high: float
) -> Float[Tensor, "n"]:
    """Loudness of each frame of a clip, dB: a preset's, or a file's.

    Args:
        asked: Name of a preset, or path of a CSV file: two columns, seconds and dB, between which
            lines are drawn, or one of dB for each frame. A heading is skipped.
        spec: The contract.
        frames: Of the clip.
        seconds: Of the clip, which a curve in seconds has to reach.
        low: Level of a preset's quiet, dB.
        high: Level of its loud.

    Raises:
        InputError: If there is no such preset or file, or its curve does not fit the clip.
    """
    if not asked.lower().endswith(".csv"):
        return preset(asked, frames, low, high)
    table = read_curve(asked)
    if table.shape[1] == 1:
        if len(table) != frames:
            raise InputError(
                f"intensity: {asked} has {len(table)} values, the clip {frames} frames: one value "
                "a frame, or two columns, seconds and dB"
            )
        return torch.from_numpy(table[:, 0].copy())
    times, levels = table.T
    if (np.diff(times) <= 0).any():
        raise InputError(f"intensity: {asked}: seconds in the first column rise from row to row")
    slack = 1.5 / spec.frame_rate
    if times[0] > slack or times[-1] < seconds - slack or times[-1] > seconds + 0.05:
        raise InputError(
            f"intensity: {asked} goes from {times[0]:g} to {times[-1]:g} s, the clip from 0 to "
            f"{seconds:g} s: they are of one length"
        )
    middle = (np.arange(frames) + (0.0 if spec.center else 0.5)) / spec.frame_rate
    return torch.from_numpy(np.interp(middle, times, levels))


def read_curve(path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """Numbers of a CSV file of one or two columns, (rows, columns).

    Raises:
        InputError: If it cannot be read, or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a table that can be read ({error})") from None
    if rows and not _numeric(rows[0]):
        rows = rows[1:]
    if len(rows) < 2:
        raise InputError(f"{path}: a curve has two rows or more: {CURVE}")
    for k, row in enumerate(rows, 1):
        if not _numeric(row) or len(row) != len(rows[0]) or len(row) > 2:
            raise InputError(f"{path}: row {k} is '{','.join(row)}': {CURVE}")
    return np.array([[float(cell) for cell in row] for row in rows])


def _numeric(row: list[str]) -> bool:
    try:
        return bool(np.isfinite([float(cell) for cell in row]).all())
    except ValueError:
        return False


def read_pattern(text: str) -> str:
    """Letters of the sections of a clip, in capitals.

    Raises:
        InputError: If there are fewer than two, or too many, or other signs.
    """
    letters = text.strip().upper()
    if not (letters.isascii() and letters.isalpha() and 2 <= len(letters) <= 8):
        raise InputError(f"structure: 2 to 8 letters, such as ABA, not '{text}'")
    return letters


def read_whole(path: str | os.PathLike[str], sample_rate: int) -> Wave:
    """A sound, as :func:`oneleap.domains.audio.wave.read_wave`, but not one that breaks off.

    A WAV file says how long its samples are, and most MP3 files do; an Ogg file does not.

    Raises:
        InputError: If it cannot be read, or holds less than it says.
    """
    import soundfile

    wave = read_wave(path, sample_rate)
    promised, held = soundfile.info(path).duration, wave.seconds
    if Path(path).suffix.lower() == ".wav":
        promised *= _missing(Path(path))
    if held < 0.98 * promised:
        raise InputError(f"{path} is cut off: {held:.1f} of {promised:.1f} s are there")
    return wave


def _missing(path: Path) -> float:
    """How many times longer the samples of a WAV file are by its header than in fact, or 1.

    Programs that write into a pipe leave the length at 0 or at its greatest.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        at = file.seek(12)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                there = size - at - 8
                return length / there if there < length < 0xFFFFF000 else 1.0
            at = file.seek(at + 8 + length + length % 2)
    return 1.0


def read_clip(path: str | os.PathLike[str], spec: Mel, what: str) -> Wave:
    """A sound to go on from, at the contract's sample rate, of two frames' length at least.

    Raises:
        InputError: If it cannot be read, is silent, or is cut off too early.
    """
    wave = read_whole(path, spec.sample_rate)
    if len(wave.samples) < 2 * spec.n_fft:
        raise InputError(f"{what}: {path} lasts {wave.seconds:.2f} s: too short to go on from")
    return wave


def refuse_silence(samples: NDArray[np.float32], what: str) -> None:
    """Refuse a stretch in which there is nothing to be heard.

    Raises:
        InputError: If there is nothing.
    """
    if np.abs(samples).max(initial=0.0) < SILENCE:
        raise InputError(f"{what} is silent: there is nothing to go on from")


def spectrogram_of(wave: Wave, spec: Mel) -> Float[Tensor, "1 mels n"]:
    """The normalised spectrogram of a sound."""
    return log_mel(torch.from_numpy(wave.samples.copy())[None], spec)
