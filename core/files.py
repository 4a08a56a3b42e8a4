"""Atomic file writes: a file appears complete or not at all, and a full disk names the file."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

TEMPORARY = re.compile(r"\..*-tmp(\d+)-[0-9a-f]{8}(\.[^.]*)?")
"""Name of a temporary file of :func:`atomic_write`; the number is that of its process."""

RUST = re.compile(r"\(os error (\d+)\)")
"""Number of the system's error in the messages of libraries in Rust, which remove their file."""

PROBE = 1 << 16
"""Number of bytes that are written to find out whether a disk is full."""


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, and rename it to ``path`` if the block succeeds.

    The temporary file is in the folder of ``path``, so the rename is atomic. It keeps the suffix of
    ``path``, because some writers depend on it, and gets the permissions of any new file. The first
    write to a folder removes the temporary files of processes that were killed there.

    Raises:
        OSError: If the file cannot be written; it names ``path``, whatever the writer raised.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(path.parent.absolute())
    name = f".{path.stem}-tmp{os.getpid()}-{secrets.token_hex(4)}{path.suffix}"
    temporary = path.with_name(name)
    try:
        with naming(path, temporary):
            temporary.touch(exist_ok=False)
            mode = temporary.stat().st_mode
            with _held(temporary):
                yield temporary
            temporary.chmod(mode)  # some writers make a private file of their own
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Let errors of writing name the file.

    Libraries report a full disk by errors of their own, often without the file or the reason. If
    the block fails, and nothing more can be written beside the file, the error is that of the disk.

    Args:
        path: The file that the user knows.
        temporary: The file that is written in its place, if there is one.

    Raises:
        OSError: If the disk or the folder is the reason.
    """
    try:
        yield
    except Exception as error:  # writers of other languages raise anything
        fault = _disk_fault(path, temporary)
        if fault is None and (number := RUST.search(str(error))):
            fault = OSError(int(number[1]), "")
        if fault is None and isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            fault = error if error.filename in (None, str(temporary)) else None
        if fault is None or fault.errno is None:
            raise
        raise OSError(fault.errno, os.strerror(fault.errno), str(path)) from error


def _disk_fault(path: Path, temporary: Path | None) -> OSError | None:
    """Return the error of writing more bytes to the temporary file, or beside the file."""
    own = temporary is None or not temporary.exists()
    probe = path.with_name(f".{path.stem}-tmp{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with (probe if own or temporary is None else temporary).open("ab") as file:
            file.write(bytes(PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    finally:
        if own:
            with suppress(OSError):
                probe.unlink(missing_ok=True)
    return None


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files in a folder whose processes were killed.

    The name of a temporary file holds the number of its process, and the process holds a lock on
    the file. A file is removed only if both are gone.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        return
    for entry in _entries(folder):
        found = TEMPORARY.fullmatch(entry.name)
        if found is None or _runs(int(found[1])):
            continue
        with suppress(OSError):
            descriptor = os.open(entry, os.O_RDWR)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                entry.unlink()
            finally:
                os.close(descriptor)


@lru_cache(maxsize=4096)
def _sweep_once(folder: Path) -> None:
    """Remove the leftovers in a folder once; a large folder takes long to list."""
    remove_leftovers(folder)


def _entries(folder: Path) -> list[Path]:
    """List the temporary files of a folder; none if the folder cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return [Path(entry) for entry in entries if TEMPORARY.fullmatch(entry.name)]
    except OSError:
        return []


def _runs(process: int) -> bool:
    """Whether a process of this machine has this number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to another user
        return True
    return True


@contextmanager
def _held(temporary: Path) -> Iterator[None]:
    """Lock a file for as long as it is written."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        yield
        return
    descriptor = os.open(temporary, os.O_RDWR)
    try:
        with suppress(OSError):  # a network disk without locks
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # h5py takes those of flock
        yield
    finally:
        os.close(descriptor)
