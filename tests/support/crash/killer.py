"""Trains a tiny run whole, then kills it again and again, resumes it, and compares.

A process of its own imports everything once and forks a child for each attempt, so that a kill
costs a second or two. Usage: ``python -m support.crash.killer NAME FOLDER KILLS SEED``; it prints
what it found as JSON.
"""

import contextlib
import csv
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from support.crash.runs import RUNS, STEPS

from oneleap.core.training.run import BEST, LAST
from oneleap.domains.main import main

WRITES = ("half of a checkpoint", "before its rename", "after its rename")
"""Moments of a checkpoint's write at which some of the children kill themselves."""

SKIPPED = {"seconds"}
"""Parts of a checkpoint that count time."""


def kill_self() -> None:
    """End this process as the kernel would."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_in_write(moment: str, countdown: int) -> None:
    """Arrange that this process kills itself while it writes its n-th checkpoint."""
    left = [countdown]
    save, replace = torch.save, Path.replace

    def half(value: Any, path: Any, **rest: Any) -> None:
        save(value, path, **rest)
        left[0] -= 1
        if moment == WRITES[0] and not left[0]:
            os.truncate(path, os.stat(path).st_size // 2)
            kill_self()

    def renamed(self: Path, target: Any) -> Path:
        due = not left[0] and self.suffix == ".ckpt"
        if due and moment == WRITES[1]:
            kill_self()
        done = replace(self, target)
        if due and moment == WRITES[2]:
            kill_self()
        return done

    torch.save, Path.replace = half, renamed  # type: ignore[assignment,method-assign]


def forked(act: Callable[[], int], log: Path) -> int:
    """Run a function in a child whose output goes to a file; its process."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        with log.open("ab") as file:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
        status = act()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(process: int, seconds: float | None = None) -> int | None:
    """The exit status of a child, negative for a signal; ``None`` if it still runs."""
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        done, status = os.waitpid(process, 0 if end is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if end is not None and time.monotonic() > end:
            return None
        time.sleep(0.002)


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]


def same(one: Any, other: Any, where: str) -> Iterator[str]:
    """Yield the places where two checkpoints differ."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if one.shape != other.shape or not torch.equal(one.nan_to_num(), other.nan_to_num()):
            yield where
    elif isinstance(one, dict) and isinstance(other, dict):
        for key in {*one, *other} - SKIPPED:
            yield from same(one.get(key), other.get(key), f"{where}/{key}")
    elif (
        isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other)
    ):
        for k, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from same(a, b, f"{where}/{k}")
    elif one != other:
        yield where


def differences(run: Path, whole: Path) -> list[str]:
    """Places where a run differs from one that was never killed."""
    found = []
    for name in (LAST, BEST):
        if (run / name).is_file() != (whole / name).is_file():
            found.append(f"{name} exists in one only")
        elif (run / name).is_file():
            one, two = (torch.load(f / name, weights_only=True) for f in (run, whole))
            for each in (one, two):
                each.pop("loops")  # Lightning counts the restarts
            found += same(one, two, name.name)
    if rows(run) != rows(whole):
        found.append("metrics.csv")
    one, two = (load_file(f / "model" / "model.safetensors") for f in (run, whole))
    found += same(one, two, "model.safetensors")
    left = [str(p.relative_to(run)) for p in run.rglob(".*")]
    return [*found, *left]


class Killer:
    """One kind of run in one folder."""

    def __init__(self, name: str, folder: Path, seed: int) -> None:
        self.run, self.folder, self.random = RUNS[name], folder, random.Random(seed)
        self.log, self.kills, self.moments = folder / "log", 0, Counter[str]()
        self.faults: list[str] = []

    def argv(self, folder: str) -> list[str]:
        """The command that starts a run, or continues it if it has a checkpoint."""
        resumed = ["--ckpt_path", "last"] if Path(folder, LAST).is_file() else []
        if not resumed:
            shutil.rmtree(folder, ignore_errors=True)
        return [*self.run.argv, "--run", folder, *resumed]

    def attempt(self, folder: str, prepare: Callable[[], None] = lambda: None) -> int:
        """Start a child that trains."""
        argv = self.argv(folder)

        def act() -> int:
            prepare()
            return main(argv)

        return forked(act, self.log)

    def whole(self) -> float:
        """Train the run that is never killed; how long its child takes."""
        self.run.write(self.folder)
        for command in self.run.before:
            if wait(forked(lambda c=command: main([*c]), self.log)) != 0:  # type: ignore[misc]
                raise SystemExit(self.log.read_text())
        main([*self.run.argv, "--run", "warm", "--trainer.max_steps", "1"])  # imports everything
        began = time.monotonic()
        if wait(self.attempt("whole")) != 0:
            raise SystemExit(self.log.read_text())
        return time.monotonic() - began

    def check_whole(self, folder: str) -> None:
        """The checkpoint after a kill can be read, if there is one."""
        if Path(folder, LAST).is_file():
            try:
                torch.load(Path(folder, LAST), weights_only=True)
            except Exception as error:
                self.faults.append(f"after kill {self.kills}: {error}")

    def kill_one(self, folder: str, seconds: float) -> bool:
        """Start or continue a run, and kill it at a random moment; whether it was killed."""
        if self.random.random() < 0.25:
            moment, count = self.random.choice(WRITES), self.random.randint(1, 3)
            status = wait(self.attempt(folder, lambda: kill_in_write(moment, count)))
        else:
            moment, process = "any", self.attempt(folder)
            status = wait(process, self.random.uniform(0, seconds))
            if status is None:
                os.kill(process, signal.SIGKILL)
                status = wait(process)
        if status == -signal.SIGKILL:
            self.kills += 1
            self.moments[moment] += 1
            self.check_whole(folder)
            return True
        if status != 0 and not (status == 2 and self.at_its_end(folder)):
            self.faults.append(f"exit status {status}: {self.log.read_text()[-1500:]}")
        return False

    def at_its_end(self, folder: str) -> bool:
        """Whether the run was killed after all was written, so that nothing is left to train."""
        return f"is at step {STEPS} already" in self.log.read_text()[-500:]

    def kill(self, times: int, seconds: float) -> None:
        """Kill runs until there were so many kills, and compare each that ends."""
        number = 0
        while self.kills < times and not self.faults:
            folder = f"killed-{number}"
            while self.kills < times and self.kill_one(folder, seconds):
                if self.faults:
                    return
            if self.kills >= times:
                status = wait(self.attempt(folder))
                if status != 0 and not (status == 2 and self.at_its_end(folder)):
                    self.faults.append(f"exit status {status}: {self.log.read_text()[-1500:]}")
                    return
            different = differences(Path(folder), Path("whole"))
            self.faults += [f"{folder} differs: {', '.join(different[:8])}"] if different else []
            shutil.rmtree(folder) if not different else None
            number += 1


def run(name: str, folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill one kind of run."""
    os.chdir(folder)
    torch.set_num_threads(1)
    killer = Killer(name, folder, seed)
    with contextlib.redirect_stdout(sys.stderr):
        seconds = killer.whole()
        killer.kill(kills, seconds)
    return {
        "name": name,
        "kills": killer.kills,
        "moments": dict(killer.moments),
        "seconds": round(seconds, 2),
        "faults": killer.faults,
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
