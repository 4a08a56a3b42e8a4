"""PointMaze with one fixed goal: maze2d of D4RL on the physics of gymnasium-robotics.

The three maps of gymnasium-robotics have the very cells of D4RL's, so the goals are D4RL's cells:
row 1, column 1 of umaze; 6, 6 of medium; 7, 9 of large. Positions are metres from the middle of the
maze, x to the right and y up. Goals sit in the middle of their cells: D4RL's sit 0.2 m off, because
its ball starts that far off the origin.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.envs.registration import register
from gymnasium_robotics.envs.maze import maps
from gymnasium_robotics.envs.maze.point_maze import PointMazeEnv
from mujoco.rollout import Rollout
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.transitions import GOAL_RADIUS
from oneleap.domains.rl.envs.task import Task

Array = NDArray[np.float64]

ENV_ID = "oneleap/PointMaze-v0"
TOP_SPEED = 5.0
"""Metres per second; gymnasium-robotics limits each axis so."""


@dataclass(frozen=True, eq=False)
class Maze:
    """One maze and the task in it.

    Attributes:
        cells: Rows of 1 (wall) and 0 (free).
        goal_cell: Row and column of the fixed goal.
        horizon: Steps of an episode, D4RL's.
        stray: Share of the time that balls are pushed off their way where data are collected.
    """

    cells: list[list[int | str]]
    goal_cell: tuple[int, int]
    horizon: int
    stray: float = 0.0

    @cached_property
    def free(self) -> NDArray[np.int64]:
        """Rows and columns of the free cells, (c, 2)."""
        return np.argwhere(np.array(self.cells) == 0)

    @cached_property
    def centres(self) -> Array:
        """Positions of the free cells' middles, (c, 2)."""
        rows, columns = len(self.cells), len(self.cells[0])
        return np.stack(
            [self.free[:, 1] + 0.5 - columns / 2, rows / 2 - self.free[:, 0] - 0.5], axis=1
        )

    @cached_property
    def goal(self) -> tuple[float, float]:
        """Position of the fixed goal."""
        index = int(np.flatnonzero((self.free == self.goal_cell).all(1))[0])
        return float(self.centres[index, 0]), float(self.centres[index, 1])

    @cached_property
    def onward(self) -> NDArray[np.int64]:
        """``onward[a, b]``: the cell after ``a`` on a shortest way to ``b`` (breadth first)."""
        count = len(self.free)
        steps = np.abs(self.free[:, None] - self.free[None]).sum(2)
        near = [np.flatnonzero(steps[a] == 1) for a in range(count)]
        onward = np.tile(np.arange(count)[:, None], count)
        for b in range(count):
            seen, queue = {b}, deque([b])
            while queue:
                cell = queue.popleft()
                for other in (int(c) for c in near[cell]):
                    if other not in seen:
                        seen.add(other)
                        onward[other, b] = cell
                        queue.append(other)
        return onward

    def cell_of(self, position: Array) -> NDArray[np.int64]:
        """The free cell each position, (n, 2), is nearest to."""
        distance = np.square(position[:, None] - self.centres[None]).sum(2)
        return np.asarray(distance.argmin(1), np.int64)

    def starts(self, n: int, rng: np.random.Generator) -> Array:
        """States (x, y, vx, vy) to start from, D4RL's: in any free cell, nearly at rest."""
        position = self.centres[rng.integers(len(self.free), size=n)]
        position = position + rng.uniform(-0.1, 0.1, size=(n, 2))
        return np.concatenate([position, 0.1 * rng.standard_normal((n, 2))], axis=1)

    def reward(self, position: Array, dense: bool) -> Array:
        """Reward for having arrived at ``position``, (n, 2)."""
        distance = np.linalg.norm(position - np.array(self.goal), axis=1)
        return np.asarray(np.exp(-distance) if dense else distance <= GOAL_RADIUS, np.float64)


MAZES = {
    "umaze": Maze(maps.U_MAZE, (1, 1), 300),
    "medium": Maze(maps.MEDIUM_MAZE, (6, 6), 600, stray=0.25),
    "large": Maze(maps.LARGE_MAZE, (7, 9), 800, stray=0.25),
}


def maze_named(name: str) -> Maze:
    """The maze of that name."""
    if name not in MAZES:
        raise InputError(f"maze {name!r}: choose one of {', '.join(MAZES)}")
    return MAZES[name]


@lru_cache
def _model(name: str) -> mujoco.MjModel:
    """The MuJoCo model of a maze, built by gymnasium-robotics."""
    robot = PointMazeEnv(maze_named(name).cells)
    Path(robot.tmp_xml_file_path).unlink(missing_ok=True)
    return robot.model


class Physics:
    """Many balls in one maze; a pure function of state and action.

    Each step is gymnasium-robotics' (velocities limited, then one MuJoCo step), but with MuJoCo's
    solver always started cold, so that a trajectory does not depend on what else was simulated.

    Args:
        maze: umaze, medium or large.
    """

    def __init__(self, maze: str) -> None:
        self.maze = maze
        self._model = _model(maze)
        self._data = mujoco.MjData(self._model)
        self._rollout = Rollout(nthread=0)

    def step(self, state: Array, action: Array | NDArray[np.float32]) -> Array:
        """States (n, 4) one step of 0.01 s after actions (n, 2), which MuJoCo clips to [-1, 1]."""
        n = len(state)
        full = np.empty((n, 5))
        full[:, 0] = 0.0  # time
        full[:, 1:3] = state[:, :2]
        np.clip(state[:, 2:], -TOP_SPEED, TOP_SPEED, out=full[:, 3:])
        after = np.empty((n, 1, 5))
        self._rollout.rollout(
            [self._model] * n,
            [self._data],
            full,
            np.asarray(action, np.float64).reshape(n, 1, 2),
            nstep=1,
            initial_warmstart=np.zeros((n, 2)),
            state=after,
            sensordata=np.empty((n, 1, 0)),
            skip_checks=True,
        )
        return after[:, 0, 1:]


class PointMaze(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """Go to the fixed goal and stay: observations (x, y, vx, vy), actions a force on each axis.

    Arriving ends nothing; after ``horizon`` steps the episode is truncated. ``info["success"]``
    tells whether the ball is within :data:`GOAL_RADIUS` of the goal.

    Args:
        maze: umaze, medium or large.
        dense: Reward ``exp(-distance)``, else 1 within :data:`GOAL_RADIUS`.
        horizon: Steps of an episode; by default 300, 600, 800 as in D4RL.
        render_mode: ``rgb_array`` or nothing.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 100}  # noqa: RUF012  (gymnasium's)

    def __init__(
        self,
        maze: str = "umaze",
        dense: bool = True,
        horizon: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.maze, self.dense, self.render_mode = maze, dense, render_mode
        self.layout = maze_named(maze)
        self.horizon = horizon or self.layout.horizon
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
        self._physics = Physics(maze)
        self._state = np.zeros((1, 4))
        self._steps = 0
        self._robot: PointMazeEnv | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start at a random free cell."""
        super().reset(seed=seed)
        self._state = self.layout.starts(1, self.np_random)
        self._steps = 0
        return self._state[0].astype(np.float32), {"success": self._success()}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Push the ball for 0.01 s."""
        self._state = self._physics.step(self._state, np.asarray(action)[None])
        self._steps += 1
        reward = float(self.layout.reward(self._state[:, :2], self.dense)[0])
        truncated = self._steps >= self.horizon
        obs = self._state[0].astype(np.float32)
        return obs, reward, False, truncated, {"success": self._success()}

    def _success(self) -> bool:
        return bool(self.layout.reward(self._state[:, :2], dense=False)[0])

    def render(self) -> NDArray[np.uint8]:
        """An image of the maze, the ball and the goal."""
        if self._robot is None:
            self._robot = PointMazeEnv(self.layout.cells, render_mode=self.render_mode)
            Path(self._robot.tmp_xml_file_path).unlink(missing_ok=True)
            self._robot.goal = np.array(self.layout.goal)
            self._robot.update_target_site_pos()
        self._robot.point_env.set_state(self._state[0, :2], self._state[0, 2:])
        image: NDArray[np.uint8] = self._robot.render()
        return image

    def close(self) -> None:
        """Free the renderer."""
        if self._robot is not None:
            self._robot.close()


MEASURED = {
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
"""What :func:`oneleap.domains.rl.commands.collect_pointmaze.measure` gives, for data that bring no references."""


def pointmaze_task(maze: str, dense: bool, references: Mapping[str, float]) -> Task:
    """The fixed-goal task, scored between the measured returns of random actions and controller."""
    kind = "dense" if dense else "sparse"
    return Task(
        env=ENV_ID,
        env_kwargs={"maze": maze, "dense": dense},
        ref_min=references[f"{kind}_random"],
        ref_max=references[f"{kind}_controller"],
        reference=f"random actions, waypoint controller ({kind} reward)",
    )


register(id=ENV_ID, entry_point="oneleap.domains.rl.envs.pointmaze:PointMaze", order_enforce=False)
