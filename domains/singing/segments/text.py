"""Reading text files of limited size."""

import os
from pathlib import Path

from oneleap.core.errors import InputError

MAX_BYTES = 32 * 2**20
"""Largest size of a text file, 32 MiB."""


def read_text(path: str | os.PathLike[str], charsets: tuple[str, ...] = ("utf-8-sig",)) -> str:
    """Read a text file.

    Args:
        path: The file.
        charsets: Encodings to try, in order.

    Returns:
        Its text.

    Raises:
        InputError: If the file cannot be read, is too large, or has none of the encodings.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError:
        raise InputError(f"{str(path)!r} is not the name of a file") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} cannot be read (it has more than {MAX_BYTES // 2**20} MiB)")
    for charset in charsets:
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            continue
    kinds = " or ".join("UTF-8" if c.startswith("utf-8") else c for c in charsets)
    raise InputError(f"{path} cannot be read (it is not {kinds} text)")
