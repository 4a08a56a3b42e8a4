"""Memory of a process that works for days: freed memory goes back to the system."""

import ctypes
import os

PRIMITIVES = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
"""Environment variable of oneDNN: how many compiled operators it keeps.

It compiles several for each new length of a sentence, and keeps 1024, which takes some 300 MB.
"""

KEPT_PRIMITIVES = 64
"""Compiled operators that a server keeps."""

TRIM_EVERY = 8
"""Jobs after which freed memory is returned."""

IDLE_TRIM_S = 1.0
"""Seconds after which it is also returned when the last job has ended: it takes some 10 ms."""


def bound_primitives() -> None:
    """Let oneDNN keep fewer compiled operators, unless the user has set how many.

    It has an effect before the first product of the process only.
    """
    os.environ.setdefault(PRIMITIVES, str(KEPT_PRIMITIVES))


def trim_memory() -> None:
    """Return freed memory to the system, where the C library can: glibc keeps it otherwise."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    trim(0)
