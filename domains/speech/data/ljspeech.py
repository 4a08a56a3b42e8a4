"""Folders of recordings in LJSpeech's layout: ``metadata.csv`` and ``wavs/``."""

import os
from pathlib import Path
from typing import NamedTuple

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import SUFFIXES


class Recording(NamedTuple):
    """A file and its transcript.

    Attributes:
        path: The file.
        text: What is said; the last column of its line.
        where: Line of the transcript, for messages.
    """

    path: Path
    text: str
    where: str


def recordings(folder: str | os.PathLike[str]) -> list[Recording]:
    """All recordings of a folder, in the order of ``metadata.csv``.

    A line is ``name|text`` or ``name|text|text as it is read out``; ``wavs`` holds ``name.wav``
    or another format.

    Raises:
        InputError: If a file or folder is missing, a line is not so, a recording has no
            transcript, or a transcript no recording.
    """
    folder = Path(folder)
    table, sounds = folder / "metadata.csv", folder / "wavs"
    for path, kind in ((folder, "folder"), (table, "file"), (sounds, "folder")):
        if not path.exists():
            raise InputError(f"{path}: no such {kind}; LJSpeech's layout has metadata.csv and wavs")
    files = {
        path.stem: path for path in sorted(sounds.iterdir()) if path.suffix.lower() in SUFFIXES
    }
    try:
        lines = table.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{table}: is no UTF-8 text") from None
    found: dict[str, Recording] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, bar, rest = line.partition("|")
        text, where = rest.rpartition("|")[2].strip(), f"{table}, line {number}"
        if not bar or not text:
            raise InputError(f"{where}: name|text, not '{line[:60]}'")
        if name not in files:
            raise InputError(f"{where}: there is no recording {sounds / name}.wav (or .flac)")
        if name in found:
            raise InputError(f"{where}: {name} has a transcript already, {found[name].where}")
        found[name] = Recording(files[name], text, where)
    if not found:
        raise InputError(f"{table}: holds no transcripts")
    silent = sorted(files.keys() - found.keys())
    if silent:
        more = f" and {len(silent) - 1} others" if len(silent) > 1 else ""
        raise InputError(f"{files[silent[0]]}{more}: no transcript in {table}: add or remove it")
    return list(found.values())
