"""``oneleap bench core``: every method on toy data at equal compute, by quality and speed."""

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from oneleap.core.bench.methods import BATCH, METHODS, STEPS, TEACHER, Outcome, ToyRun, train
from oneleap.core.bench.toy import SETS
from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.timing import median_ms, print_measurements
from oneleap.core.training.compile import compiled
from oneleap.core.training.seed import step_generator

WIDTH = 110
"""Columns of the table if the output is not a terminal."""

Outcomes = dict[tuple[str, str], Outcome]
"""Outcomes by method and dataset."""


def bench(
    budget: int = 20_000,
    workers: int = 0,
    seed: int = 0,
    json: Path | None = None,
    picture: Path = Path("methods.png"),
) -> None:
    """Train every method on every toy dataset with the same compute.

    Example: oneleap bench core --budget 20000 --picture methods.png

    Args:
        budget: Steps of flow matching; costlier methods get proportionally fewer steps. 0 trains
            nothing and only times the steps.
        workers: Number of processes of one thread each; 0 is one per core.
        seed: Seed of weights and draws.
        json: Also write the results to this file.
        picture: Plot of the distances.

    Raises:
        InputError: If the budget or ``workers`` is negative.
    """
    if budget < 0 or workers < 0:
        raise InputError(f"budget {budget} and workers {workers} must not be negative")
    if budget == 0:
        print_measurements("compiled training steps, in turns", step_ratios(), json)
        return
    outcomes = train_all(budget, workers or os.cpu_count() or 1, seed)
    distances = {
        f"{dataset}, {name}, {k} steps": distance
        for (name, dataset), entries in outcomes.items()
        for k, distance in entries.distances.items()
    }
    console = Console()
    console.width = max(WIDTH, console.width)
    console.print(table(outcomes))
    title = f"{budget} steps of flow matching each, batch {BATCH}"
    print_measurements(title, step_ratios(), json, file_only=distances)
    with atomic_write(picture) as path:
        draw(outcomes, path)
    print(f"picture: {picture}")


def train_all(budget: int, workers: int, seed: int) -> Outcomes:
    """Train all methods on all datasets, flow matching first, since others distill it."""
    outcomes: Outcomes = {}
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
        Progress(*columns, console=Console(stderr=True)) as bar,
    ):
        task = bar.add_task("training", total=len(METHODS) * len(SETS))
        pending = {
            pool.submit(train, TEACHER, dataset, budget, None, seed): (TEACHER, dataset)
            for dataset in SETS
        }
        while pending:
            done = next(as_completed(pending))
            name, dataset = pending.pop(done)
            outcomes[name, dataset] = done.result()
            bar.advance(task)
            if name == TEACHER:
                weights = done.result().weights
                for other in METHODS:
                    if other != TEACHER:
                        job = pool.submit(train, other, dataset, budget, weights, seed)
                        pending[job] = other, dataset
    return {(name, dataset): outcomes[name, dataset] for dataset in SETS for name in METHODS}


def step_ratios(width: int = 256, rounds: int = 30) -> dict[str, float]:
    """Measure compiled steps of MeanFlow and SplitMeanFlow relative to flow matching, in turns."""
    names = {TEACHER: "fm", "MeanFlow": "meanflow", "SplitMeanFlow": "splitmeanflow"}
    calls = {}
    for name in names:
        run = ToyRun(METHODS[name], width=width)
        x = SETS["spiral"](4 * BATCH, step_generator(0, 0))
        draw = run.objective.draw(x, step_generator(0, 1))
        loss = compiled(run.loss)
        calls[name] = lambda loss=loss, x=x, draw=draw: loss(x, draw).backward()
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(median_ms(call, calls=10, warmup=1))
    base = median(times[TEACHER])
    ratios = {f"{names[n]}_over_fm_step": median(times[n]) / base for n in names if n != TEACHER}
    return {"fm_step_ms": base, **ratios}


def table(outcomes: Outcomes) -> Table:
    """Make a table of distances and costs."""
    steps = " ".join(map(str, STEPS))
    entries = Table(title=f"sliced Wasserstein distance to held-out data after {steps} steps")
    for title in ("method", *SETS, "ms a step", "cost", "MiB"):
        entries.add_column(title, justify="left" if title == "method" else "right", no_wrap=True)
    for name in METHODS:
        rows = [outcomes[name, dataset] for dataset in SETS]
        cells = [" ".join(f"{row.distances[k]:.3f}" for k in STEPS) for row in rows]
        first = rows[0]
        cost = (f"{median(row.step_ms for row in rows):.1f}", f"{first.cost:.2f}")
        entries.add_row(name, *cells, *cost, f"{first.saved_mib:.1f}")
    best = [f"{outcomes[TEACHER, dataset].distances[100]:.3f}" for dataset in SETS]
    entries.add_row(f"{TEACHER}, 100", *best, "", "", "")
    return entries


def draw(outcomes: Outcomes, path: Path) -> None:
    """Plot a panel per dataset and a row per method.

    The band covers up to 1.5 times the distance of 100 steps of flow matching.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    panels = figure.subplots(1, len(SETS), sharey=True)
    for panel, dataset in zip(panels, SETS, strict=True):
        best = outcomes[TEACHER, dataset].distances[100]
        panel.axvspan(best, 1.5 * best, color="0.9")
        panel.axvline(best, color="0.5", linewidth=1)
        for k, marker in zip(STEPS, "o^s", strict=True):
            x = [outcomes[name, dataset].distances[k] for name in METHODS]
            panel.plot(
                x,
                range(len(METHODS)),
                marker,
                markersize=5,
                label=f"{k} steps" if k > 1 else "1 step",
            )
        panel.set(title=dataset, xscale="log", xlabel="distance to data")
        panel.grid(axis="y", alpha=0.3)
    panels[0].set_yticks(range(len(METHODS)), METHODS)
    panels[0].invert_yaxis()
    panels[0].legend(loc="upper right")
    figure.suptitle("Gray: 100 steps of flow matching, and up to 1.5 times its distance")
    figure.savefig(path, dpi=120, format="png")
