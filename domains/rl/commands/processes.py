"""Runs commands in processes of their own, several at once."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def run_processes(
    commands: Mapping[str, Sequence[str]],
    at_once: int,
    logs: Path,
    finished: Callable[[str], None],
) -> dict[str, str]:
    """Run commands in processes of their own.

    A process that crashes does not affect the others.

    Args:
        commands: Program and arguments of each process by its name.
        at_once: Number of processes that run at the same time.
        logs: Folder for the output of each process, ``NAME.log``.
        finished: Called with the name of each process that succeeds.

    Returns:
        The reason of each failure by name; processes that succeed are not in it.
    """
    logs.mkdir(parents=True, exist_ok=True)

    def run(name: str) -> str | None:
        log = logs / f"{name}.log"
        with log.open("w", encoding="utf-8") as file:
            done = subprocess.run(
                commands[name], stdout=file, stderr=subprocess.STDOUT, check=False
            )
        if done.returncode == 0:
            finished(name)
            return None
        text = log.read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return (lines or [f"exit status {done.returncode}"])[-1]

    with ThreadPoolExecutor(at_once) as pool:
        reasons = dict(zip(commands, pool.map(run, commands), strict=True))
    return {name: reason for name, reason in reasons.items() if reason is not None}
