"""``oneleap demo``: from no data to a one-step policy that scores higher than its data."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneleap.domains.rl.evaluation.comparison import PolicyResult

CURVES = {
    "eval/score": "score in the simulator",
    "train/q": "value of the data (Q)",
    "train/boundary_error": "imitation error",
}
"""Metrics whose learning curves are in the report, and their titles."""

HEADER = ("policy", "score", "success", "ms per action")


def demo(
    run: Path = Path("runs/demo"),
    collect_steps: int = 1_000_000,
    bc_steps: int = 3_000,
    ofql_steps: int = 10_000,
    episodes: int = 50,
    seed: int = 0,
) -> None:
    """Collect PointMaze data, train two policies on them, and compare them in the simulator.

    Example: oneleap demo

    Args:
        run: Folder of data, runs and report. Data that exist already are used again.
        collect_steps: Steps of data to collect.
        bc_steps: Gradient steps of behavior cloning.
        ofql_steps: Gradient steps of OFQL.
        episodes: Episodes of each evaluation at the end.
        seed: Seed of everything.
    """
    from rich.console import Console

    from oneleap.core.cli import fit
    from oneleap.domains.rl.commands.collect_pointmaze import pointmaze
    from oneleap.domains.rl.evaluation.comparison import evaluate_run

    start, console = time.monotonic(), Console()
    data = run / f"umaze-{collect_steps}-{seed}"
    if not data.exists():
        pointmaze("umaze", collect_steps, seed, out=data)
    common = [f"--data.path={data}", f"--model.recipe.seed={seed}", f"--data.seed={seed}"]
    trainings = {
        "BC flow, 10 steps": ("rl/bc-flow_pointmaze-umaze", "bc-flow", bc_steps),
        "OFQL, 1 step": ("rl/ofql_pointmaze-umaze", "ofql", ofql_steps),
    }
    results, when = [], time.strftime("%Y%m%d-%H%M%S")
    for label, (config, name, steps) in trainings.items():
        console.print(f"\n{label}: {steps} gradient steps")
        folder = run / when / name
        where = [f"--config={config}", f"--run={folder}", f"--trainer.max_steps={steps}"]
        fit.main("fit", [*where, *common])
        results.append(evaluate_run(label, folder, episodes, seed))
    best = results[-1].run
    results.append(evaluate_run("OFQL, 1 step, best of 50 by Q", best, episodes, seed, 50))
    about = f"{collect_steps:,} steps of data, seed {seed}"
    _report(run / "report.html", data, results, about, start)
    console.print(f"next: oneleap evaluate {best} --num_action_samples 50")


def _report(
    path: Path, data: Path, results: "list[PolicyResult]", about: str, start: float
) -> None:
    """Print the table of results, and write the report."""
    import torch
    from rich.console import Console
    from rich.table import Table

    from oneleap.domains.rl.evaluation.comparison import data_score
    from oneleap.domains.rl.evaluation.report import draw_curves, png, write_report

    score = data_score(data, results[0].evaluation.task)
    rows = [("behavior (the data)", f"{score:.1f}", "-", "-"), *(r.row for r in results)]
    episodes = len(results[0].evaluation.returns)
    table = Table(*HEADER, title=f"PointMaze umaze, {episodes} episodes")
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print(table)
    minutes = (time.monotonic() - start) / 60
    text = (
        "Score 0 is that of random actions. Score 100 is that of the waypoint controller, which "
        "collected the data with noise and for other goals. "
        f"{about}, {torch.get_num_threads()} threads, {minutes:.1f} minutes in total."
    )
    pictures = {"Learning curves": png(draw_curves({r.label: r.run for r in results[:-1]}, CURVES))}
    pictures |= {f"Trajectories of {r.label}": r.plot.read_bytes() for r in results}
    write_report(path, "One network call per action", text, HEADER, rows, pictures)
    console.print(f"report: {path} ({minutes:.1f} minutes in total)")
