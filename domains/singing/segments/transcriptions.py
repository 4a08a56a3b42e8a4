"""openvpi's ``transcriptions.csv``: a table with one row for each recording."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.singing.segments.ds import ds_to_segment, segment_to_ds
from oneleap.domains.singing.segments.segment import Segment

COLUMNS = ("name", "ph_seq", "ph_dur", "ph_num", "note_seq", "note_dur", "note_slur")
"""Columns in the order in which they are written; ``name`` and ``ph_seq`` are required."""


def read_transcriptions(path: str | os.PathLike[str]) -> tuple[Segment, ...]:
    """Read the segments of a table; each has the name of its recording.

    A missing column gives empty sequences. Columns with other names are kept in ``extra``.

    Raises:
        InputError: If the file cannot be read, a required column is missing, or a row is invalid.
            The message names the line and the column.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"{path} cannot be read ({reason})") from None
    table = csv.DictReader(io.StringIO(text, newline=""))
    for column in COLUMNS[:2]:
        if column not in (table.fieldnames or ()):
            raise InputError(f"{path} has no column {column}; it has {table.fieldnames}")
    found: dict[str, Segment] = {}
    for row in table:
        where = f"{path}, line {table.line_num}"
        if None in row or None in row.values():
            raise InputError(f"{where}: the number of fields differs from the {len(row)} columns")
        name = row.pop("name").strip()
        if not name or name in found:
            fault = "used already" if name else "empty"
            raise InputError(f"{where}: the name '{name}' is {fault}")
        try:
            found[name] = replace(ds_to_segment({k: v for k, v in row.items() if v}), name=name)
        except InputError as error:
            raise InputError(f"{where} ({name}): {error}") from None
    if not found:
        raise InputError(f"{path} contains no recordings")
    return tuple(found.values())


def write_transcriptions(path: str | os.PathLike[str], segments: Sequence[Segment]) -> None:
    """Write named segments to a table, completely or not at all.

    The table has the columns that any of the segments needs. It does not store curves and offsets;
    the keys of ``extra`` become columns.
    """
    rows = []
    for segment in segments:
        plain = Segment(
            ph_seq=segment.ph_seq,
            ph_num=segment.ph_num,
            ph_dur=segment.ph_dur,
            note_midi=segment.note_midi,
            note_dur=segment.note_dur,
            note_slur=segment.note_slur,
            extra=segment.extra,
        )
        rows.append({"name": segment.name, **segment_to_ds(plain)})
    used = {key for row in rows for key in row} - {"offset", "text"}
    other = sorted(used - set(COLUMNS))
    columns = [column for column in COLUMNS if column in used] + other
    with (
        atomic_write(Path(path)) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as f,
    ):
        writer = csv.DictWriter(f, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
