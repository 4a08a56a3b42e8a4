"""Recordings in blocks: they continue, and depend on neither order nor number of processes."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.rl.demonstrators.blocks import (
    Columns,
    Record,
    parts_folder,
    read_blocks,
    record_blocks,
    remove_blocks,
)


@dataclass(frozen=True)
class Squares:
    """Block k holds k and its square; block ``fails`` cannot be recorded."""

    fails: int = -1

    def __call__(self) -> Record:
        def record(block: int) -> Columns:
            if block == self.fails:
                raise OSError("the simulator fell over")
            return {"x": np.array([block, block**2]), "last": np.array([False, True])}

        return record


def columns(folder: Path) -> list[int]:
    return list(read_blocks(folder, range(3))["x"])


@pytest.mark.parametrize("workers", [1, 2])
def test_blocks_are_joined_in_order(tmp_path: Path, workers: int) -> None:
    folder = parts_folder(tmp_path / "mine.npz")
    record_blocks(Squares(), 3, folder, {"seed": 0}, workers)
    assert columns(folder) == [0, 0, 1, 1, 2, 4]
    assert read_blocks(folder, [2])["x"].tolist() == [2, 4]
    remove_blocks(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_failed_continues_with_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "mine.parts"
    with pytest.raises(OSError, match="fell over"):
        record_blocks(Squares(fails=1), 3, folder, {"seed": 0}, 1)
    kept = folder / "block_000000.npz"
    kept.touch()
    before = kept.stat().st_mtime_ns
    record_blocks(Squares(), 3, folder, {"seed": 0}, 1)
    assert columns(folder) == [0, 0, 1, 1, 2, 4]
    assert kept.stat().st_mtime_ns == before


def test_blocks_of_another_recording_are_refused(tmp_path: Path) -> None:
    record_blocks(Squares(), 1, tmp_path / "parts", asdict(Squares()), 1)
    with pytest.raises(InputError, match=r"other settings .*repeat those to continue it"):
        record_blocks(Squares(), 3, tmp_path / "parts", asdict(Squares(2)), 1)
