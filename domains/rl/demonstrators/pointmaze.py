"""PointMaze data: recording with the waypoint controller, episodes, and reference returns."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from minari.data_collector import EpisodeBuffer
from numpy.typing import NDArray
from rich.progress import Progress, TaskID

from oneleap.domains.rl.demonstrators.waypoints import Perturbations, WaypointController
from oneleap.domains.rl.envs.mazes import Array, Maze, maze_named
from oneleap.domains.rl.envs.pointmaze import Physics

MAX_BALLS = 100
"""Largest number of balls that are simulated at once.

It is fixed, like :data:`MIN_BALL_STEPS`, so that the data do not depend on the machine.
"""

MIN_BALL_STEPS = 5000
"""Smallest number of steps of each ball, if there is more than one."""

REFERENCE_EPISODES = 1000
"""Episodes from which each reference return is measured."""

GOAL_OFFSET = 0.25
"""Largest distance of a goal of the data from the center of its cell, in meters along each axis."""

ACTION_NOISE = 0.5
"""Standard deviation of the noise on the controller's actions, as in D4RL."""


class Trajectories(NamedTuple):
    """Recorded trajectories of n balls, t steps each.

    Attributes:
        obs: Observations, (n, t + 1, 4).
        act: Actions, (n, t, 2).
        goal: Goal of the controller during each step, (n, t, 2).
        cut: True on the last step before the goal moves, (n, t).
        length: Number of valid steps of each ball, (n,).
    """

    obs: NDArray[np.float32]
    act: NDArray[np.float32]
    goal: NDArray[np.float32]
    cut: NDArray[np.bool_]
    length: NDArray[np.int64]


def record_trajectories(
    maze: str, steps: int, seed: int, perturbation: float, progress: Progress, task: TaskID
) -> Trajectories:
    """Record balls that the controller moves from goal to goal.

    As in D4RL, the actions are the controller's plus noise of standard deviation 0.5, clipped. The
    goal moves when it is reached or when the horizon is over, and the ball is never put back.

    Deviations from D4RL: goals lie up to 0.25 m beside the center of their cell, the noise of
    gymnasium-robotics, so that the data fill the cells; D4RL's 0.1 m leaves a tube. Perturbations
    push the balls off course. The step on which the goal moves is recorded once, not twice.

    Args:
        maze: umaze, medium or large.
        steps: Number of steps to record, of all balls together.
        seed: Seed of everything.
        perturbation: Share of the time that a ball is pushed off course.
        progress: Progress bar.
        task: Its task.

    Returns:
        The trajectories.
    """
    layout, rng = maze_named(maze), np.random.default_rng(seed)
    n = int(np.clip(steps // MIN_BALL_STEPS, 1, MAX_BALLS))
    length = np.full(n, steps // n) + (np.arange(n) < steps % n)
    t = int(length.max())
    state = layout.starts(n, rng)
    physics, perturbations = Physics(maze), Perturbations(n, perturbation, rng)
    controller = WaypointController(layout, state, _draw_goals(layout, state, rng), rng)
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
        pushed, returning = perturbations.push(controller.act(state))
        noisy = pushed + ACTION_NOISE * rng.standard_normal((n, 2))
        out.act[:, k] = np.clip(noisy, -1, 1)
        out.goal[:, k] = controller.goal
        state = physics.step(state, out.act[:, k])
        out.obs[:, k + 1] = state
        age += 1
        moved = controller.arrived(state) | (age >= layout.horizon)
        if moved.any():
            out.cut[:, k] = moved
            age[moved] = 0
            controller.retarget(moved, state, _draw_goals(layout, state, rng))
        if returning.any():
            controller.retarget(returning, state, controller.goal)
        progress.advance(task, n)
    return out


def _draw_goals(layout: Maze, state: Array, rng: np.random.Generator) -> Array:
    """A goal for each ball, in any free cell, its own included."""
    n = len(state)
    cell = rng.integers(len(layout.free_cells), size=n)
    offset = rng.uniform(-GOAL_OFFSET, GOAL_OFFSET, (n, 2))
    goals: Array = layout.centers[cell] + offset
    return goals


def split_episodes(maze: str, recorded: Trajectories) -> Iterator[EpisodeBuffer]:
    """Split trajectories where the goal moves. Each episode ends by truncation.

    The reward is the dense one of the fixed-goal task. The goal of the controller is stored among
    the options of its episode; the observations do not contain it.

    Args:
        maze: umaze, medium or large.
        recorded: The trajectories.

    Yields:
        Episodes in Minari's form.
    """
    layout = maze_named(maze)
    for i, length in enumerate(recorded.length):
        stops = [*(np.flatnonzero(recorded.cut[i, : length - 1]) + 1), length]
        start = 0
        for stop in stops:
            obs, truncated = recorded.obs[i, start : stop + 1], np.zeros(stop - start, bool)
            truncated[-1] = True
            yield EpisodeBuffer(
                options={"goal": recorded.goal[i, start]},
                observations=obs,
                actions=recorded.act[i, start:stop],
                rewards=layout.reward(obs[1:, :2].astype(np.float64), dense=True),
                terminations=np.zeros(stop - start, bool),
                truncations=truncated,
            )
            start = stop


def simulate_positions(maze: str, controlled: bool, n: int, seed: int) -> Array:
    """Simulate n episodes of the fixed-goal task.

    Args:
        maze: umaze, medium or large.
        controlled: Whether the controller acts; else actions are random.
        n: Number of episodes.
        seed: Seed of everything.

    Returns:
        Positions after each step, (horizon, n, 2).
    """
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
    """Measure mean returns of random actions and of the controller, for both rewards.

    Args:
        maze: umaze, medium or large.
        n: Number of episodes.
        seed: Seed of everything.

    Returns:
        ``dense_random``, ``dense_controller``, ``sparse_random`` and ``sparse_controller``.
    """
    layout, found = maze_named(maze), dict[str, float]()
    for who, controlled in (("random", False), ("controller", True)):
        positions = simulate_positions(maze, controlled, n, seed).reshape(-1, 2)
        for kind, dense in (("dense", True), ("sparse", False)):
            found[f"{kind}_{who}"] = float(layout.reward(positions, dense).sum() / n)
    return found
