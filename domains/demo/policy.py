"""The policy of the demonstration: collect data, train on them, compare in the simulator."""

import time
from pathlib import Path

from rich.console import Console

from oneleap.core.cli import fit
from oneleap.core.report import Media, Section, Table, Text, png
from oneleap.domains.demo.parts import Part
from oneleap.domains.rl.commands.collect_pointmaze import pointmaze
from oneleap.domains.rl.evaluation.comparison import PolicyResult, data_score, evaluate_run
from oneleap.domains.rl.evaluation.curves import draw_curves
from oneleap.domains.rl.evaluation.plots import plot_filmstrip

CURVES = {
    "eval/score": "score in the simulator",
    "train/q": "value of the data (Q)",
    "train/boundary_error": "imitation error",
}
"""Metrics whose learning curves are in the report, and their titles."""

HEADER = ("policy", "score", "success", "ms per action")


def policy_part(
    run: Path, collect_steps: int, bc_steps: int, ofql_steps: int, episodes: int, seed: int
) -> Part:
    """Collect PointMaze data, train two policies on them, and compare them in the simulator.

    Args:
        run: Folder of data and runs. Data that exist already are used again.
        collect_steps: Steps of data to collect.
        bc_steps: Gradient steps of behavior cloning.
        ofql_steps: Gradient steps of OFQL.
        episodes: Episodes of each evaluation at the end.
        seed: Seed of everything.
    """
    console, when = Console(), time.strftime("%Y%m%d-%H%M%S")
    data = run / f"umaze-{collect_steps}-{seed}"
    if not data.exists():
        pointmaze("umaze", collect_steps, seed, out=data)
    # One device: with several, Lightning would start this whole command once for each.
    common = ["--trainer.devices=1", f"--data.path={data}", f"--seed={seed}"]
    trainings = {
        "BC flow, 10 calls": ("rl/bc-flow_pointmaze-umaze", "bc-flow", bc_steps),
        "OFQL, 1 call": ("rl/ofql_pointmaze-umaze", "ofql", ofql_steps),
    }
    results: list[PolicyResult] = []
    for label, (config, name, steps) in trainings.items():
        console.print(f"\n{label}: {steps} gradient steps")
        folder = run / when / name
        where = [f"--config={config}", f"--run={folder}", f"--trainer.max_steps={steps}"]
        fit.main("fit", [*where, *common])
        results.append(evaluate_run(label, folder, episodes, seed))
    best = results[-1].run
    results.append(evaluate_run("OFQL, 1 call, best of 50 by Q", best, episodes, seed, 50))
    score = data_score(data, results[0].evaluation.task)
    rows = [("behavior (the data)", f"{score:.1f}", "-", "-"), *(r.row for r in results)]
    text = (
        "Score 0 is that of random actions. Score 100 is that of the waypoint controller, which "
        f"collected the data with noise and for other goals. {collect_steps:,} steps of data, "
        f"{ofql_steps:,} gradient steps of OFQL, seed {seed}, {episodes} episodes."
    )
    film = best / "filmstrip.png"
    plot_filmstrip("umaze", results[-1].evaluation.trajectories[0], film)
    curves = png(draw_curves({r.label: r.run for r in results[:-1]}, CURVES))
    media = [Media("An episode: the ball at six times", film.read_bytes())]
    media += [Media("Learning curves", curves)]
    media += [Media(f"Trajectories of {r.label}", r.plot.read_bytes()) for r in results]
    section = Section("A policy", [Text(text), Table(HEADER, rows), *media])
    return Part(section, [("one action", "1", f"{results[1].act_ms:.2f}")])
