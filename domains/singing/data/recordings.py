"""A folder of sung recordings: ``transcriptions.csv``, ``wavs`` and, if known, ``f0``."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.audio.wave import SUFFIXES, Wave, write_wave
from oneleap.domains.singing.segments.segment import Curve, Segment
from oneleap.domains.singing.segments.transcriptions import (
    read_transcriptions,
    write_transcriptions,
)

TABLE, SOUNDS, PITCH = "transcriptions.csv", "wavs", "f0"
"""Names in the folder."""

STEP_S = 0.005
"""Seconds between two values of a file in ``f0``."""


class Recording(NamedTuple):
    """A recording and what is sung in it.

    Attributes:
        path: The sound.
        segment: Its line of the table; with ``f0`` where the folder holds it.
    """

    path: Path
    segment: Segment


def recordings(folder: str | os.PathLike[str]) -> tuple[Recording, ...]:
    """All recordings of a folder, in the order of its table.

    ``f0/NAME.npy`` is a row of Hz, every 5 ms from the beginning, 0 without voice; where it is not
    there, pitch is to be found from the sound (``audio.pitch``).

    Raises:
        InputError: If a file is missing or wrong; the line names it.
    """
    folder = Path(folder)
    for path, kind in ((folder, "folder"), (folder / TABLE, "file"), (folder / SOUNDS, "folder")):
        if not path.exists():
            raise InputError(f"{path}: no such {kind}; openvpi's layout has {TABLE} and {SOUNDS}")
    sounds = {p.stem: p for p in sorted((folder / SOUNDS).iterdir()) if p.suffix in SUFFIXES}
    found = []
    for segment in read_transcriptions(folder / TABLE):
        if segment.name not in sounds:
            raise InputError(
                f"{folder / TABLE}: there is no {SOUNDS}/{segment.name}.wav (or .flac)"
            )
        known = folder / PITCH / f"{segment.name}.npy"
        pitched = replace(segment, f0=_read_f0(known)) if known.exists() else segment
        found.append(Recording(sounds[segment.name], pitched))
    return tuple(found)


def _read_f0(path: Path) -> Curve:
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        raise InputError(f"{path}: is no array of numbers; delete it to find pitch anew") from None
    if values.ndim != 1 or values.dtype.kind != "f":
        raise InputError(f"{path}: a row of Hz, not {values.dtype} of shape {values.shape}")
    return Curve(values.astype(np.float64), STEP_S)


def pieces(wave: Wave, segments: tuple[Segment, ...], name: str) -> Iterator[tuple[Segment, Wave]]:
    """The sound of each segment of a song, by its offset; they are named NAME_00 and so on."""
    for k, segment in enumerate(segments):
        first = round(segment.offset * wave.sample_rate)
        last = first + round(segment.seconds * wave.sample_rate)
        part = Wave(wave.samples[first:last], wave.sample_rate)
        yield replace(segment, name=f"{name}_{k:02d}", offset=0.0), part


def write_piece(folder: Path, segment: Segment, wave: Wave) -> None:
    """Write the sound of a recording, and its f0 if the segment has it."""
    write_wave(folder / SOUNDS / f"{segment.name}.wav", wave)
    if segment.f0 is not None:
        if not np.isclose(segment.f0.step_s, STEP_S):
            raise ValueError(f"f0 every {segment.f0.step_s} s, where files have {STEP_S} s")
        with replacing(folder / PITCH / f"{segment.name}.npy") as path:
            np.save(path, segment.f0.values.astype(np.float32), allow_pickle=False)


def write_table(folder: Path, segments: tuple[Segment, ...]) -> None:
    """Write the table of all recordings."""
    write_transcriptions(folder / TABLE, segments)
