"""Phonemes with durations beside the recordings of a folder: ``alignment.jsonl``."""

import json
import os
from pathlib import Path
from typing import NamedTuple

from oneleap.core.errors import InputError

FILE = "alignment.jsonl"
"""One JSON object a line, with ``name``, ``phonemes`` and ``durations_s`` among others."""


class Alignment(NamedTuple):
    """Phonemes of a recording with their durations.

    Attributes:
        phonemes: Phonemes in the order of the sound; ``^`` and ``$`` are the silence around it.
        durations_s: Duration of each in seconds; their sum is the duration of the recording.
    """

    phonemes: tuple[str, ...]
    durations_s: tuple[float, ...]


def read_alignments(folder: str | os.PathLike[str]) -> dict[str, Alignment]:
    """Read the phonemes and durations of the recordings of a folder.

    Args:
        folder: A folder in the layout of LJSpeech, such as ``oneleap collect speech`` writes.

    Returns:
        Alignments by name of the recording; empty if the folder has no such file.

    Raises:
        InputError: A line is damaged, or has other numbers of phonemes and durations.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return {}
    found: dict[str, Alignment] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            about = json.loads(line)
            phonemes = tuple(str(p) for p in about["phonemes"])
            durations = tuple(float(d) for d in about["durations_s"])
            name = str(about["name"])
        except (ValueError, TypeError, KeyError):
            raise InputError(
                f"{path}, line {number}: expected a JSON object with name, phonemes and durations_s"
            ) from None
        if len(phonemes) != len(durations) or min(durations, default=0.0) < 0:
            raise InputError(
                f"{path}, line {number}: {name} has {len(phonemes)} phonemes and "
                f"{len(durations)} durations, which must be as many and not negative"
            )
        found[name] = Alignment(phonemes, durations)
    return found
