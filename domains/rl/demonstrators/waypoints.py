"""Controls the balls of PointMaze data: D4RL's waypoint controller, and random perturbations."""

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.rl.envs.mazes import Array, Maze

PERTURBATION_STEPS = (10, 60)
"""Shortest and longest perturbation, in steps of 0.01 s."""


class WaypointController:
    """D4RL's waypoint controller for n balls: the shortest path over cells, and a PD force.

    Each ball heads for a waypoint up to 0.1 m beside the center of the next cell on its path. When
    it is within 0.1 m of the waypoint, it gets the next one. The last waypoint is the goal. The
    force is ``10 (waypoint - position) - velocity``.

    Args:
        maze: The maze.
        state: States of the balls, (n, 4).
        goal: Goals of the balls, (n, 2).
        rng: Generator of the waypoints.
    """

    GOAL_TOLERANCE = 0.1
    """Distance in meters at which a waypoint or a goal counts as reached."""

    def __init__(self, maze: Maze, state: Array, goal: Array, rng: np.random.Generator) -> None:
        self.maze, self.rng = maze, rng
        self.goal, self.waypoint = goal.copy(), goal.copy()
        self.goal_cell = maze.cell_of(goal)
        self.cell = maze.cell_of(state[:, :2])
        self._advance(np.ones(len(goal), bool))

    def retarget(self, where: NDArray[np.bool_], state: Array, goal: Array) -> None:
        """Give some balls new goals.

        Args:
            where: True for the balls that get a new goal, (n,).
            state: States of all balls, (n, 4).
            goal: Goals, (n, 2), of which the rows ``where`` are used.
        """
        self.goal[where] = goal[where]
        self.goal_cell[where] = self.maze.cell_of(goal[where])
        self.cell[where] = self.maze.cell_of(state[where, :2])
        self._advance(where)

    def _advance(self, where: NDArray[np.bool_]) -> None:
        """Set the waypoint of some balls in the next cell of their paths."""
        self.cell[where] = self.maze.next_cell[self.cell, self.goal_cell][where]
        beside = self.maze.centers[self.cell] + self.rng.uniform(-0.1, 0.1, self.waypoint.shape)
        last = self.cell == self.goal_cell
        self.waypoint[where] = np.where(last[:, None], self.goal, beside)[where]

    def act(self, state: Array) -> Array:
        """Return actions in [-1, 1], (n, 2), for states (n, 4)."""
        near = np.linalg.norm(state[:, :2] - self.waypoint, axis=1) < self.GOAL_TOLERANCE
        self._advance(near & (self.cell != self.goal_cell))
        return np.clip(10 * (self.waypoint - state[:, :2]) - state[:, 2:], -1, 1)

    def arrived(self, state: Array) -> NDArray[np.bool_]:
        """Return which balls are within 0.1 m of their goals, (n,)."""
        distance = np.linalg.norm(state[:, :2] - self.goal, axis=1)
        return np.asarray(distance < self.GOAL_TOLERANCE)


class Perturbations:
    """Pushes balls off course now and then: one random force for :data:`PERTURBATION_STEPS`.

    The controller never leads a ball into a corner and never lets it rest. Its data therefore do
    not show the value of actions there, and a policy that maximizes critics of such data may stay
    in a corner forever.

    Args:
        n: Number of balls.
        share: Share of the time that a ball spends off course, in [0, 1).
        rng: Generator of times, forces and durations.
    """

    def __init__(self, n: int, share: float, rng: np.random.Generator) -> None:
        low, high = PERTURBATION_STEPS
        self.chance = min(share / (1 - share) / (0.5 * (low + high)), 1.0)
        self.rng, self.force, self.left = rng, np.zeros((n, 2)), np.zeros(n, np.int64)

    def push(self, action: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Replace the actions of the balls that are off course.

        Args:
            action: Actions of the controller, (n, 2).

        Returns:
            The actions to take, (n, 2), and for which balls a perturbation ends with this step,
            (n,).
        """
        if self.chance == 0:
            return action, np.zeros(len(action), bool)
        n, (low, high) = len(action), PERTURBATION_STEPS
        start = (self.left == 0) & (self.rng.random(n) < self.chance)
        self.left[start] = self.rng.integers(low, high + 1, n)[start]
        # Drawn from 1.5 times the bounds: only a full force presses a ball into a corner.
        self.force[start] = self.rng.uniform(-1.5, 1.5, (n, 2)).clip(-1, 1)[start]
        off_course, ends = self.left > 0, self.left == 1
        self.left[off_course] -= 1
        return np.where(off_course[:, None], self.force, action), ends
