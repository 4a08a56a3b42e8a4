"""``oneleap bench core``: every method on toy data at equal compute, by quality and speed."""

import os
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median, stdev

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from oneleap.core.bench.kept import Kept
from oneleap.core.bench.methods import METHODS, STUDENT, TEACHER
from oneleap.core.bench.toy import SETS
from oneleap.core.bench.training import BATCH, STEPS, Outcome, ToyRun, train
from oneleap.core.errors import InputError, suggest
from oneleap.core.files import atomic_write
from oneleap.core.timing import median_ms, print_measurements
from oneleap.core.training.compile import compiled
from oneleap.core.training.seed import step_generator

WIDTH = 110
"""Columns of the table if the output is not a terminal."""

FEWEST = 16
"""Rows that every method can split into its kinds."""

Outcomes = dict[tuple[str, str], Outcome]
"""Outcomes by method and dataset."""


def bench(
    budget: int = 20_000,
    workers: int = 0,
    seed: int = 0,
    seeds: int = 1,
    sets: list[str] | None = None,
    methods: list[str] | None = None,
    compile_loss: bool = True,
    batch: int = BATCH,
    json: Path | None = None,
    picture: Path = Path("methods.png"),
    folder: Path | None = None,
) -> None:
    """Train every method on every toy dataset with the same compute.

    Example: oneleap bench core --budget 20000 --picture methods.png

    Args:
        budget: Steps of flow matching; costlier methods get proportionally fewer steps. 0 trains
            nothing and only times the steps.
        workers: Number of processes of one thread each; 0 is one per core.
        seed: Seed of weights and draws.
        seeds: Number of runs of each method, with the seeds from ``seed`` on.
        sets: Toy dataset, such as ``spiral``; may be given several times; all by default.
        methods: Method, such as ``MeanFlow``; may be given several times; all by default. Flow
            matching is always there.
        compile_loss: Whether to compile the losses; short runs are faster without.
        batch: Rows of a batch.
        json: Also write the results to this file.
        picture: Plot of the distances.
        folder: Write each result to this folder at once, and read those that are there: a run that
            was stopped goes on.

    Raises:
        InputError: If a number is too small, a dataset or method is unknown, or the folder holds
            results of other settings.
    """
    if min(budget, workers) < 0 or seeds < 1 or batch < FEWEST:
        raise InputError(
            f"budget {budget}, seeds {seeds}, batch {batch}, workers {workers}: budget and workers "
            f"must not be negative, seeds must be positive, batch at least {FEWEST}"
        )
    for name in sets or ():
        if name not in SETS:
            raise InputError(f"sets: no dataset '{name}'{suggest(name, SETS)} ({', '.join(SETS)})")
    for name in methods or ():
        if name not in METHODS:
            raise InputError(
                f"methods: no method '{name}'{suggest(name, METHODS)} ({', '.join(METHODS)})"
            )
    if picture.suffix.lower() != ".png":
        raise InputError(f"picture: {picture} is not a .png file: name one")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError(f"folder: {folder} is a file: name a folder")
    if budget == 0:
        print_measurements("compiled training steps, in turns", step_ratios(), json)
        return
    chosen, jobs = sets or list(SETS), workers or os.cpu_count() or 1
    kept = Kept(folder, {"budget": budget, "batch": batch})
    all_seeds = range(seed, seed + seeds)
    names = needed(methods)
    runs = train_all(
        names, budget, jobs, all_seeds, chosen, kept, compile_loss=compile_loss, batch=batch
    )
    outcomes = {
        (name, dataset): averaged([runs[name, dataset, k] for k in all_seeds])
        for dataset in chosen
        for name in names
    }
    distances: dict[str, float] = {}
    for (name, dataset), entry in outcomes.items():
        for k, distance in entry.distances.items():
            distances[f"{dataset}, {name}, {k} steps"] = distance
        for k, error in entry.errors.items():
            distances[f"{dataset}, {name}, {k} steps, standard error"] = error
        for label, value in (("cost", entry.cost), ("ms a step", entry.step_ms)):
            distances[f"{dataset}, {name}, {label}"] = value
    console = Console()
    console.width = max(WIDTH, console.width)
    console.print(table(outcomes))
    title = f"{budget} steps of flow matching each, batch {batch}"
    print_measurements(title, step_ratios(), json, file_only=distances)
    with atomic_write(picture) as path:
        draw(outcomes, path)
    print(f"picture: {picture}")


def needed(methods: list[str] | None) -> list[str]:
    """Return the methods to train, in the table's order, with those whose weights others need.

    Args:
        methods: Names of methods; ``None`` for all.
    """
    chosen = {TEACHER, *(methods or METHODS)}
    if any(METHODS[name].from_student for name in chosen):
        chosen.add(STUDENT)
    return [name for name in METHODS if name in chosen]


def train_all(
    names: list[str],
    budget: int,
    workers: int,
    seeds: range,
    sets: list[str],
    kept: Kept,
    *,
    compile_loss: bool = True,
    batch: int = BATCH,
) -> dict[tuple[str, str, int], Outcome]:
    """Train methods on some datasets, in the order in which they need each other's weights.

    The datasets and seeds of one method follow each other, so that a process compiles once for all.

    Args:
        names: Names of the methods, with those whose weights others need.
        budget: Compute of each method, in flow-matching steps.
        workers: Number of processes.
        seeds: Seeds of weights and draws.
        sets: Names of the datasets.
        kept: Results of earlier runs; new ones are written there at once.
        compile_loss: Whether to compile the losses.
        batch: Rows of a batch.

    Returns:
        Outcomes by method, dataset and seed.
    """
    outcomes: dict[tuple[str, str, int], Outcome] = {}
    first = [name for name in (TEACHER, STUDENT) if name in names]
    late = [name for name in names if METHODS[name].from_student]
    stages = [[TEACHER], [*first, *(name for name in names if name not in late)], late]
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
        Progress(*columns, console=Console(stderr=True)) as bar,
    ):
        task = bar.add_task("training", total=len(names) * len(sets) * len(seeds))
        for stage in stages:
            pending: dict[Future[Outcome], tuple[str, str, int]] = {}
            for key in product(dict.fromkeys(stage), sets, seeds):
                name, dataset, seed = key
                if key in outcomes:
                    continue
                if (found := kept.read(*key)) is not None:
                    outcomes[key] = found
                    bar.advance(task)
                    continue
                known = {
                    n: outcomes[n, dataset, seed].weights
                    for n in (TEACHER, STUDENT)
                    if (n, dataset, seed) in outcomes
                }
                job = pool.submit(train, name, dataset, budget, known, seed, compile_loss, batch)
                pending[job] = key
            for job in as_completed(pending):
                key = pending[job]
                outcomes[key] = job.result()
                kept.write(*key, outcomes[key])
                bar.advance(task)
    return outcomes


def averaged(entries: list[Outcome]) -> Outcome:
    """Average the distances of several seeds, with their standard errors."""
    if len(entries) == 1:
        return entries[0]
    means, errors = {}, {}
    for k in entries[0].distances:
        values = [entry.distances[k] for entry in entries]
        means[k], errors[k] = mean(values), stdev(values) / len(values) ** 0.5
    return replace(
        entries[0],
        distances=means,
        errors=errors,
        step_ms=median(entry.step_ms for entry in entries),
    )


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
    sets = list(dict.fromkeys(dataset for _, dataset in outcomes))
    entries = Table(title=f"sliced Wasserstein distance to held-out data after {steps} steps")
    for title in ("method", *sets, "ms a step", "cost", "MiB"):
        entries.add_column(title, justify="left" if title == "method" else "right", no_wrap=True)
    for name in dict.fromkeys(name for name, _ in outcomes):
        rows = [outcomes[name, dataset] for dataset in sets]
        cells = [" ".join(f"{row.distances[k]:.3f}" for k in STEPS) for row in rows]
        first = rows[0]
        cost = (f"{median(row.step_ms for row in rows):.1f}", f"{first.cost:.2f}")
        entries.add_row(name, *cells, *cost, f"{first.saved_mib:.1f}")
    best = [f"{outcomes[TEACHER, dataset].distances[100]:.3f}" for dataset in sets]
    entries.add_row(f"{TEACHER}, 100", *best, "", "", "")
    return entries


def draw(outcomes: Outcomes, path: Path) -> None:
    """Plot a panel per dataset and a row per method.

    The band covers up to 1.5 times the distance of 100 steps of flow matching.
    """
    from matplotlib.figure import Figure

    sets = list(dict.fromkeys(dataset for _, dataset in outcomes))
    names = list(dict.fromkeys(name for name, _ in outcomes))
    height = 1.5 + 0.2 * len(names)
    figure = Figure(figsize=(11, height), layout="constrained")
    panels = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
    for panel, dataset in zip(panels, sets, strict=True):
        best = outcomes[TEACHER, dataset].distances[100]
        panel.axvspan(best, 1.5 * best, color="0.9")
        panel.axvline(best, color="0.5", linewidth=1)
        for k, marker in zip(STEPS, "o^s", strict=True):
            x = [outcomes[name, dataset].distances[k] for name in names]
            panel.plot(
                x,
                range(len(names)),
                marker,
                markersize=5,
                label=f"{k} steps" if k > 1 else "1 step",
            )
        panel.set(title=dataset, xscale="log", xlabel="distance to data")
        panel.grid(axis="y", alpha=0.3)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    panels[0].legend(loc="upper right")
    figure.suptitle("Gray: 100 steps of flow matching, and up to 1.5 times its distance")
    figure.savefig(path, dpi=120, format="png")
