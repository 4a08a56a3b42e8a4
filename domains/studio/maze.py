"""Pictures of a rollout in a maze, and a video of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRAME_STEPS, FPS = 2, 25
"""Steps of the simulation per picture, and pictures of the video per second."""

CELL, FINE = 80, 2
"""Pixels of a cell of the maze, and the factor at which pictures are drawn, then reduced."""


def draw_maze(path: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw the maze, the goal, the way so far and the ball, (h, w, 3).

    Args:
        path: Positions of the ball, meters, (n, 2).
    """
    from PIL import Image, ImageDraw

    from oneleap.domains.rl.envs.mazes import GOAL_RADIUS, maze_named

    maze, unit = maze_named("umaze"), CELL * FINE
    rows, columns = len(maze.cells), len(maze.cells[0])

    def pixel(x: float, y: float) -> tuple[float, float]:
        return (x + columns / 2) * unit, (rows / 2 - y) * unit

    def disk(x: float, y: float, radius: float, color: str) -> None:
        (left, top), (right, bottom) = pixel(x - radius, y + radius), pixel(x + radius, y - radius)
        draw.ellipse((left, top, right, bottom), fill=color)

    image = Image.new("RGB", (columns * unit, rows * unit), "#55606e")
    draw = ImageDraw.Draw(image)
    for row, column in maze.free_cells.tolist():
        corner = (column * unit, row * unit)
        draw.rectangle((*corner, corner[0] + unit - 1, corner[1] + unit - 1), fill="#f3f4f6")
    disk(*maze.goal, GOAL_RADIUS, "#b7e4c0")
    disk(*maze.goal, 0.06, "#2a9d4a")
    if len(path) > 1:
        points = [pixel(float(x), float(y)) for x, y in path]
        draw.line(points, fill="#3b82f6", width=3 * FINE, joint="curve")
    disk(float(path[-1][0]), float(path[-1][1]), 0.13, "#e4572e")
    small = image.resize((columns * CELL, rows * CELL), Image.Resampling.LANCZOS)
    return np.asarray(small, np.uint8)


def write_video(path: NDArray[np.float32], file: Path) -> None:
    """Write the video of a rollout.

    Args:
        path: Positions of the ball, meters, (n, 2).
        file: MP4 file to write.
    """
    import imageio

    last = len(path)
    ends: Sequence[int] = [*range(1, last, FRAME_STEPS), *([last] * FPS)]  # 1 s at the end
    frames: list[Any] = [draw_maze(path[:end]) for end in ends]
    imageio.mimwrite(file, frames, format="FFMPEG", fps=FPS)
