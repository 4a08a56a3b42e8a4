"""``oneleap sweep``: trains values of one setting with several seeds, side by side."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING

from oneleap.core.errors import InputError
from oneleap.core.jobs.place import Place
from oneleap.core.jobs.processes import Job
from oneleap.domains.rl.commands.sweep_trials import (
    SweepPlan,
    Trial,
    check_plan,
    store_sweep,
    trial_score,
    trials,
)

if TYPE_CHECKING:
    from rich.table import Table

GRID = (0.001, 0.01, 0.1, 0.3, 0.5)
"""Values of eta that OFQL's authors search (arXiv 2508.13904, App. B)."""

NEW_EPISODES = 1_000_000
"""Seed of the evaluation that the last line suggests: its episodes did not choose the value."""

PROGRAM = (
    "import sys; from oneleap.domains.rl.commands.sweep_trials import main; "
    "sys.exit(main(sys.argv[1:]))"
)
"""Program that runs one trial."""


@dataclass(frozen=True)
class ValueSummary:
    """Results of one value of the setting.

    Attributes:
        value: The value.
        scores: Scores by seed.
    """

    value: float
    scores: dict[int, float]

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return mean(self.scores.values())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean; NaN for one seed."""
        n = len(self.scores)
        return stdev(self.scores.values()) / n**0.5 if n > 1 else float("nan")


def summary(found: dict[Trial, dict[str, float]]) -> list[ValueSummary]:
    """Summarize each value, in order; by returns where the task has no scale of scores."""
    rows: dict[float, dict[int, float]] = {}
    for trial, figures in found.items():
        score = figures.get("score", figures["return"])
        rows.setdefault(trial.value, {})[trial.seed] = score
    return [ValueSummary(value, dict(sorted(rows[value].items()))) for value in sorted(rows)]


def summary_table(plan: SweepPlan, rows: list[ValueSummary]) -> "Table":
    """Format the summaries as a table; the row of the best mean is bold."""
    from rich.table import Table

    out = Table(title=f"{' + '.join(plan.configs)}: {plan.episodes} episodes per run")
    for name in (plan.setting, "mean", "standard error", "seeds", "scores"):
        out.add_column(name, justify="left" if name == "scores" else "right")
    best = max(rows, key=lambda row: row.mean)
    for row in rows:
        error = f"{row.standard_error:.1f}" if len(row.scores) > 1 else "-"
        cells = (f"{row.value:g}", f"{row.mean:.1f}", error)
        scores = " ".join(f"{score:.1f}" for score in row.scores.values())
        style = "bold" if row is best else None
        out.add_row(*cells, str(len(row.scores)), scores, style=style)
    return out


def next_command(plan: SweepPlan, folder: Path, rows: list[ValueSummary]) -> str:
    """The line that evaluates the best value on episodes that did not choose it."""
    from oneleap.core.cli.advice import next_line

    best = max(rows, key=lambda row: row.mean)
    run = folder / Trial(best.value, next(iter(best.scores))).name
    n = plan.num_action_samples
    samples = () if n is None else ("--num_action_samples", n)
    return next_line("evaluate", run, "--episodes", plan.episodes, "--seed", NEW_EPISODES, *samples)


def sweep(
    config: str,
    setting: str = "model.eta",
    values: tuple[float, ...] = GRID,
    seeds: tuple[int, ...] = (0, 1, 2),
    fit: str = "",
    episodes: int = 100,
    num_action_samples: int | None = None,
    at_once: int | None = None,
    threads: int = 1,
    ray: str | None = None,
    gpus: float = 0.0,
    out: Path | None = None,
) -> int:
    """Train every value of a setting with every seed, evaluate each run, and print means.

    The same command resumes a sweep: finished trials are kept, trials that have begun continue from
    their last checkpoint, and values or seeds may be added. The episodes of the table choose the
    best value. The last line printed says how to evaluate it on other episodes.

    Example: oneleap sweep rl/ofql_hopper-medium --values '[0.01, 0.1, 0.3]' --seeds '[0, 1]'

    Args:
        config: Name or path of a configuration, or several joined by +; later ones override earlier
            ones.
        setting: Setting that varies: model.eta, or model.alpha for FQL.
        values: Values of the setting.
        seeds: Seeds of the trials, as of oneleap fit --seed.
        fit: Further arguments of oneleap fit in quotes: --fit='--trainer.max_steps 100000'.
        episodes: Episodes of each evaluation.
        num_action_samples: Actions sampled for each observation in an evaluation, of which the best
            by Q is taken; by default the policy's own number.
        at_once: Number of trials that run at the same time; by default 2, or on a cluster as many
            as it has room for.
        threads: Threads of each trial.
        ray: Address of a running Ray cluster whose nodes run the trials, HOST:PORT, or auto for the
            one that this machine belongs to. All nodes must see the folder of the sweep and the
            current folder.
        gpus: GPUs of each trial on a cluster; 0.5 lets two trials share one.
        out: Folder of the sweep; by default runs/sweep/CONFIG.

    Returns:
        Exit status: 1 if a trial failed.

    Raises:
        InputError: A configuration is missing, the folder holds another sweep or is in use, or the
            trials could not be trained or scored.
    """
    from oneleap.core.cli.configs import find_config, runs_name
    from oneleap.core.training.run import claimed_folder
    from oneleap.domains.rl.commands.sweep_check import check_sweep

    if episodes < 1:
        raise InputError(f"episodes: {episodes} is not positive")
    place = Place(at_once, threads, ray, gpus)
    arguments = tuple(shlex.split(fit))
    plan = SweepPlan(tuple(config.split("+")), setting, arguments, episodes, num_action_samples)
    for name in plan.configs:
        find_config(name)
    folder = (out or Path("runs/sweep") / runs_name(plan.configs)).absolute()
    wanted = trials(values, seeds)
    with claimed_folder(folder, option="--out"):
        check_plan(folder, plan)
        if any(trial_score(plan, folder / trial.name) is None for trial in wanted):
            check_sweep(plan, wanted)
        return _run(folder, plan, store_sweep(folder, plan, wanted), place)


def _run(folder: Path, plan: SweepPlan, every: list[Trial], place: Place) -> int:
    """Run the trials that are not done yet, and print the table; the exit status."""
    from rich.console import Console

    waiting = [trial.name for trial in every if trial_score(plan, folder / trial.name) is None]
    print(f"{folder}: {len(every) - len(waiting)} of {len(every)} trials are done", flush=True)

    def finished(name: str) -> None:
        figures = trial_score(plan, folder / name) or {}
        shown = " ".join(f"{k} {figures[k]:.1f}" for k in ("return", "score") if k in figures)
        print(f"{name}: {shown}", flush=True)

    program, logs = ("-c", PROGRAM, str(folder)), folder / "logs"
    threads = place.threads
    jobs = {n: Job((*program, n, str(threads)), logs / f"{n}.log", threads) for n in waiting}
    failed = place.run(jobs, finished)
    results = {trial: trial_score(plan, folder / trial.name) for trial in every}
    rows = summary({trial: figures for trial, figures in results.items() if figures is not None})
    for name, reason in failed.items():
        Console(stderr=True).print(f"{name} failed: {reason}", markup=False, soft_wrap=True)
    if rows:
        Console().print(summary_table(plan, rows))
        print(next_command(plan, folder, rows))
    return 1 if failed else 0
