"""Tags of recordings, read from a table or from folder names."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from oneleap.core.errors import InputError

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
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} cannot be read ({error})") from None
    for column in ("file", "tags"):
        if column not in columns:
            raise InputError(
                f"{table}: no column '{column}'; it has {', '.join(columns) or 'none'}"
            )
    index = {file.resolve(): i for i, file in enumerate(files)}
    found = [frozenset[str]() for _ in files]
    for line, row in enumerate(rows, start=2):
        i = index.get((folder / (row["file"] or "")).resolve())
        if i is None:
            raise InputError(f"{table}, line {line}: there is no sound file '{row['file']}'")
        found[i] = frozenset(t for t in re.split(r"\s*[;|,]\s*", row["tags"] or "") if t)
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
