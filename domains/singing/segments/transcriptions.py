"""openvpi's ``transcriptions.csv``: one line a recording."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.singing.segments.ds import row_of, segment_of
from oneleap.domains.singing.segments.segment import Segment

COLUMNS = ("name", "ph_seq", "ph_dur", "ph_num", "note_seq", "note_dur", "note_slur")
"""In this order; ``name`` and ``ph_seq`` are always there."""


def read_transcriptions(path: str | os.PathLike[str]) -> tuple[Segment, ...]:
    """Segments of a table, named as its recordings; columns it lacks are empty sequences.

    Columns of other names are kept in ``more``.

    Raises:
        InputError: If it cannot be read, lacks a column, or a line is wrong; naming line and
            column.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InputError(f"{path} cannot be read ({reason})") from None
    table = csv.DictReader(io.StringIO(text, newline=""))
    for column in COLUMNS[:2]:
        if column not in (table.fieldnames or ()):
            raise InputError(f"{path}: has no column {column}; it has {table.fieldnames}")
    found: dict[str, Segment] = {}
    for row in table:
        where = f"{path}, line {table.line_num}"
        if None in row or None in row.values():
            raise InputError(f"{where}: more or fewer fields than the {len(row)} columns")
        name = row.pop("name").strip()
        if not name or name in found:
            raise InputError(f"{where}: the name '{name}' is {'taken' if name else 'empty'}")
        try:
            found[name] = replace(segment_of({k: v for k, v in row.items() if v}), name=name)
        except InputError as error:
            raise InputError(f"{where} ({name}): {error}") from None
    if not found:
        raise InputError(f"{path}: holds no recordings")
    return tuple(found.values())


def write_transcriptions(path: str | os.PathLike[str], segments: Sequence[Segment]) -> None:
    """Write a table of named segments; it appears whole or not at all.

    Columns are those that any segment has; curves and offsets are not for tables, other keys
    become columns.
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
            more=segment.more,
        )
        row = row_of(plain)
        rows.append({"name": segment.name, **row})
    used = {key for row in rows for key in row} - {"offset", "text"}
    extra = sorted(used - set(COLUMNS))
    columns = [column for column in COLUMNS if column in used] + extra
    with replacing(Path(path)) as temporary, temporary.open("w", encoding="utf-8", newline="") as f:
        writer = csv.DictWriter(f, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
