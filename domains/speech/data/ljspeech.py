"""Reading of folders of recordings with a table of transcripts, in the layout of LJSpeech."""

import csv
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from oneleap.core.errors import InputError, Notice
from oneleap.core.reading.guard import reading
from oneleap.core.reading.text import read_text
from oneleap.domains.audio.data.pages import refers_to
from oneleap.domains.audio.wave import SUFFIXES

PAGE = "docs/howto/data-speech.md"
"""Page that says what a folder must hold."""

_NAMES = frozenset(("file", "filename", "file_name", "audio", "audio_file", "name", "id", "path",
                    "wav", "wav_filename", "clip"))  # fmt: skip
_TEXTS = ("normalized_text", "normalized_transcription", "text", "transcript", "transcription",
          "sentence")  # fmt: skip
_SPEAKERS = ("speaker", "speaker_name", "speaker_id")
_SHOWN = 5


class TranscribedFile(NamedTuple):
    """A sound file and its transcript.

    Attributes:
        path: The sound file.
        text: The transcript.
        where: File and line of the transcript, for messages.
        speaker: Name of the speaker; empty if the table has none.
    """

    path: Path
    text: str
    where: str
    speaker: str = ""


@dataclass
class _Skipped:
    """What is left out of a folder, by reason."""

    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Note one more."""
        self.names.setdefault(reason, []).append(name)

    def __str__(self) -> str:
        parts = []
        for reason, names in self.names.items():
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            parts.append(f"{len(names)} {reason} ({', '.join(names[:_SHOWN])}{more})")
        return "; ".join(parts)


class _Columns(NamedTuple):
    """Which column of a table holds what; ``None`` for the text is the last that is not empty."""

    name: int = 0
    text: int | None = None
    speaker: int | None = None


@refers_to(PAGE)
def read_ljspeech(folder: str | os.PathLike[str]) -> list[TranscribedFile]:
    """List the recordings of a folder, in the order of ``metadata.csv``.

    A line is ``name|text``, ``name|text|text in words`` or ``name|speaker|text``. The name may
    have its folder and its suffix: ``wavs/name.wav``. Tabs may stand for ``|``, and so may commas
    below a line that names the columns. The folder ``wavs`` holds the recordings; if there is
    none, the folder itself does. Lines and recordings that do not fit are left out, with one
    notice that counts and names them.

    Args:
        folder: The folder; ``~`` is the home of the user.

    Returns:
        Recordings and transcripts.

    Raises:
        InputError: If a file or folder is missing, or no line fits a recording.
    """
    folder = Path(folder).expanduser()
    table = folder / "metadata.csv"
    for path, kind in ((folder, "folder"), (table, "file")):
        if not path.exists():
            raise InputError(
                f"{path}: no such {kind}; the layout of LJSpeech has metadata.csv and wavs"
            )
    files = _find_sounds(folder)
    rows = _read_table(table)
    skipped = _Skipped()
    found = _match(rows, files, folder, table, skipped)
    if not found:
        reason = f": {skipped}" if skipped.names else ""
        raise InputError(f"{table}: holds no transcripts of the recordings in {folder}{reason}")
    used = {item.path for item in found}
    for path in dict.fromkeys(files.values()):
        if path not in used and not any(path.name in names for names in skipped.names.values()):
            skipped.add("recordings without a line", path.name)
    if skipped.names:
        warnings.warn(f"{table}: left out: {skipped}", Notice, stacklevel=3)
    speakers = sorted({item.speaker for item in found if item.speaker})
    if len(speakers) > 1:
        warnings.warn(
            f"{table}: {len(speakers)} speakers are trained as one ({', '.join(speakers[:5])}): "
            "make a folder for each",
            Notice,
            stacklevel=3,
        )
    return found


def _find_sounds(folder: Path) -> dict[str, Path]:
    """Return sound files by the forms in which a table may name them.

    Raises:
        InputError: If there is none.
    """
    place = folder / "wavs" if (folder / "wavs").is_dir() else folder
    sounds = sorted(p for p in place.rglob("[!.]*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not sounds:
        raise InputError(f"{place}: holds no sound files ({', '.join(SUFFIXES)})")
    files: dict[str, Path] = {}
    for path in sounds:
        inside = path.relative_to(place)
        for form in (str(inside.with_suffix("")), path.stem, path.stem.lower()):
            files.setdefault(form, path)
    return files


def _read_table(table: Path) -> list[tuple[int, list[str]]]:
    """Read the fields of each line, with its number.

    Raises:
        InputError: If the file is no text.
    """
    with table.open("rb") as file:
        mark = file.read(2)
    text = read_text(table, "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    lines = re.split(r"\r\n|\n|\r", text)
    between = next((m for m in "|\t" if any(m in line for line in lines)), None)
    if between is None:
        first = lines[0].lower().replace('"', "").split(",")
        with reading(table, "a table"):
            fields = list(csv.reader(lines)) if first[0].strip() in _NAMES else [[x] for x in lines]
    else:
        fields = [[_unquoted(value) for value in line.split(between)] for line in lines]
    return [(i, row) for i, row in enumerate(fields, 1) if any(value.strip() for value in row)]


def _unquoted(value: str) -> str:
    """Take away the quotation marks of a spreadsheet, which double those inside."""
    value = value.strip()
    inside = value[1:-1]
    if len(value) > 1 and value[0] == value[-1] == '"' and '"' not in inside.replace('""', ""):
        return inside.replace('""', '"').strip()
    return value


def _columns(rows: Sequence[tuple[int, list[str]]]) -> tuple[_Columns, bool]:
    """Return what the columns are, and whether the first line names them."""
    first = [value.strip().lower() for value in rows[0][1]] if rows else []
    texts = [name for name in _TEXTS if name in first]
    if first and first[0] in _NAMES and texts:
        speakers = [name for name in _SPEAKERS if name in first]
        speaker = first.index(speakers[0]) if speakers else None
        return _Columns(0, first.index(texts[0]), speaker), True
    wide = [row for _, row in rows if len(row) > 2 and row[2].strip()]
    labels = [row[1].strip() for row in wide]
    same = sum(_words(a) in _words(row[2]) for a, row in zip(labels, wide, strict=True))
    named = (
        bool(wide)
        and all(label and not re.search(r"\s", label) for label in labels)
        and same <= len(wide) // 2
        and len(set(labels)) <= max(1, len(wide) // 2)
    )
    return (_Columns(0, 2, 1) if named else _Columns()), False


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _match(
    rows: Sequence[tuple[int, list[str]]],
    files: dict[str, Path],
    folder: Path,
    table: Path,
    skipped: _Skipped,
) -> list[TranscribedFile]:
    """Find the recording of each line; what does not fit is skipped."""
    columns, header = _columns(rows)
    found: dict[Path, TranscribedFile] = {}
    for number, row in rows[1 if header else 0 :]:
        name, line = row[columns.name].strip(), f"line {number}"
        if len(row) < 2:
            skipped.add("lines without name|text", line)
            continue
        if columns.text is not None and columns.text < len(row) and row[columns.text].strip():
            text = row[columns.text].strip()
        else:
            text = next((v.strip() for v in reversed(row[1:]) if v.strip()), "")
        path = _find(name, files, folder)
        if path is None:
            skipped.add("lines without a recording", f"{line}: {name}")
        elif not any(c.isalnum() for c in text):
            skipped.add("recordings without a text", path.name)
        elif path in found:
            skipped.add("repeated lines", f"{line}: {name}")
        else:
            known = columns.speaker is not None and columns.speaker < len(row)
            speaker = row[columns.speaker or 0].strip() if known else ""
            found[path] = TranscribedFile(path, text, f"{table}, {line}", speaker)
    return list(found.values())


def _find(name: str, files: dict[str, Path], folder: Path) -> Path | None:
    """Find the recording that a line names, with or without folder and suffix."""
    plain = name.replace("\\", "/").removeprefix("./").removeprefix("wavs/")
    stem = re.sub(rf"(?:{'|'.join(map(re.escape, SUFFIXES))})$", "", plain, flags=re.IGNORECASE)
    for form in (stem, plain, stem.rpartition("/")[2], stem.rpartition("/")[2].lower()):
        if form in files:
            return files[form]
    if "\0" in plain or Path(plain).is_absolute() or ".." in Path(plain).parts:
        return None  # no name leaves the folder
    whole = folder / plain
    try:
        return whole if whole.is_file() and whole.suffix.lower() in SUFFIXES else None
    except OSError:  # a name that is too long
        return None
