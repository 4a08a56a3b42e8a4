"""What moves the balls of PointMaze data: D4RL's waypoint controller, and pushes off its way."""

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.rl.envs.pointmaze import Array, Maze

PUSH_STEPS = (10, 60)
"""Shortest and longest push off the way, in steps of 0.01 s."""


class WaypointController:
    """D4RL's waypoint controller for n balls: the shortest way over cells, a PD force.

    It aims at the next cell of the way, up to 0.1 m beside its middle, until it is within 0.1 m of
    that point; in the end at the goal itself. The force is ``10 (aim - position) - velocity``.

    Args:
        maze: Where.
        state: Of the balls, (n, 4).
        goal: Their goals, (n, 2).
        rng: Of the points aimed at.
    """

    REACHED = 0.1

    def __init__(self, maze: Maze, state: Array, goal: Array, rng: np.random.Generator) -> None:
        self.maze, self.rng = maze, rng
        self.goal, self.aim = goal.copy(), goal.copy()
        self.goal_cell = maze.cell_of(goal)
        self.cell = maze.cell_of(state[:, :2])
        self._advance(np.ones(len(goal), bool))

    def retarget(self, where: NDArray[np.bool_], state: Array, goal: Array) -> None:
        """Give the balls ``where`` (n,) the goals in the same rows of ``goal``, (n, 2)."""
        self.goal[where] = goal[where]
        self.goal_cell[where] = self.maze.cell_of(goal[where])
        self.cell[where] = self.maze.cell_of(state[where, :2])
        self._advance(where)

    def _advance(self, where: NDArray[np.bool_]) -> None:
        """Aim at the next cell of the way."""
        self.cell[where] = self.maze.onward[self.cell, self.goal_cell][where]
        beside = self.maze.centres[self.cell] + self.rng.uniform(-0.1, 0.1, self.aim.shape)
        last = self.cell == self.goal_cell
        self.aim[where] = np.where(last[:, None], self.goal, beside)[where]

    def act(self, state: Array) -> Array:
        """Actions for states (n, 4), within [-1, 1]."""
        there = np.linalg.norm(state[:, :2] - self.aim, axis=1) < self.REACHED
        self._advance(there & (self.cell != self.goal_cell))
        return np.clip(10 * (self.aim - state[:, :2]) - state[:, 2:], -1, 1)

    def arrived(self, state: Array) -> NDArray[np.bool_]:
        """Which balls are within 0.1 m of their goals."""
        return np.asarray(np.linalg.norm(state[:, :2] - self.goal, axis=1) < self.REACHED)


class Strays:
    """Balls that now and then leave their way: one random force for :data:`PUSH_STEPS`.

    A controller's way never leads into a corner and never comes to rest, so its data say nothing
    of what an action is worth there, and a policy that climbs such critics may stay there for good.

    Args:
        n: Balls.
        share: Of the time that is spent astray, in [0, 1).
        rng: Of when, where to and how long.
    """

    def __init__(self, n: int, share: float, rng: np.random.Generator) -> None:
        low, high = PUSH_STEPS
        self.chance = min(share / (1 - share) / (0.5 * (low + high)), 1.0)
        self.rng, self.force, self.left = rng, np.zeros((n, 2)), np.zeros(n, np.int64)

    def push(self, action: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Actions (n, 2) with those of balls astray replaced; whose push ends with this step."""
        if self.chance == 0:
            return action, np.zeros(len(action), bool)
        n, (low, high) = len(action), PUSH_STEPS
        off = (self.left == 0) & (self.rng.random(n) < self.chance)
        self.left[off] = self.rng.integers(low, high + 1, n)[off]
        # Half as wide again as the bounds: full force is what presses a ball into a corner.
        self.force[off] = self.rng.uniform(-1.5, 1.5, (n, 2)).clip(-1, 1)[off]
        astray, ends = self.left > 0, self.left == 1
        self.left[astray] -= 1
        return np.where(astray[:, None], self.force, action), ends
