"""One command for each of several models, as jobs."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from oneleap.core.errors import InputError
from oneleap.core.jobs.place import Place
from oneleap.core.jobs.processes import Job
from oneleap.core.training.run import EVALUATION, find_model

SHOWN = 6
"""Number of figures of a model that are printed."""

OWN = ("json", "out")
"""Options that name one file, which several models cannot share."""


def run_several(command: tuple[str, str], runs: Sequence[str], options: Sequence[str]) -> int:
    """Run a command for each model, and print the results.

    The output of each goes to ``COMMAND.log`` beside its results.

    Args:
        command: Module of the program, and name of the command.
        runs: Folders of runs or of models.
        options: Options of the command, and those of :class:`oneleap.core.jobs.place.Place`.

    Returns:
        Exit status: 1 if one failed.

    Raises:
        InputError: A folder holds no model, one is named twice, or an option is wrong.
    """
    place, rest = split_options(options)
    if len(set(runs)) < len(runs):
        raise InputError("a run is named twice: name each once")
    program, name = command
    for option in OWN:
        if any(word.lstrip("-").partition("=")[0] == option for word in rest):
            raise InputError(f"{option}: {len(runs)} models cannot share one file: leave it out")
    homes = {run: find_model(Path(run)).home for run in runs}
    jobs = {
        run: Job(
            ("-m", program, name, run, *rest), (home / f"{name}.log").absolute(), place.threads
        )
        for run, home in homes.items()
    }

    def finished(run: str) -> None:
        print(f"{run}: {figures(homes[run])}", flush=True)

    failed = place.run(jobs, finished)
    for run, reason in failed.items():
        text = f"{run} failed: {reason.removeprefix('oneleap: ')}"
        Console(stderr=True).print(text, markup=False, soft_wrap=True)
    return 1 if failed else 0


def split_options(options: Sequence[str]) -> tuple[Place, list[str]]:
    """Separate the options of :class:`oneleap.core.jobs.place.Place` from those of the command.

    Raises:
        InputError: A value is wrong.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--at_once", "--at-once", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gpus", type=float, default=0.0)
    parser.add_argument("--ray")
    try:
        found, rest = parser.parse_known_args(list(options))
    except argparse.ArgumentError as error:
        raise InputError(str(error)) from None
    return Place(**vars(found)), rest


def figures(home: Path) -> str:
    """The first numbers of the results in a folder, on one line."""
    path = home / EVALUATION
    if not path.is_file():
        return "done"
    found = json.loads(path.read_text(encoding="utf-8"))
    numbers = [(k, v) for k, v in found.items() if isinstance(v, int | float)]
    return " ".join(f"{name} {value:.4g}" for name, value in numbers[:SHOWN])
