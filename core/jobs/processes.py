"""Runs jobs in processes of their own, several at once."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """Something that a Python interpreter runs.

    Attributes:
        arguments: Arguments of the interpreter.
        log: File for its output.
        threads: Threads of numerical libraries.
    """

    arguments: tuple[str, ...]
    log: Path
    threads: int = 1


def run_job(
    job: Job, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> str | None:
    """Run a job in a process of its own, and wait for its end.

    Args:
        job: The job.
        folder: Folder in which it runs; by default the current one.
        env: Further environment variables.

    Returns:
        The reason if it fails: the last line of its output, or its exit status.
    """
    variables = {**os.environ, "OMP_NUM_THREADS": str(job.threads), **(env or {})}
    with job.log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            [sys.executable, *job.arguments],
            cwd=folder,
            env=variables,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode == 0:
        return None
    text = job.log.read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines or [f"exit status {done.returncode}"])[-1]


def run_processes(
    jobs: Mapping[str, Job], at_once: int, finished: Callable[[str], None]
) -> dict[str, str]:
    """Run jobs on this machine. One that crashes does not affect the others.

    Args:
        jobs: Jobs by name.
        at_once: Number of jobs that run at the same time.
        finished: Called with the name of each job that succeeds.

    Returns:
        The reason of each failure by name; jobs that succeed are not in it.
    """

    def run(name: str) -> str | None:
        reason = run_job(jobs[name])
        if reason is None:
            finished(name)
        return reason

    with ThreadPoolExecutor(at_once) as pool:
        reasons = dict(zip(jobs, pool.map(run, jobs), strict=True))
    return {name: reason for name, reason in reasons.items() if reason is not None}
