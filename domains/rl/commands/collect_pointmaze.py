"""Collect PointMaze data much as D4RL's maze2d was, as a Minari data set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import gymnasium
import numpy as np
from minari.data_collector import EpisodeBuffer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from oneleap.core.cli.configs import shipped
from oneleap.core.errors import InputError
from oneleap.domains.rl.data.minari import dataset_folder, write
from oneleap.domains.rl.data.minari_tasks import REFERENCES_KEY
from oneleap.domains.rl.demonstrators.waypoints import Perturbations, WaypointController
from oneleap.domains.rl.envs.pointmaze import ENV_ID, Array, Maze, Physics, maze_named

MAX_BALLS, MIN_BALL_STEPS = 100, 5000
"""At most so many balls at once, each for at least so many steps: fixed, so that the data do not
depend on the machine."""

REFERENCE_EPISODES = 1000

GOAL_OFFSET = 0.25
"""Metres that a goal of the data may lie beside the middle of its cell, along each axis."""


class Trajectories(NamedTuple):
    """What n balls did, for t steps each; the ball is the first axis.

    Attributes:
        obs: (n, t + 1, 4).
        act: (n, t, 2).
        goal: Goal of the behaviour during each step, (n, t, 2).
        cut: True on the last step before the goal moves, (n, t).
        length: Steps of each ball that count, (n,).
    """

    obs: NDArray[np.float32]
    act: NDArray[np.float32]
    goal: NDArray[np.float32]
    cut: NDArray[np.bool_]
    length: NDArray[np.int64]


def record_trajectories(
    maze: str, steps: int, seed: int, perturbation: float, progress: Progress, task: TaskID
) -> Trajectories:
    """Let balls run from goal to goal, and be pushed off their way for a share ``perturbation`` of it.

    As in D4RL, the actions are the controller's plus noise of standard deviation 0.5, clipped; the
    goal moves when it is reached or its horizon is over, and the ball is never put back. Goals lie
    up to 0.25 m beside the middle of their cell, gymnasium-robotics' own noise, so that the data
    fill the cells; D4RL's 0.1 m leaves a tube. D4RL has no pushes either. The step on which the
    goal moves is not recorded twice, as it is in D4RL.
    """
    layout, rng = maze_named(maze), np.random.default_rng(seed)
    n = int(np.clip(steps // MIN_BALL_STEPS, 1, MAX_BALLS))
    length = np.full(n, steps // n) + (np.arange(n) < steps % n)
    t = int(length.max())
    state = layout.starts(n, rng)
    physics, perturbations = Physics(maze), Perturbations(n, perturbation, rng)
    controller = WaypointController(layout, state, _goals(layout, state, rng), rng)
    out = Trajectories(
        np.empty((n, t + 1, 4), np.float32),
        np.empty((n, t, 2), np.float32),
        np.empty((n, t, 2), np.float32),
        np.zeros((n, t), bool),
        np.asarray(length, np.int64),
    )
    out.obs[:, 0] = state
    age = np.zeros(n, np.int64)
    for k in range(t):
        pushed, back = perturbations.push(controller.act(state))
        noisy = pushed + 0.5 * rng.standard_normal((n, 2))
        out.act[:, k] = np.clip(noisy, -1, 1)
        out.goal[:, k] = controller.goal
        state = physics.step(state, out.act[:, k])
        out.obs[:, k + 1] = state
        age += 1
        moved = controller.arrived(state) | (age >= layout.horizon)
        if moved.any():
            out.cut[:, k] = moved
            age[moved] = 0
            controller.retarget(moved, state, _goals(layout, state, rng))
        if back.any():
            controller.retarget(back, state, controller.goal)
        progress.advance(task, n)
    return out


def _goals(layout: Maze, state: Array, rng: np.random.Generator) -> Array:
    """A goal for each ball, in any cell, its own included."""
    n = len(state)
    cell = rng.integers(len(layout.free_cells), size=n)
    goals: Array = layout.centers[cell] + rng.uniform(-GOAL_OFFSET, GOAL_OFFSET, (n, 2))
    return goals


def episodes(maze: str, recording: Trajectories) -> Iterator[EpisodeBuffer]:
    """Cut a recording where the goal moved; each piece ends by truncation, none by termination.

    The reward is the dense one of the fixed-goal task. The goal the ball was sent to is kept among
    the options of its episode; observations do not tell it.
    """
    layout = maze_named(maze)
    for i, length in enumerate(recording.length):
        stops = [*(np.flatnonzero(recording.cut[i, : length - 1]) + 1), length]
        start = 0
        for stop in stops:
            obs, truncated = recording.obs[i, start : stop + 1], np.zeros(stop - start, bool)
            truncated[-1] = True
            yield EpisodeBuffer(
                options={"goal": recording.goal[i, start]},
                observations=obs,
                actions=recording.act[i, start:stop],
                rewards=layout.reward(obs[1:, :2].astype(np.float64), dense=True),
                terminations=np.zeros(stop - start, bool),
                truncations=truncated,
            )
            start = stop


def simulate_positions(maze: str, controlled: bool, n: int, seed: int) -> Array:
    """Positions (horizon, n, 2) in n episodes of the controller, or of random actions."""
    layout, rng = maze_named(maze), np.random.default_rng(seed)
    physics, state = Physics(maze), layout.starts(n, rng)
    controller = WaypointController(layout, state, np.tile(np.array(layout.goal), (n, 1)), rng)
    positions = np.empty((layout.horizon, n, 2))
    for k in range(layout.horizon):
        action = controller.act(state) if controlled else rng.uniform(-1, 1, (n, 2))
        state = physics.step(state, action)
        positions[k] = state[:, :2]
    return positions


def measure_references(maze: str, n: int = REFERENCE_EPISODES, seed: int = 0) -> dict[str, float]:
    """Mean returns over n episodes of random actions and of the controller, for both rewards.

    Returns:
        ``dense_random``, ``dense_controller``, ``sparse_random`` and ``sparse_controller``.
    """
    layout, found = maze_named(maze), dict[str, float]()
    for who, controlled in (("random", False), ("controller", True)):
        positions = simulate_positions(maze, controlled, n, seed).reshape(-1, 2)
        for kind, dense in (("dense", True), ("sparse", False)):
            found[f"{kind}_{who}"] = float(layout.reward(positions, dense).sum() / n)
    return found


def pointmaze(
    maze: Literal["umaze", "medium", "large"] = "umaze",
    steps: int = 1_000_000,
    seed: int = 0,
    perturbation: float | None = None,
    dataset_id: str | None = None,
    out: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Collect a PointMaze data set much as D4RL's maze2d was, and measure its reference scores.

    Example: oneleap collect pointmaze --maze umaze --steps 1000000 --seed 0

    Args:
        maze: Which maze.
        steps: Steps to record.
        seed: Of everything; the data do not depend on the machine's number of processors.
        stray: Share of the time that a ball is pushed off its way by one random force, 0.1 to 0.6 s
            long, so that the data know corners and walls. 0 is D4RL's, and the default in umaze;
            in medium and large it is 0.25.
        dataset_id: Minari id; by default oneleap/pointmaze-MAZE-v0.
        out: Folder to write to, in place of Minari's own (see MINARI_DATASETS_PATH).
        overwrite: Replace a data set of that name.

    Raises:
        InputError: The data set exists, or ``steps`` is not positive.
    """
    if steps < 1:
        raise InputError(f"steps: {steps} is not positive")
    perturbation = maze_named(maze).perturbation if perturbation is None else perturbation
    if not 0 <= perturbation < 1:
        raise InputError(f"stray: {perturbation} is not a share of at least 0 and below 1")
    dataset_id = dataset_id or f"oneleap/pointmaze-{maze}-v0"
    folder = dataset_folder(dataset_id, out, overwrite)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("collecting", total=steps)
        recording = record_trajectories(maze, steps, seed, perturbation, progress, task)
        references = measure_references(maze)
        pieces = list(episodes(maze, recording))
        write(
            folder,
            dataset_id,
            progress.track(pieces, description="writing"),
            gymnasium.make(ENV_ID, maze=maze),
            {
                "algorithm_name": "waypoint controller of D4RL's maze2d, noise 0.5, astray for "
                f"{100 * perturbation:g} % of the time",
                "description": f"PointMaze {maze}, {steps} steps, seed {seed}. Rewards: dense, for "
                "the fixed goal. Episodes are truncated where the goal of the behaviour moves.",
                "ref_min_score": references["dense_random"],
                "ref_max_score": references["dense_controller"],
                REFERENCES_KEY: references,
            },
        )
    _report(folder, steps, len(pieces), references)
    print(f"next: {_next_command(maze, str(out or dataset_id))}")


def _next_command(maze: str, path: str) -> str:
    """How to train on the data: by the maze's own configuration, else by that of umaze."""
    own = f"rl/ofql_pointmaze-{maze}" in shipped()
    words = ["oneleap fit --config", f"rl/ofql_pointmaze-{maze if own else 'umaze'}"]
    if not own or path != f"oneleap/pointmaze-{maze}-v0":
        words.append(f"--data.path {path}")
    if not own:
        x, y = maze_named(maze).goal
        words.append(f"'--data.reward.goal=[{x}, {y}]'")
    return " ".join(words)


def _report(folder: Path, steps: int, count: int, references: dict[str, float]) -> None:
    """Print what was written."""
    table = Table(title=f"{folder}: {steps} steps in {count} episodes")
    table.add_column("mean return, fixed goal")
    table.add_column("random actions (score 0)", justify="right")
    table.add_column("controller (score 100)", justify="right")
    for kind in ("dense", "sparse"):
        scores = (references[f"{kind}_{who}"] for who in ("random", "controller"))
        table.add_row(f"{kind} reward", *(f"{score:.1f}" for score in scores))
    Console().print(table)
