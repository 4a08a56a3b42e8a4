"""One attempt to read a hostile file: it may succeed, or say one line; within limits."""

import contextlib
import re
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from oneleap.core.errors import InputError

MOST_S, MOST_BYTES = 5.0, 1 << 30
"""Processor time and memory that a small file may take."""


def peak() -> int:
    """Peak memory of this process in bytes since the last :func:`reset_peak`."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def reset_peak() -> int:
    """Start to measure the peak of memory; the memory that is in use."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


def attempt(read: Callable[[Path], object], path: Path) -> tuple[bool, str | None]:
    """Read a file.

    Args:
        read: The reader.
        path: The file.

    Returns:
        Whether it was read, and what is wrong with how it ended, if anything is.
    """
    before, began = reset_peak(), time.process_time()
    good, fault = False, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
        good = True
    except InputError as error:
        text = str(error)
        if not text.strip() or "\n" in text or len(text) > 2000:
            fault = f"message: {text[:300]!r}"
        elif "more memory than there is" in text:
            fault = text
    except BaseException as error:
        frames = reversed(traceback.extract_tb(error.__traceback__)[-6:])
        where = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames)
        fault = f"{type(error).__name__}: {str(error)[:200]} [{where}]"
    seconds, grown = time.process_time() - began, peak() - before
    if seconds > MOST_S:
        fault = f"{seconds:.1f} s; {fault}"
    if grown > MOST_BYTES:
        fault = f"{grown / 2**30:.2f} GiB; {fault}"
    return good, fault
