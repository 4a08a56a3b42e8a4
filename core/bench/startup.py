"""``oneleap bench startup``: CPU time of cold commands, relative to ``import torch``."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.timing import print_measurements

PROGRAM = "from oneleap.domains.main import main; import sys; sys.exit(main(sys.argv[1:]))"

SCORE = """<?xml version="1.0"?>
<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Voice</part-name>
</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions>
<time><beats>4</beats><beat-type>4</beat-type></time></attributes>
<note><pitch><step>A</step><octave>4</octave></pitch><duration>4</duration><type>whole</type>
<lyric><syllabic>single</syllabic><text>\u3089</text></lyric></note></measure></part>
</score-partwise>
"""
"""A score of one bar with one note."""


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the command line of each process to time, by name.

    Args:
        folder: Folder for their output files.
    """
    score = folder / "note.musicxml"
    score.write_text(SCORE, encoding="utf-8")
    python = [sys.executable, "-c"]
    ours = [*python, PROGRAM]
    composing = ["compose", "--seconds", "2", "--intensity", "flat"]
    composing += ["--steps", "1", "--decode", "1", "--no_picture"]
    return {
        "import torch": [*python, "import torch"],
        "import oneleap.core": [*python, "from oneleap.core import MeanFlow, sample"],
        "help": [*ours, "--help"],
        "speak": [*ours, "speak", "Hello.", "-o", str(folder / "hello.wav")],
        "sing": [*ours, "sing", str(score), "-o", str(folder / "note.wav")],
        "compose": [*ours, *composing, "-o", str(folder / "music.wav")],
    }


def cpu_seconds(argv: list[str]) -> float:
    """Run a process and return its CPU time, user plus system, in seconds.

    Raises:
        InputError: If it fails.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, capture_output=True, text=True, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"{' '.join(argv[3:]) or argv[-1]} failed: {reason}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def bench(rounds: int = 5, json: Path | None = None) -> None:
    """Measure the median CPU seconds of whole processes, and their ratio to importing torch.

    Each round runs all commands in turn, so a change of the machine's speed affects all of them.

    Example: oneleap bench startup --rounds 5

    Args:
        rounds: Number of runs of each command.
        json: Also write the results to this file.

    Raises:
        InputError: If a command fails, or there are no rounds.
    """
    if rounds < 1:
        raise InputError(f"rounds: {rounds} is not positive")
    with tempfile.TemporaryDirectory() as folder:
        processes = commands(Path(folder))
        times: dict[str, list[float]] = {name: [] for name in processes}
        for _ in range(rounds):
            for name, argv in processes.items():
                times[name].append(cpu_seconds(argv))
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    base = medians["import torch"]
    figures = {f"{name}, CPU s": seconds for name, seconds in medians.items()}
    figures |= {f"{name}, over import torch": s / base for name, s in medians.items()}
    print_measurements(f"cold start, median of {rounds}", figures, json)
