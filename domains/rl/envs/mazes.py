"""The three mazes of PointMaze: cells, goals, shortest paths, rewards and reference returns.

The maps of gymnasium-robotics have the same cells as those of D4RL's maze2d, and the goals are
D4RL's cells: row 1, column 1 of umaze; 6, 6 of medium; 7, 9 of large. Positions are in meters from
the center of the maze, with x to the right and y up. Goals are at the centers of their cells. In
D4RL they are 0.2 m off, because its ball starts that far from the origin.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from gymnasium_robotics.envs.maze import maps
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.rl.envs.registration import POINTMAZE
from oneleap.domains.rl.envs.task import Task

Array = NDArray[np.float64]

GOAL_RADIUS = 0.45
"""Distance from the goal, in meters, within which PointMaze counts a success.

This is the threshold of gymnasium-robotics, whose physics are used here. D4RL's maze2d has 0.5.
"""


@dataclass(frozen=True, eq=False)
class Maze:
    """One maze, and the task of reaching its goal.

    Attributes:
        cells: Rows of 1 (wall) and 0 (free).
        goal_cell: Row and column of the fixed goal.
        horizon: Steps of an episode, as in D4RL.
        perturbation: Default share of the time that data collection pushes balls off course.
    """

    cells: list[list[int | str]]
    goal_cell: tuple[int, int]
    horizon: int
    perturbation: float = 0.0

    @cached_property
    def free_cells(self) -> NDArray[np.int64]:
        """Rows and columns of the free cells, (c, 2)."""
        return np.argwhere(np.array(self.cells) == 0)

    @cached_property
    def centers(self) -> Array:
        """Positions of the centers of the free cells, (c, 2)."""
        rows, columns = len(self.cells), len(self.cells[0])
        return np.stack(
            [self.free_cells[:, 1] + 0.5 - columns / 2, rows / 2 - self.free_cells[:, 0] - 0.5],
            axis=1,
        )

    @cached_property
    def goal(self) -> tuple[float, float]:
        """Position of the fixed goal."""
        index = int(np.flatnonzero((self.free_cells == self.goal_cell).all(1))[0])
        return float(self.centers[index, 0]), float(self.centers[index, 1])

    @cached_property
    def next_cell(self) -> NDArray[np.int64]:
        """Next cell on a shortest path: ``next_cell[a, b]`` follows ``a`` on the way to ``b``.

        The paths come from a breadth-first search; the array is (c, c), with indices of free cells.
        """
        count = len(self.free_cells)
        distance = np.abs(self.free_cells[:, None] - self.free_cells[None]).sum(2)
        neighbors = [np.flatnonzero(distance[a] == 1) for a in range(count)]
        next_cell = np.tile(np.arange(count)[:, None], count)
        for b in range(count):
            seen, queue = {b}, deque([b])
            while queue:
                cell = queue.popleft()
                for other in (int(c) for c in neighbors[cell]):
                    if other not in seen:
                        seen.add(other)
                        next_cell[other, b] = cell
                        queue.append(other)
        return next_cell

    def cell_of(self, position: Array) -> NDArray[np.int64]:
        """Index of the free cell nearest to each position, (n, 2)."""
        distance = np.square(position[:, None] - self.centers[None]).sum(2)
        return np.asarray(distance.argmin(1), np.int64)

    def starts(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n initial states (x, y, vx, vy) as D4RL does: in any free cell, almost at rest."""
        position = self.centers[rng.integers(len(self.free_cells), size=n)]
        position = position + rng.uniform(-0.1, 0.1, size=(n, 2))
        return np.concatenate([position, 0.1 * rng.standard_normal((n, 2))], axis=1)

    def reward(self, position: Array, dense: bool) -> Array:
        """Reward for arriving at each position, (n, 2)."""
        distance = np.linalg.norm(position - np.array(self.goal), axis=1)
        return np.asarray(np.exp(-distance) if dense else distance <= GOAL_RADIUS, np.float64)


MAZES = {
    "umaze": Maze(maps.U_MAZE, (1, 1), 300),
    "medium": Maze(maps.MEDIUM_MAZE, (6, 6), 600, perturbation=0.25),
    "large": Maze(maps.LARGE_MAZE, (7, 9), 800, perturbation=0.25),
}

REFERENCE_RETURNS = {
    "umaze": {
        "dense_random": 68.02,
        "dense_controller": 232.93,
        "sparse_random": 31.92,
        "sparse_controller": 220.46,
    },
    "medium": {
        "dense_random": 52.98,
        "dense_controller": 448.57,
        "sparse_random": 19.09,
        "sparse_controller": 432.64,
    },
    "large": {
        "dense_random": 39.65,
        "dense_controller": 585.19,
        "sparse_random": 9.94,
        "sparse_controller": 562.63,
    },
}
"""Returns that define scores 0 and 100 for data that do not bring their own.

Measured by :func:`oneleap.domains.rl.commands.collect_pointmaze.measure_references`.
"""


def maze_named(name: str) -> Maze:
    """Return the maze of that name.

    Raises:
        InputError: There is none.
    """
    if name not in MAZES:
        raise InputError(f"maze {name!r}: choose one of {', '.join(MAZES)}")
    return MAZES[name]


def pointmaze_task(maze: str, dense: bool, references: Mapping[str, float]) -> Task:
    """The task of reaching the fixed goal of a maze.

    Args:
        maze: umaze, medium or large.
        dense: Whether the reward is ``exp(-distance)``; else it is 1 near the goal.
        references: Mean returns as in :data:`REFERENCE_RETURNS`. Random actions have score 0, the
            waypoint controller has score 100.

    Returns:
        The task.
    """
    kind = "dense" if dense else "sparse"
    return Task(
        env=POINTMAZE,
        env_kwargs={"maze": maze, "dense": dense},
        ref_min=references[f"{kind}_random"],
        ref_max=references[f"{kind}_controller"],
        reference=f"random actions, waypoint controller ({kind} reward)",
    )
