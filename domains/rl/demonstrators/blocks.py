"""Long recordings in blocks: processes record them side by side, and a later start continues.

Each block is a file of its own beside the data set, and a function of the seed and its number. The
data therefore depend neither on the number of processes nor on interruptions.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError, require_positive
from oneleap.core.files import atomic_write
from oneleap.core.hub.trust import import_packages

Columns = Mapping[str, NDArray[Any]]
"""Arrays of steps by name, all of the same length."""

Record = Callable[[int], Columns]
"""Records the block of that number."""

Recording = Callable[[], Record]
"""Settings of a recording: a frozen dataclass. A process calls it once, which makes the simulator.
"""

SETTINGS = "settings.json"
"""File that tells which recording the blocks belong to."""


def parts_folder(path: Path) -> Path:
    """Folder of the blocks of a data set."""
    return path.with_name(f"{path.name}.parts")


def record_blocks(
    recording: Recording, blocks: int, folder: Path, settings: Mapping[str, Any], workers: int
) -> None:
    """Record the blocks that are not in a folder yet.

    Args:
        recording: Settings of the recording.
        blocks: Number of blocks.
        folder: Folder, which :func:`remove_blocks` removes once the data set is written.
        settings: What the blocks depend on; JSON must be able to represent it.
        workers: Number of processes. With one, this process records.

    Raises:
        InputError: The folder holds blocks of another recording, or a process died.
    """
    require_positive(workers=workers)
    _check_settings(folder, settings)
    missing = [k for k in range(blocks) if not _block(folder, k).is_file()]
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("collecting", total=blocks, completed=blocks - len(missing))
        if workers == 1 or len(missing) < 2:
            record = recording() if missing else None
            for k in missing:
                assert record is not None
                _write(folder, k, record(k))
                progress.advance(bar)
            return
        context = get_context("spawn")
        with ProcessPoolExecutor(workers, context, import_packages) as pool:
            waiting = [pool.submit(_record_and_write, recording, folder, k) for k in missing]
            try:
                for done in as_completed(waiting):
                    done.result()
                    progress.advance(bar)
            except BrokenProcessPool:
                raise InputError(
                    f"{folder}: a process died, its message is above; the same command continues"
                ) from None
            finally:
                pool.shutdown(cancel_futures=True)


def read_blocks(folder: Path, blocks: Sequence[int]) -> dict[str, NDArray[Any]]:
    """Join the arrays of some blocks, in order."""
    loaded = []
    for k in blocks:
        with np.load(_block(folder, k), allow_pickle=False) as file:
            loaded.append({name: file[name] for name in file.files})
    return {name: np.concatenate([part[name] for part in loaded]) for name in loaded[0]}


def remove_blocks(folder: Path) -> None:
    """Remove the folder of the blocks."""
    shutil.rmtree(folder)


@lru_cache(maxsize=1)
def _made(recording: Recording) -> Record:
    return recording()


def _record_and_write(recording: Recording, folder: Path, k: int) -> None:
    _write(folder, k, _made(recording)(k))


def _write(folder: Path, k: int, columns: Columns) -> None:
    with atomic_write(_block(folder, k)) as temporary:
        np.savez(temporary, **columns)


def _block(folder: Path, k: int) -> Path:
    return folder / f"block_{k:06d}.npz"


def _check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Start a folder of blocks, or check that it was started with the same settings."""
    text, file = json.dumps(settings, sort_keys=True, indent=2), folder / SETTINGS
    if not file.is_file():
        with atomic_write(file) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    elif file.read_text(encoding="utf-8").strip() != text:
        raise InputError(
            f"{folder} holds a recording with other settings ({file}): repeat those to continue "
            "it, or delete the folder"
        )
    else:
        Console(stderr=True).print(f"continuing from {folder}", markup=False)
