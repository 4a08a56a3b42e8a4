"""``oneleap bench core``: every method on toy data at equal compute, by quality and by speed."""

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from oneleap.core.bench.methods import BATCH, METHODS, STEPS, TEACHER, Outcome, Trial, train
from oneleap.core.bench.toy import SETS
from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.timing import median_ms, report
from oneleap.core.training.compile import compiled
from oneleap.core.training.seed import step_generator

WIDTH = 110
"""Columns the table takes, where the output is no terminal."""

Outcomes = dict[tuple[str, str], Outcome]
"""By method and set."""


def bench(
    budget: int = 20_000,
    workers: int = 0,
    json: Path | None = None,
    picture: Path = Path("methods.png"),
) -> None:
    """Train every method on every toy set for the same number of network evaluations.

    Example: oneleap bench core --budget 20000 --picture methods.png

    Args:
        budget: Steps of flow matching; costlier methods get as many fewer.
        workers: Processes of one thread each; 0 is one for each core.
        json: Also write the figures to this file.
        picture: Drawing of the distances.
    """
    if budget < 1 or workers < 0:
        raise InputError(f"budget {budget} must be positive, workers {workers} not negative")
    outcomes = run(budget, workers or os.cpu_count() or 1)
    distances = {
        f"{where}, {name}, {k} steps": distance
        for (name, where), found in outcomes.items()
        for k, distance in found.distances.items()
    }
    console = Console()
    console.width = max(WIDTH, console.width)
    console.print(table(outcomes))
    title = f"{budget} steps of flow matching each, batch {BATCH}"
    report(title, step_ratios(), json, unshown=distances)
    with replacing(picture) as path:
        draw(outcomes, path)
    print(f"picture: {picture}")


def run(budget: int, workers: int) -> Outcomes:
    """All methods on all sets: flow matching first, then those that it teaches as well."""
    outcomes: Outcomes = {}
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
        Progress(*columns, console=Console(stderr=True)) as bar,
    ):
        task = bar.add_task("training", total=len(METHODS) * len(SETS))
        pending = {
            pool.submit(train, TEACHER, where, budget, None): (TEACHER, where) for where in SETS
        }
        while pending:
            done = next(as_completed(pending))
            name, where = pending.pop(done)
            outcomes[name, where] = done.result()
            bar.advance(task)
            if name == TEACHER:
                weights = done.result().weights
                for other in METHODS:
                    if other != TEACHER:
                        job = pool.submit(train, other, where, budget, weights)
                        pending[job] = other, where
    return {(name, where): outcomes[name, where] for where in SETS for name in METHODS}


def step_ratios(width: int = 256, rounds: int = 30) -> dict[str, float]:
    """Compiled steps of MeanFlow and SplitMeanFlow over flow matching's, taken in turns."""
    names = {TEACHER: "fm", "MeanFlow": "meanflow", "SplitMeanFlow": "splitmeanflow"}
    calls = {}
    for name in names:
        trial = Trial(METHODS[name], width=width)
        x = SETS["spiral"](4 * BATCH, step_generator(0, 0))
        draw = trial.objective.draw(x, step_generator(0, 1))
        loss = compiled(trial.loss)
        calls[name] = lambda loss=loss, x=x, draw=draw: loss(x, draw).backward()
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(median_ms(call, calls=10, warmup=1))
    base = median(times[TEACHER])
    ratios = {f"{names[n]}_over_fm_step": median(times[n]) / base for n in names if n != TEACHER}
    return {"fm_step_ms": base, **ratios}


def table(outcomes: Outcomes) -> Table:
    """Distances, and what they cost."""
    steps = " ".join(map(str, STEPS))
    found = Table(title=f"sliced Wasserstein distance to held-out data after {steps} steps")
    for title in ("method", *SETS, "ms a step", "cost", "MiB"):
        found.add_column(title, justify="left" if title == "method" else "right", no_wrap=True)
    for name in METHODS:
        rows = [outcomes[name, where] for where in SETS]
        cells = [" ".join(f"{row.distances[k]:.3f}" for k in STEPS) for row in rows]
        first = rows[0]
        cost = (f"{median(row.step_ms for row in rows):.1f}", f"{first.cost:.2f}")
        found.add_row(name, *cells, *cost, f"{first.saved_mib:.1f}")
    best = [f"{outcomes[TEACHER, where].distances[100]:.3f}" for where in SETS]
    found.add_row(f"{TEACHER}, 100", *best, "", "", "")
    return found


def draw(outcomes: Outcomes, path: Path) -> None:
    """A panel a set, a line a method; the band is up to 1.5 times 100 steps of flow matching."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    panels = figure.subplots(1, len(SETS), sharey=True)
    for panel, where in zip(panels, SETS, strict=True):
        best = outcomes[TEACHER, where].distances[100]
        panel.axvspan(best, 1.5 * best, color="0.9")
        panel.axvline(best, color="0.5", linewidth=1)
        for k, marker in zip(STEPS, "o^s", strict=True):
            x = [outcomes[name, where].distances[k] for name in METHODS]
            panel.plot(
                x,
                range(len(METHODS)),
                marker,
                markersize=5,
                label=f"{k} steps" if k > 1 else "1 step",
            )
        panel.set(title=where, xscale="log", xlabel="distance to data")
        panel.grid(axis="y", alpha=0.3)
    panels[0].set_yticks(range(len(METHODS)), METHODS)
    panels[0].invert_yaxis()
    panels[0].legend(loc="upper right")
    figure.suptitle("Grey: 100 steps of flow matching, and up to 1.5 times its distance")
    figure.savefig(path, dpi=120, format="png")
