"""Folders of sung recordings: ``transcriptions.csv``, ``wavs`` and optionally ``f0``."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.reading.arrays import read_array
from oneleap.domains.audio.data.pages import refers_to
from oneleap.domains.audio.wave import SUFFIXES, Wave, write_wave
from oneleap.domains.singing.segments.segment import Curve, ScoreSegment, Segment
from oneleap.domains.singing.segments.transcriptions import (
    read_transcriptions,
    write_transcriptions,
)

TABLE, SOUNDS, PITCH = "transcriptions.csv", "wavs", "f0"
"""Names of table, sound folder and pitch folder."""

STEP_S = 0.005
"""Seconds between two values of a pitch file."""


PAGE = "docs/howto/data-singing.md"
"""Page that says what a folder must hold."""


class SungRecording(NamedTuple):
    """A recording of one phrase and its transcription.

    Attributes:
        path: Path of the sound file.
        segment: Its line of the table, with ``f0`` if the folder holds a pitch file.
    """

    path: Path
    segment: ScoreSegment


@refers_to(PAGE)
def read_recordings(folder: str | os.PathLike[str]) -> tuple[SungRecording, ...]:
    """List all recordings of a folder in the order of its table.

    ``f0/NAME.npy`` holds pitch in Hz, one value every 5 ms, 0 in unvoiced parts. It is optional:
    :func:`oneleap.domains.audio.pitch.load_f0` estimates pitch where it is missing.

    Raises:
        InputError: A file is missing or invalid, or a phrase has no words, notes or slurs. The
            message names the file.
    """
    folder = Path(folder).expanduser()
    for path, kind in ((folder, "folder"), (folder / TABLE, "file"), (folder / SOUNDS, "folder")):
        if not path.exists():
            raise InputError(f"{path}: no such {kind}; the folder needs {TABLE} and {SOUNDS}")
    sounds = {
        p.stem: p for p in sorted((folder / SOUNDS).iterdir()) if p.suffix.lower() in SUFFIXES
    }
    found = []
    for segment in read_transcriptions(folder / TABLE):
        if segment.name not in sounds:
            raise InputError(f"{folder / TABLE}: {SOUNDS}/{segment.name}.wav (or .flac) is missing")
        try:
            score = ScoreSegment.from_segment(segment)
        except InputError as error:
            raise InputError(f"{folder / TABLE} ({segment.name}): {error}") from None
        known = folder / PITCH / f"{segment.name}.npy"
        pitched = replace(score, f0=_read_f0(known)) if known.exists() else score
        found.append(SungRecording(sounds[segment.name], pitched))
    return tuple(found)


def _read_f0(path: Path) -> Curve:
    values = read_array(path)
    if values.ndim != 1 or values.dtype.kind != "f":
        raise InputError(
            f"{path}: must be a row of floats, not {values.dtype} of shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds numbers that are not finite")
    return Curve(values.astype(np.float64), STEP_S)


def cut_song(
    wave: Wave, segments: tuple[Segment, ...], name: str
) -> Iterator[tuple[Segment, Wave]]:
    """Cut the recording of a song into its segments.

    Args:
        wave: The recording.
        segments: Segments with their offsets in the song.
        name: Name of the song; the segments are named ``NAME_00``, ``NAME_01`` ...

    Yields:
        Each segment, with offset 0, and its sound.
    """
    for k, segment in enumerate(segments):
        first = round(segment.offset * wave.sample_rate)
        last = first + round(segment.seconds * wave.sample_rate)
        part = Wave(wave.samples[first:last], wave.sample_rate)
        yield replace(segment, name=f"{name}_{k:02d}", offset=0.0), part


def write_recording(folder: Path, segment: Segment, wave: Wave) -> None:
    """Write the sound of a phrase, and its pitch file if the segment has pitch.

    Args:
        folder: Folder of the recordings.
        segment: The phrase; its name becomes the name of the files.
        wave: Its sound.
    """
    write_wave(folder / SOUNDS / f"{segment.name}.wav", wave)
    if segment.f0 is not None:
        if not np.isclose(segment.f0.step_s, STEP_S):
            raise ValueError(
                f"f0 has a value every {segment.f0.step_s} s, but files need {STEP_S} s"
            )
        with atomic_write(folder / PITCH / f"{segment.name}.npy") as path:
            np.save(path, segment.f0.values.astype(np.float32), allow_pickle=False)


def write_table(folder: Path, segments: tuple[Segment, ...]) -> None:
    """Write the table of all phrases."""
    write_transcriptions(folder / TABLE, segments)
