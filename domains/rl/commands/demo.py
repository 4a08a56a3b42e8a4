"""``oneleap demo``: from no data to a one-step policy that beats its demonstrator's data."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from oneleap.core.cli import fit as cli
from oneleap.core.timing import median_ms
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.commands import collect_pointmaze as collect
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.transitions import GoalDistanceReward
from oneleap.domains.rl.envs.pointmaze import MAZES
from oneleap.domains.rl.evaluation.plots import draw
from oneleap.domains.rl.evaluation.report import draw_curves, png, write_report
from oneleap.domains.rl.evaluation.rollouts import Evaluation, evaluate

CURVES = {
    "eval/score": "score in the simulator",
    "train/q": "value of the data (Q)",
    "train/boundary_error": "imitation error",
}

UNSEEN = 1_000_000
"""Added to the seed of the last evaluation: its episodes are not those of training."""


@dataclass(frozen=True)
class Contestant:
    """A trained policy and what it achieved."""

    label: str
    run: Path
    trajectories: Path
    result: Evaluation
    act_ms: float


def demo(
    run: Path = Path("runs/demo"),
    collect_steps: int = 1_000_000,
    bc_steps: int = 3_000,
    ofql_steps: int = 10_000,
    episodes: int = 50,
    seed: int = 0,
) -> None:
    """Collect PointMaze data, train two policies on them, compare them in the simulator.

    Example: oneleap demo

    Args:
        run: Folder of data, runs and report; data that are there already are used again.
        collect_steps: Steps of the demonstrator.
        bc_steps: Gradient steps of behaviour cloning.
        ofql_steps: Gradient steps of OFQL.
        episodes: Played by each policy at the end.
        seed: Of everything.
    """
    start, console = time.monotonic(), Console()
    data = run / f"umaze-{collect_steps}-{seed}"
    if not data.exists():
        collect.pointmaze("umaze", collect_steps, seed, out=data)
    common = [f"--data.path={data}", f"--model.seed={seed}", f"--data.seed={seed}"]
    recipes = {
        "BC flow, 10 steps": ("rl/bc-flow_pointmaze-umaze", "bc-flow", bc_steps),
        "OFQL, 1 step": ("rl/ofql_pointmaze-umaze", "ofql", ofql_steps),
    }
    contestants, when = [], time.strftime("%Y%m%d-%H%M%S")
    for label, (config, name, steps) in recipes.items():
        console.print(f"\n{label}: {steps} gradient steps")
        folder = run / when / name
        where = [f"--config={config}", f"--run={folder}", f"--trainer.max_steps={steps}"]
        cli.main("fit", [*where, *common])
        contestants.append(_play(label, folder, episodes, seed))
    best = contestants[-1].run
    contestants.append(_play("OFQL, 1 step, best of 50 by Q", best, episodes, seed, num_action_samples=50))
    rows = [_behaviour(data, contestants[0].result), *map(_row, contestants)]
    header = ("policy", "score", "success", "ms per action")
    table = Table(*header, title=f"PointMaze umaze, {episodes} episodes")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    minutes = (time.monotonic() - start) / 60
    text = (
        f"Scores: 0 is random actions, 100 the waypoint controller that made the data with noise "
        f"and for other goals. {collect_steps:,} steps of data, seed {seed}, "
        f"{torch.get_num_threads()} threads, {minutes:.1f} minutes in all."
    )
    curves = png(draw_curves({c.label: c.run for c in contestants[:-1]}, CURVES))
    pictures = {"Learning curves": curves}
    pictures |= {f"Ways of {c.label}": c.trajectories.read_bytes() for c in contestants}
    report = run / "report.html"
    write_report(report, "One network call per action", text, header, rows, pictures)
    console.print(f"report: {report} ({minutes:.1f} minutes in all)")
    console.print(f"next: oneleap evaluate {contestants[-1].run} --candidates 50")


def _play(label: str, run: Path, episodes: int, seed: int, num_action_samples: int = 1) -> Contestant:
    """Evaluate a finished run with one network call per action, on episodes of their own."""
    policy = Policy.from_pretrained(run / "model")
    task = policy.spec.task
    assert task is not None
    noise = torch.Generator().manual_seed(seed)

    def act(obs: NDArray[np.float32]) -> NDArray[np.float32]:
        return policy.act(obs, num_action_samples=num_action_samples, generator=noise)

    result = evaluate(act, task, episodes, seed + UNSEEN)
    trajectories = run / f"trails-{num_action_samples}.png"
    draw("umaze", result.trajectories, trajectories, f"{label}: score {result.score:.0f}")
    obs = np.zeros(policy.spec.obs_dim, np.float32)
    return Contestant(label, run, trajectories, result, median_ms(lambda: act(obs), calls=500))


def _row(c: Contestant) -> tuple[str, ...]:
    figures = c.result.flat()
    score = f"{figures['score']:.1f} ± {figures['score_se']:.1f}"
    return c.label, score, f"{100 * figures['success']:.0f} %", f"{c.act_ms:.2f}"


def _behaviour(data: Path, result: Evaluation) -> tuple[str, ...]:
    """The score of the data themselves: their mean reward over an episode's length."""
    goal = MAZES["umaze"].goal
    reward = GoalDistanceReward((float(goal[0]), float(goal[1])))
    rewards = OfflineData(str(data), reward=reward).dataset.reward
    mean = rewards.double().mean().item() * MAZES["umaze"].horizon
    return "behaviour (the data)", f"{result.task.score(np.array([mean]))[0]:.1f}", "-", "-"
