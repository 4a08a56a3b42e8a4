"""Reading of ``alignment.jsonl``: the phonemes of recordings, and how long each of them lasts."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from oneleap.core.errors import InputError
from oneleap.core.reading.text import read_text

ALIGNMENT = "alignment.jsonl"
"""Name of the file, which lies beside ``metadata.csv``."""


class Alignment(NamedTuple):
    """Phonemes of a recording and their durations.

    Attributes:
        phonemes: Symbols, with those of the silence before and after the text.
        durations_s: Duration of each symbol in seconds.
        where: File and line, for messages.
    """

    phonemes: tuple[str, ...]
    durations_s: tuple[float, ...]
    where: str

    def frames(self, total: int, frame_rate: float) -> list[int]:
        """Number of frames of each symbol.

        The times at which symbols end are rounded, not each duration. The last symbol takes the
        frames that are left.

        Args:
            total: Number of frames of the recording.
            frame_rate: Frames per second.

        Raises:
            InputError: If the symbols do not end where the recording ends, up to two frames.
        """
        ends = np.rint(np.cumsum(self.durations_s) * frame_rate).astype(int)
        if abs(int(ends[-1]) - total) > 2:
            raise InputError(
                f"{self.where}: durations end after {ends[-1] / frame_rate:.2f} s, the recording "
                f"after {total / frame_rate:.2f} s: align the whole recording, and do not trim it "
                "(data.trim_db: null)"
            )
        ends = ends.clip(max=total)
        ends[-1] = total
        return [int(n) for n in np.diff(ends, prepend=0)]


def read_alignment(folder: Path) -> dict[str, Alignment]:
    """Read the alignments of a folder, by the name of the recording.

    Each line is a JSON object with at least ``name``, ``phonemes`` (a list of symbols) and
    ``durations_s`` (a list of seconds, one for each symbol).

    Args:
        folder: The folder; without the file there are no alignments.

    Raises:
        InputError: If a line is wrong.
    """
    path, found = folder / ALIGNMENT, dict[str, Alignment]()
    if not path.is_file():
        return found
    for number, line in enumerate(read_text(path).splitlines(), 1):
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
            phonemes = tuple(str(symbol) for symbol in row["phonemes"])
            durations = tuple(float(seconds) for seconds in row["durations_s"])
            name = str(row["name"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise InputError(
                f"{where}: expected an object with name, phonemes and durations_s"
            ) from None
        if len(phonemes) != len(durations) or not phonemes:
            raise InputError(f"{where}: {len(durations)} durations for {len(phonemes)} phonemes")
        if not all(0 <= seconds < math.inf for seconds in durations):
            raise InputError(f"{where}: a duration is negative or no number")
        found[name] = Alignment(phonemes, durations, where)
    return found
