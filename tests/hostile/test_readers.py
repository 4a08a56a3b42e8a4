"""Every reader survives damaged and hostile files: it reads them, or says one clear line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.hostile.readers import READERS
from support.hostile.worker import feed

TESTS = Path(__file__).parents[1]
FEW, MANY = 60, 1000
ENV = {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}

SLOW = {"ckpt", "yaml"}
"""Readers that take a third of a second, of which a few files are enough in the normal run."""


@pytest.mark.parametrize("name", READERS)
def test_mutated_files_are_read_or_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in READERS[name].needs:
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    found = feed(name, tmp_path, 6 if name in SLOW else FEW, seed=1)
    assert not found["faults"]
    assert found.get("refused", 0) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_thousand_mutated_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    """In a process of its own, which a crash of a library or an endless loop would end."""
    for module in READERS[name].needs:
        pytest.importorskip(module)
    argv = [sys.executable, "-m", "support.hostile.worker", name, str(tmp_path), str(MANY), "0"]
    done = subprocess.run(argv, env=ENV, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (tmp_path / "current").read_text() + done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert not found["faults"]
    assert found["files"] == MANY
