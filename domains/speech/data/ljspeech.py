"""Reading of folders in the layout of LJSpeech: ``metadata.csv`` and ``wavs/``."""

import os
from pathlib import Path
from typing import NamedTuple

from oneleap.core.errors import InputError
from oneleap.domains.audio.data.pages import refers_to
from oneleap.domains.audio.wave import SUFFIXES


class TranscribedFile(NamedTuple):
    """A sound file and its transcript.

    Attributes:
        path: The sound file.
        text: The transcript, from the last column of its line.
        where: File and line of the transcript, for messages.
    """

    path: Path
    text: str
    where: str


PAGE = "docs/howto/data-speech.md"
"""Page that says what a folder must hold."""


@refers_to(PAGE)
def read_ljspeech(folder: str | os.PathLike[str]) -> list[TranscribedFile]:
    """List the recordings of a folder, in the order of ``metadata.csv``.

    A line is ``name|text`` or ``name|text|text in words``. The folder ``wavs`` holds ``name.wav``,
    or the same name in another format.

    Args:
        folder: The folder.

    Returns:
        Recordings and transcripts.

    Raises:
        InputError: If a file or folder is missing, a line is wrong, a recording has no
            transcript, or a transcript has no recording.
    """
    folder = Path(folder).expanduser()
    table, sounds = folder / "metadata.csv", folder / "wavs"
    for path, kind in ((folder, "folder"), (table, "file"), (sounds, "folder")):
        if not path.exists():
            raise InputError(
                f"{path}: no such {kind}; the layout of LJSpeech has metadata.csv and wavs"
            )
    files = {
        path.stem: path for path in sorted(sounds.iterdir()) if path.suffix.lower() in SUFFIXES
    }
    try:
        lines = table.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{table}: is not UTF-8 text") from None
    found: dict[str, TranscribedFile] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, bar, rest = line.partition("|")
        text, where = rest.rpartition("|")[2].strip(), f"{table}, line {number}"
        if not bar or not text:
            raise InputError(f"{where}: expected name|text, got '{line[:60]}'")
        if name not in files:
            raise InputError(f"{where}: there is no recording {sounds / name}.wav (or .flac)")
        if name in found:
            raise InputError(f"{where}: {name} already has a transcript, {found[name].where}")
        found[name] = TranscribedFile(files[name], text, where)
    if not found:
        raise InputError(f"{table}: holds no transcripts")
    untranscribed = sorted(files.keys() - found.keys())
    if untranscribed:
        more = f" and {len(untranscribed) - 1} others" if len(untranscribed) > 1 else ""
        raise InputError(
            f"{files[untranscribed[0]]}{more}: no transcript in {table}: add or remove it"
        )
    return list(found.values())
