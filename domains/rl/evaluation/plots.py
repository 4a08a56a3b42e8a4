"""Plots of a policy's trajectories in a maze, and videos of its episodes."""

import os
from collections.abc import Sequence
from ctypes.util import find_library
from pathlib import Path

import imageio
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from oneleap.core.files import atomic_write
from oneleap.domains.rl.envs.mazes import GOAL_RADIUS, Maze, maze_named
from oneleap.domains.rl.envs.observations import observation_vector
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation.rollouts import Act

MAX_FRAMES = 300
"""Largest number of frames of a video."""

GL_PACKAGES = "libegl1 libgl1 libosmesa6 libgles2"
"""Debian packages that rendering needs."""


def plot_trajectories(
    maze: str, trajectories: Sequence[NDArray[np.float32]], path: Path, title: str = ""
) -> None:
    """Plot trajectories of balls over their maze, as a PNG file.

    Args:
        maze: umaze, medium or large.
        trajectories: Observations of each episode, (t, 4).
        path: File to write.
        title: Title of the plot.
    """
    layout = maze_named(maze)
    rows, columns = np.array(layout.cells).shape
    figure = Figure(figsize=(0.8 * columns, 0.8 * rows), layout="constrained")
    axes = figure.add_subplot()
    _draw_maze(axes, layout)
    for k, obs in enumerate(trajectories):
        axes.plot(obs[:, 0], obs[:, 1], linewidth=1, alpha=0.8, color=f"C{k % 10}", zorder=3)
        axes.plot(*obs[0, :2], "o", color=f"C{k % 10}", markersize=4, zorder=3)
    axes.set(xlabel="x (m)", ylabel="y (m)", title=title)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")


def plot_filmstrip(maze: str, obs: NDArray[np.float32], path: Path, frames: int = 6) -> None:
    """Plot the positions of a ball at several times, from the start to the goal, as a PNG file.

    Args:
        maze: umaze, medium or large.
        obs: Observations of one episode, (t, 4).
        path: File to write.
        frames: Number of pictures.
    """
    layout = maze_named(maze)
    rows, columns = np.array(layout.cells).shape
    near = np.linalg.norm(obs[:, :2] - np.array(layout.goal), axis=1) < GOAL_RADIUS
    end = int(near.argmax()) if near.any() else len(obs) - 1
    figure = Figure(figsize=(0.45 * columns * frames, 0.45 * rows + 0.3), layout="constrained")
    for axes, step in zip(
        figure.subplots(1, frames, squeeze=False)[0],
        np.linspace(0, end, frames).round().astype(int),
        strict=True,
    ):
        _draw_maze(axes, layout)
        axes.plot(obs[: step + 1, 0], obs[: step + 1, 1], color="C0", linewidth=1, zorder=3)
        axes.plot(*obs[step, :2], "o", color="C3", markersize=7, zorder=5)
        axes.set(xticks=[], yticks=[], title=f"step {step}")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")


def _draw_maze(axes: Axes, layout: Maze) -> None:
    """Draw the walls and the goal."""
    cells = np.array(layout.cells) != 0
    rows, columns = cells.shape
    extent = (-columns / 2, columns / 2, -rows / 2, rows / 2)
    axes.imshow(cells, cmap="Greys", vmin=0, vmax=2, extent=extent)
    axes.add_patch(Circle(layout.goal, GOAL_RADIUS, color="tab:green", alpha=0.3, zorder=2))
    axes.plot(*layout.goal, "*", color="tab:green", markersize=12, zorder=4)


def record_video(act: Act, task: Task, path: Path, seed: int) -> str | None:
    """Record the start of one episode.

    Args:
        act: The policy.
        task: The task.
        path: File to write.
        seed: Seed of the environment.

    Returns:
        ``None``, or the reason in one line if there is no video.
    """
    env = task.make(disable_env_checker=True)
    modes = env.metadata.get("render_modes", [])
    env.close()
    if "rgb_array" not in modes:
        return f"no video: {task.env} cannot render images"
    if "MUJOCO_GL" not in os.environ:
        # A process can only try one back end, and MuJoCo's own choice needs a display.
        os.environ["MUJOCO_GL"] = "egl" if find_library("EGL") else "osmesa"
    try:
        frames, fps = _render_frames(act, task, seed)
    except Exception as error:  # OpenGL back ends raise errors of any kind
        reason = " ".join(str(error).split())[:100]
        return f"no video, install Debian's {GL_PACKAGES} (OpenGL failed: {reason})"
    with atomic_write(path) as temporary:
        imageio.mimwrite(temporary, [*frames], format="FFMPEG", fps=fps)
    return None


def _render_frames(act: Act, task: Task, seed: int) -> tuple[list[NDArray[np.uint8]], int]:
    """Images of the first steps of an episode, and the number of images per second."""
    env = task.make(disable_env_checker=True, render_mode="rgb_array")
    frames: list[NDArray[np.uint8]] = []
    obs, over = env.reset(seed=seed)[0], False
    while not over and len(frames) < MAX_FRAMES:
        frames.append(np.asarray(env.render(), np.uint8))
        obs, _, terminated, truncated, _ = env.step(act(observation_vector(obs)[None])[0])
        over = bool(terminated or truncated)
    env.close()
    return frames, int(env.metadata.get("render_fps", 30))
