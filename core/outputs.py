"""Checks of places to write, made before the work instead of after it."""

import tempfile
from pathlib import Path

from oneleap.core.errors import InputError

OPTIONS = ("out", "json", "picture", "hdf5", "rows")
"""Options that name a file or a folder to write, the same in all commands."""

PIPE = Path("-")
"""Output path that stands for the standard output stream."""


def check_output(path: Path, name: str = "") -> None:
    """Check that a file or folder can be written, and leave nothing behind.

    A file is written beside its place and then renamed, so its folder must be writable. Folders
    that do not exist yet are created later; the nearest one that exists must be writable.

    Args:
        path: File or folder to write. With a suffix, it is a file.
        name: Name of the option, for the message.

    Raises:
        InputError: If it cannot be written.
    """
    if path == PIPE:
        return
    prefix = f"{name}: " if name else ""
    if "\0" in str(path):
        raise InputError(f"{prefix}{str(path)!r} cannot be written (a name holds no bytes of zero)")
    if path.suffix and path.is_dir() and name != "out":
        raise InputError(f"{prefix}{path} is a folder: name a file")
    try:
        existing = next(p for p in (path, *path.absolute().parents) if p.exists())
        folder = existing.parent if existing == path and not path.is_dir() else existing
        if not folder.is_dir():
            reason = f"{folder} is not a folder"
        else:
            with tempfile.TemporaryFile(dir=folder):
                return
    except OSError as error:
        reason = str(error.strerror)
    raise InputError(f"{prefix}{path} cannot be written ({reason}): name another place")
