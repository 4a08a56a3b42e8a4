"""Tags of recordings, read from a table or from folder names."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.reading.guard import SHOWN, reading
from oneleap.core.reading.text import read_rows

METADATA_FILE = "metadata.csv"
"""Table with the columns ``file`` and ``tags``. Tags are separated by ``;``, ``|`` or commas."""


def read_tags(folder: Path, files: Sequence[Path]) -> list[frozenset[str]]:
    """Read the tags of each file below a folder.

    They come from the folder's table if there is one. Otherwise, a file has one tag: the name of
    the subfolder that holds it.

    Raises:
        InputError: If the table cannot be read, lacks a column, or names a missing file.
    """
    table = folder / METADATA_FILE
    if not table.is_file():
        return [frozenset([f.parent.name]) if f.parent != folder else frozenset() for f in files]
    rows = read_rows(table)
    columns = rows[0] if rows else []
    for column in ("file", "tags"):
        if column not in columns:
            raise InputError(
                f"{table}: no column '{column}'; it has {', '.join(columns) or 'none'}"
            )
    index = {file.resolve(): i for i, file in enumerate(files)}
    found = [frozenset[str]() for _ in files]
    for line, cells in enumerate(rows[1:], start=2):
        row = dict(zip(columns, cells, strict=False))
        name = row.get("file", "")
        with reading(f"{table}, line {line}", "the name of a file"):
            i = index.get((folder / name).resolve())
        if i is None:
            raise InputError(f"{table}, line {line}: there is no sound file '{name[:SHOWN]}'")
        found[i] = frozenset(t for t in re.split(r"\s*[;|,]\s*", row.get("tags", "")) if t)
    return found


def tag_vocabulary(tags: Iterable[frozenset[str]], least: int) -> tuple[str, ...]:
    """Return the tags that distinguish recordings, sorted.

    Args:
        tags: Tags of each recording.
        least: Minimum number of recordings that must have a tag. A tag that all recordings have
            is left out.
    """
    recordings = list(tags)
    counts = Counter(tag for one in recordings for tag in one)
    return tuple(sorted(tag for tag, n in counts.items() if least <= n < len(recordings)))
