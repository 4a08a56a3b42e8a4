"""Tags of recordings: from a table beside them, or the names of their folders."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from oneleap.core.errors import InputError

TABLE = "metadata.csv"
"""A table with the columns ``file`` and ``tags``; tags are separated by ``;``, ``|`` or commas."""


def tags_of(folder: Path, files: Sequence[Path]) -> list[frozenset[str]]:
    """Tags of each file below a folder: of its table if there is one, else its own folder's name.

    Raises:
        InputError: If the table lacks a column, or names a file that is not there.
    """
    table = folder / TABLE
    if not table.is_file():
        return [frozenset([f.parent.name]) if f.parent != folder else frozenset() for f in files]
    try:
        with table.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} cannot be read ({error})") from None
    for column in ("file", "tags"):
        if column not in columns:
            raise InputError(
                f"{table}: no column '{column}'; it has {', '.join(columns) or 'none'}"
            )
    known = {file.resolve(): i for i, file in enumerate(files)}
    found = [frozenset[str]() for _ in files]
    for line, row in enumerate(rows, start=2):
        place = known.get((folder / (row["file"] or "")).resolve())
        if place is None:
            raise InputError(f"{table}, line {line}: there is no sound '{row['file']}'")
        found[place] = frozenset(t for t in re.split(r"\s*[;|,]\s*", row["tags"] or "") if t)
    return found


def vocabulary(tags: Iterable[frozenset[str]], least: int) -> tuple[str, ...]:
    """Tags that at least so many recordings have, and not all of them, in order."""
    each = list(tags)
    counts = Counter(tag for one in each for tag in one)
    return tuple(sorted(tag for tag, n in counts.items() if least <= n < len(each)))
