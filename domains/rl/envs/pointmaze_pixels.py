"""PointMaze seen from above, drawn by a few lines of numpy: no OpenGL, the same everywhere.

An image has three channels: walls (dim) and goal (bright); the ball; and the ball as it was
:data:`BEFORE` steps ago, from which its velocity can be told. Discs have soft edges, so that the
ball's position shows to a fraction of a pixel.
"""

import json
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import gymnasium
import h5py
import numpy as np
from gymnasium.envs.registration import register
from numpy.typing import NDArray
from rich.progress import track

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.rl.data.transitions import GOAL_RADIUS, GoalDistance
from oneleap.domains.rl.envs.pointmaze import MEASURED, Maze, PointMaze, maze_named, pointmaze_task
from oneleap.domains.rl.envs.task import Task

ENV_ID = "oneleap/PointMazePixels-v0"
SIZE, BEFORE, BALL = 32, 5, 0.3
"""Pixels along each side, steps between the two balls, and metres of a ball's radius (drawn larger
than it is)."""

Array = NDArray[np.float64]


def _discs(layout: Maze, centre: Array, radius: float) -> Array:
    """How much of each pixel discs (n, 2) cover, (n, SIZE, SIZE), from 0 to 1."""
    rows, columns = len(layout.cells), len(layout.cells[0])
    metres = max(rows, columns) / SIZE
    x = (np.arange(SIZE) + 0.5) * metres - columns / 2
    y = rows / 2 - (np.arange(SIZE) + 0.5) * metres
    square = (x[None, None] - centre[:, 0, None, None]) ** 2
    square = square + (y[None, :, None] - centre[:, 1, None, None]) ** 2
    return np.asarray(np.clip((radius - np.sqrt(square)) / metres + 0.5, 0, 1))


def backdrop(layout: Maze) -> NDArray[np.uint8]:
    """Walls and goal, (SIZE, SIZE)."""
    cells = np.array(layout.cells) != 0
    metres = max(cells.shape) / SIZE
    place = ((np.arange(SIZE) + 0.5) * metres).astype(int)
    inside = place[place < cells.shape[0]], place[place < cells.shape[1]]
    walls = np.zeros((SIZE, SIZE))
    walls[: len(inside[0]), : len(inside[1])] = 100 * cells[np.ix_(*inside)]
    goal = 255 * _discs(layout, np.array([layout.goal]), GOAL_RADIUS)[0]
    return np.maximum(walls, goal).astype(np.uint8)


def rasterise(layout: Maze, now: Array, before: Array) -> NDArray[np.uint8]:
    """Images (n, SIZE, SIZE, 3) of balls at ``now`` (n, 2) that were at ``before`` (n, 2)."""
    balls = [255 * _discs(layout, position, BALL) for position in (now, before)]
    still = np.broadcast_to(backdrop(layout), balls[0].shape)
    picture: NDArray[np.uint8] = np.stack([still, *balls], axis=3).astype(np.uint8)
    return picture


class PointMazePixels(gymnasium.Env[NDArray[np.uint8], NDArray[np.float32]]):
    """:class:`PointMaze` observed as a flat image.

    Args:
        maze: umaze, medium or large.
        dense: Reward ``exp(-distance)``, else 1 near the goal.
        horizon: Steps of an episode; by default D4RL's.
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
        self.inner, self.render_mode = PointMaze(maze, dense, horizon), render_mode
        self.observation_space = gymnasium.spaces.Box(0, 255, (SIZE * SIZE * 3,), np.uint8)
        self.action_space = self.inner.action_space
        self._past: deque[Array] = deque(maxlen=BEFORE + 1)

    def _see(self, state: NDArray[np.float32]) -> NDArray[np.uint8]:
        self._past.append(state[None, :2].astype(np.float64))
        picture: NDArray[np.uint8] = rasterise(self.inner.layout, self._past[-1], self._past[0])[0]
        return picture.ravel()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start at a random free cell."""
        super().reset(seed=seed)
        self._past.clear()
        state, info = self.inner.reset(seed=seed, options=options)
        return self._see(state), info

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Push the ball for 0.01 s."""
        state, reward, terminated, truncated, info = self.inner.step(action)
        return self._see(state), reward, terminated, truncated, info

    def render(self) -> NDArray[np.uint8]:
        """What is observed, eight times as large."""
        image = rasterise(self.inner.layout, self._past[-1], self._past[0])[0]
        return np.asarray(np.kron(image, np.ones((8, 8, 1))), np.uint8)


def pixels(
    maze: Literal["umaze", "medium", "large"] = "umaze",
    path: str | None = None,
    steps: int = 100_000,
    out: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Draw PointMaze data as images, with the dense reward of the fixed goal.

    Example: oneleap collect pixels --maze umaze --steps 100000

    Args:
        maze: Which maze.
        path: What oneleap collect pointmaze wrote; by default oneleap/pointmaze-MAZE-v0.
        steps: The first so many are drawn.
        out: HDF5 file in D4RL's layout; by default pointmaze-MAZE-pixels.hdf5.
        overwrite: Replace it.

    Raises:
        InputError: There are no such data, or the file exists.
    """
    from oneleap.domains.rl.data.datamodule import OfflineData
    from oneleap.domains.rl.data.pixels import TASK_KEY

    if steps < 2:
        raise InputError(f"steps: {steps} are too few")
    layout, out = maze_named(maze), out or Path(f"pointmaze-{maze}-pixels.hdf5")
    if out.exists() and not overwrite:
        raise InputError(
            f"{out} is there already: --overwrite true replaces it, --out names another"
        )
    data = OfflineData(path or f"oneleap/pointmaze-{maze}-v0", reward=GoalDistance(layout.goal))
    found, task = data.dataset, data.spec.task or pointmaze_task(maze, True, MEASURED[maze])
    n = min(steps, len(found))
    position = found.obs[:n, :2].double().numpy()
    lengths = np.diff(found.bounds.numpy())
    first = np.repeat(found.bounds.numpy()[:-1], lengths)[:n]
    before = position[np.maximum(np.arange(n) - BEFORE, first)]
    timeout = found.timeout[:n].bool().numpy()
    timeout[-1] = True
    seen = Task(**{**asdict(task), "env": ENV_ID})
    with replacing(out) as temporary, h5py.File(temporary, "w") as file:
        shape = (n, SIZE, SIZE, 3)
        images = file.create_dataset(
            "observations", shape, np.uint8, chunks=(min(n, 256), *shape[1:]), compression="gzip"
        )
        for k in track(range(0, n, 4096), "drawing", transient=True):
            part = slice(k, k + 4096)
            images[part] = rasterise(layout, position[part], before[part])
        file["actions"], file["rewards"] = found.act[:n].numpy(), found.reward[:n].numpy()
        file["terminals"], file["timeouts"] = found.terminal[:n].bool().numpy(), timeout
        file.attrs[TASK_KEY] = json.dumps(asdict(seen))
    print(f"{out}: {n} images of {SIZE}x{SIZE}")
    print(f"next: oneleap fit --config rl/ofql_pointmaze-pixels --data.path {out}")


register(
    id=ENV_ID,
    entry_point="oneleap.domains.rl.envs.pointmaze_pixels:PointMazePixels",
    order_enforce=False,
)
