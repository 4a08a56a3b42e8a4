"""Runs that are killed at random moments end as if they had not been."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.crash.runs import RUNS

TESTS = Path(__file__).parents[1]
KILLS = int(os.environ.get("ONELEAP_KILLS", "20"))
"""Kills of each run; fewer are quicker."""

ENV = {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_kills_change_nothing(name: str, tmp_path: Path) -> None:
    """Weights, optimizers, moving averages, rows and the best checkpoint, to the last bit."""
    for module in RUNS[name].needs:
        pytest.importorskip(module)
    argv = [sys.executable, "-m", "support.crash.killer", name, str(tmp_path), str(KILLS), "0"]
    done = subprocess.run(argv, env=ENV, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["faults"] == []
    assert found["kills"] == KILLS
