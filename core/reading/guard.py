"""The guard around every reader: faults become one line; sizes that a file claims are checked."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from oneleap.core.errors import InputError

FREE = 1 << 28
"""Bytes that a file may always unpack to, 256 MiB."""

RATIO = 100
"""Bytes that larger files may unpack to, for each byte stored."""

SHOWN = 200
"""Number of characters of a library's message that are shown."""

Where = str | os.PathLike[str]


@contextmanager
def reading(where: Where, what: str, mend: str = "", *, prefix: str = "") -> Iterator[None]:
    """Turn whatever a library raises on damaged input into one line.

    Parsers of files raise errors of any class when the bytes are wrong: ``KeyError`` for a name
    that is cut, ``OverflowError`` for a size, ``RecursionError`` for deep nesting. Only errors of
    Python's own imports pass.

    Args:
        where: The file, or the part of it that is read.
        what: What was expected, with its article: ``an HDF5 file``.
        mend: What to do, if the message does not make it clear.
        prefix: Text before the message, such as the name of an option and a colon.

    Raises:
        InputError: If the block fails; the message is ``WHERE: damaged, or not WHAT: REASON``.
    """
    try:
        yield
    except (InputError, ImportError):
        raise
    except FileNotFoundError as error:
        raise InputError(f"{prefix}{error.filename or where}: no such file") from None
    except Exception as error:  # parsers of damaged bytes raise anything
        raise InputError(_line(where, what, mend, prefix, error)) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's
            raise
        raise InputError(_line(where, what, mend, prefix, error)) from None


def _line(where: Where, what: str, mend: str, prefix: str, error: BaseException) -> str:
    then = f": {mend}" if mend else ""
    return f"{prefix}{where}: damaged, or not {what}: {reason_of(error)}{then}"


def reason_of(error: BaseException) -> str:
    """Return an error's own words on one line, or a plain reason if it has none."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, OSError) and error.strerror and error.errno is not None:
        return error.strerror if error.errno > 0 else str(error)
    text = " ".join(str(error).split())
    return f"{text[:SHOWN]}..." if len(text) > SHOWN else text or type(error).__name__


def check_size(where: Where, claimed: int, stored: int, ratio: int = RATIO) -> None:
    """Refuse data that take far more memory than the file that they come from.

    Args:
        where: The file, or the part of it that is read.
        claimed: Number of bytes in memory.
        stored: Number of bytes in the file.
        ratio: Bytes in memory for each byte stored that are allowed beyond :data:`FREE`.

    Raises:
        InputError: If there are too many.
    """
    if claimed > max(FREE, ratio * stored):
        raise InputError(
            f"{where}: damaged: {stored} bytes that unpack to {claimed / 2**30:.3g} GiB"
        )
