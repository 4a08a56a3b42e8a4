"""Feeds mutated files to a reader: ``python -m support.hostile.worker NAME FOLDER COUNT SEED``."""

import faulthandler
import json
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from support.hostile.attempt import attempt
from support.hostile.readers import READERS

HANG_S = 60.0
"""Processor time in s after which an attempt counts as endless, also in code that is not Python's.

Not the time of a clock: on a busy machine, a good file may wait longer.
"""


def watch_attempts() -> None:
    """Print where an attempt is, and end the process, when the timer of :data:`HANG_S` is over."""
    faulthandler.register(signal.SIGPROF, chain=True)  # the default action ends the process


def feed(name: str, folder: Path, count: int, seed: int, watch: bool = False) -> dict[str, Any]:
    """Feed mutated files to a reader.

    Args:
        name: Name of the reader.
        folder: Empty folder.
        count: Number of files.
        seed: Seed of the mutations.
        watch: Whether to end the process if an attempt does not end.

    Returns:
        How many files were read and refused, and the faults.
    """
    reader, rng = READERS[name], random.Random(seed)
    path = reader.seed(folder)
    good = path.read_bytes()
    read, fault = attempt(reader.read, path)
    assert read, fault or "refused"
    found, faults = Counter[str](), dict[str, list[int]]()
    for k in range(count):
        path.write_bytes(reader.mutate(good, rng))
        (folder / "current").write_text(str(k))
        if watch:
            signal.setitimer(signal.ITIMER_PROF, HANG_S)
        read, fault = attempt(reader.read, path)
        if watch:
            signal.setitimer(signal.ITIMER_PROF, 0)
        found["read" if read else "refused"] += 1
        if fault is not None:
            faults.setdefault(fault, []).append(k)
            if keep := os.environ.get("HOSTILE_KEEP"):
                Path(keep, f"{name}-{k}").write_bytes(path.read_bytes())
    return {"name": name, "files": count, **found, "faults": faults}


if __name__ == "__main__":
    where = Path(sys.argv[2])
    os.chdir(where)
    watch_attempts()
    print(json.dumps(feed(sys.argv[1], where, int(sys.argv[3]), int(sys.argv[4]), watch=True)))
