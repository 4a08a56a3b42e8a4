"""Efficiency of two processes: steps of one, and of two that take a batch each, in turn.

Usage: ``python -m support.ddp.efficiency FOLDER ROUNDS``; it prints JSON. Each process has one
thread, and the steps of the first third are not counted.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import lightning as L
from support.matrix.domains import write_transitions

from oneleap.domains.main import main

STEPS, SKIPPED = 300, 100
TESTS = Path(__file__).parents[2].absolute()
CONFIG = """
model:
  class_path: oneleap.domains.rl.Policy
  init_args:
    objective: oneleap.core.MeanFlow
    network: {width: 512}
    recipe: {compile: false}
data:
  class_path: oneleap.domains.rl.OfflineData
  init_args: {path: tiny.hdf5, env: none, batch_size: 1024}
trainer: {accelerator: cpu, log_every_n_steps: 100000}
"""


class Clock(L.Callback):
    """Writes the mean time of a step to ``time.json`` in the current folder."""

    def __init__(self) -> None:
        self.began = 0.0

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == SKIPPED:
            self.began = time.perf_counter()
        if trainer.global_step == STEPS and trainer.is_global_zero:
            each = (time.perf_counter() - self.began) / (STEPS - SKIPPED)
            Path("time.json").write_text(json.dumps(each))


def step_time(folder: Path, processes: int, name: str) -> float:
    """Seconds of a step."""
    argv = ["fit", "--config", "e.yaml", "--trainer.devices", str(processes), "--run", name]
    argv += ["--trainer.max_steps", str(STEPS), "--trainer.logger", "false"]
    argv += ["--trainer.callbacks+=support.ddp.efficiency.Clock"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS)}
    program = [sys.executable, "-m", "support.ddp.efficiency", *argv]
    subprocess.run(program, cwd=folder, env=env, check=True, stdout=2)
    return float(json.loads((folder / "time.json").read_text()))


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """Time one process and two, in turn; the efficiency is the ratio of the medians."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "e.yaml").write_text(CONFIG)
    os.chdir(folder)
    write_transitions(folder)
    found: dict[int, list[float]] = {1: [], 2: []}
    for k in range(rounds):
        for n, times in found.items():
            times.append(step_time(folder, n, f"run-{n}-{k}"))
    one, two = (median(found[n]) for n in (1, 2))
    return {"one_ms": 1000 * one, "two_ms": 1000 * two, "efficiency": one / two, "all": found}


if __name__ == "__main__":
    if sys.argv[1] == "fit":
        sys.exit(main(sys.argv[1:]))
    before = os.getloadavg()
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2])) | {"load": before}))
