"""PointMaze observed as an image from above, drawn with numpy: no OpenGL, the same everywhere.

An image has three channels: the walls (dim) and the goal (bright); the ball; and the ball as it was
:data:`FRAME_GAP` steps ago, from which a policy can infer its velocity. Discs have soft edges, so
that an image contains the position of the ball to a fraction of a pixel.
"""

from collections import deque
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from oneleap.domains.rl.envs.mazes import GOAL_RADIUS, Array, Maze
from oneleap.domains.rl.envs.pointmaze import PointMaze

SIZE = 32
"""Height and width of an image, in pixels."""

FRAME_GAP = 5
"""Steps between the two balls of an image."""

BALL_RADIUS = 0.3
"""Radius of a drawn ball in meters; larger than the ball itself."""


def _draw_discs(layout: Maze, center: Array, radius: float) -> Array:
    """Share of each pixel that a disc covers, (n, SIZE, SIZE), for centers (n, 2)."""
    rows, columns = len(layout.cells), len(layout.cells[0])
    meters = max(rows, columns) / SIZE
    x = (np.arange(SIZE) + 0.5) * meters - columns / 2
    y = rows / 2 - (np.arange(SIZE) + 0.5) * meters
    square = (x[None, None] - center[:, 0, None, None]) ** 2
    square = square + (y[None, :, None] - center[:, 1, None, None]) ** 2
    return np.asarray(np.clip((radius - np.sqrt(square)) / meters + 0.5, 0, 1))


def background(layout: Maze) -> NDArray[np.uint8]:
    """Draw the walls and the goal of a maze, (SIZE, SIZE)."""
    cells = np.array(layout.cells) != 0
    meters = max(cells.shape) / SIZE
    place = ((np.arange(SIZE) + 0.5) * meters).astype(int)
    inside = place[place < cells.shape[0]], place[place < cells.shape[1]]
    walls = np.zeros((SIZE, SIZE))
    walls[: len(inside[0]), : len(inside[1])] = 100 * cells[np.ix_(*inside)]
    goal = 255 * _draw_discs(layout, np.array([layout.goal]), GOAL_RADIUS)[0]
    return np.maximum(walls, goal).astype(np.uint8)


def render_images(layout: Maze, now: Array, before: Array) -> NDArray[np.uint8]:
    """Draw the observations of many balls.

    Args:
        layout: The maze.
        now: Positions in meters, (n, 2).
        before: Positions :data:`FRAME_GAP` steps ago, (n, 2).

    Returns:
        Images, (n, SIZE, SIZE, 3).
    """
    balls = [255 * _draw_discs(layout, position, BALL_RADIUS) for position in (now, before)]
    static = np.broadcast_to(background(layout), balls[0].shape)
    images: NDArray[np.uint8] = np.stack([static, *balls], axis=3).astype(np.uint8)
    return images


class PointMazePixels(gymnasium.Env[NDArray[np.uint8], NDArray[np.float32]]):
    """:class:`PointMaze` with flattened images as observations.

    Args:
        maze: umaze, medium or large.
        dense: Whether the reward is ``exp(-distance)``; else it is 1 near the goal.
        horizon: Steps of an episode; by default as in D4RL.
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
        self.inner, self.render_mode = PointMaze(maze, dense, horizon), render_mode
        self.observation_space = gymnasium.spaces.Box(0, 255, (SIZE * SIZE * 3,), np.uint8)
        self.action_space = self.inner.action_space
        self._positions: deque[Array] = deque(maxlen=FRAME_GAP + 1)

    def _observe(self, state: NDArray[np.float32]) -> NDArray[np.uint8]:
        self._positions.append(state[None, :2].astype(np.float64))
        return self._image().ravel()

    def _image(self) -> NDArray[np.uint8]:
        image: NDArray[np.uint8] = render_images(
            self.inner.layout, self._positions[-1], self._positions[0]
        )[0]
        return image

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start an episode in a random free cell."""
        super().reset(seed=seed)
        self._positions.clear()
        state, info = self.inner.reset(seed=seed, options=options)
        return self._observe(state), info

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Apply a force, (2,), for 0.01 s."""
        state, reward, terminated, truncated, info = self.inner.step(action)
        return self._observe(state), reward, terminated, truncated, info

    def render(self) -> NDArray[np.uint8]:
        """Draw the observation at eight times its size."""
        return np.asarray(np.kron(self._image(), np.ones((8, 8, 1))), np.uint8)
