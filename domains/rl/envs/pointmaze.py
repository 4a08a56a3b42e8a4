"""PointMaze with one fixed goal: D4RL's maze2d with the physics of gymnasium-robotics."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium_robotics.envs.maze.point_maze import PointMazeEnv
from mujoco.rollout import Rollout
from numpy.typing import NDArray

from oneleap.domains.rl.envs.mazes import Array, maze_named

MAX_SPEED = 5.0
"""Limit of the speed along each axis, in meters per second, as in gymnasium-robotics."""


@lru_cache
def _model(name: str) -> mujoco.MjModel:
    """The MuJoCo model of a maze, built by gymnasium-robotics."""
    robot = PointMazeEnv(maze_named(name).cells)
    Path(robot.tmp_xml_file_path).unlink(missing_ok=True)
    return robot.model


class Physics:
    """Simulates many balls in one maze; a pure function of state and action.

    Each step is that of gymnasium-robotics: it limits the velocities, then takes one MuJoCo step.
    MuJoCo's solver always starts cold here, so a trajectory does not depend on what else was
    simulated.

    Args:
        maze: umaze, medium or large.
    """

    def __init__(self, maze: str) -> None:
        self.maze = maze
        self._model = _model(maze)
        self._data = mujoco.MjData(self._model)
        self._rollout = Rollout(nthread=0)

    def step(self, state: Array, action: Array | NDArray[np.float32]) -> Array:
        """Simulate one step of 0.01 s.

        Args:
            state: (x, y, vx, vy) of each ball, (n, 4).
            action: Force on each axis, (n, 2). MuJoCo clips it to [-1, 1].

        Returns:
            The next states, (n, 4).
        """
        n = len(state)
        full = np.empty((n, 5))
        full[:, 0] = 0.0  # time
        full[:, 1:3] = state[:, :2]
        np.clip(state[:, 2:], -MAX_SPEED, MAX_SPEED, out=full[:, 3:])
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
    """Go to the fixed goal and stay there.

    Observations are (x, y, vx, vy); actions are a force on each axis. An episode does not end when
    the ball arrives. It is truncated after ``horizon`` steps. ``info["success"]`` is true while the
    ball is within :data:`oneleap.domains.rl.envs.mazes.GOAL_RADIUS` of the goal.

    Args:
        maze: umaze, medium or large.
        dense: Whether the reward is ``exp(-distance)``; else it is 1 near the goal.
        horizon: Steps of an episode; by default 300, 600 or 800, as in D4RL.
        render_mode: ``rgb_array`` or ``None``.
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
        """Start an episode in a random free cell."""
        super().reset(seed=seed)
        self._state = self.layout.starts(1, self.np_random)
        self._steps = 0
        return self._state[0].astype(np.float32), {"success": self._success()}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Apply a force, (2,), for 0.01 s."""
        self._state = self._physics.step(self._state, np.asarray(action)[None])
        self._steps += 1
        reward = float(self.layout.reward(self._state[:, :2], self.dense)[0])
        truncated = self._steps >= self.horizon
        obs = self._state[0].astype(np.float32)
        return obs, reward, False, truncated, {"success": self._success()}

    def _success(self) -> bool:
        return bool(self.layout.reward(self._state[:, :2], dense=False)[0])

    def render(self) -> NDArray[np.uint8]:
        """Draw the maze, the ball and the goal."""
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
