"""Pictures of what a policy does: its ways through a maze, and a film of an episode."""

import os
from collections.abc import Callable, Sequence
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import imageio
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from oneleap.core.files import replacing
from oneleap.domains.rl.data.transitions import GOAL_RADIUS
from oneleap.domains.rl.envs.pointmaze import maze_named
from oneleap.domains.rl.envs.task import Task

Act = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Actions (n, a) for observations (n, o)."""

FRAMES = 300
"""Of a video, at most."""

GL_PACKAGES = "libegl1 libgl1 libosmesa6 libgles2"


def observation_vector(obs: Any) -> NDArray[np.float32]:
    """An observation as the readers see it: of a dictionary, the entry ``observation``.

    AntMaze, which needs more, gives no dictionary: :meth:`Task.make` has joined its entries.
    """
    return np.asarray(obs["observation"] if isinstance(obs, dict) else obs, np.float32)


def draw(maze: str, trajectories: Sequence[NDArray[np.float32]], path: Path, title: str = "") -> None:
    """Draw the ways of balls, each (t, 4), over their maze, as PNG."""
    layout = maze_named(maze)
    cells = np.array(layout.cells) != 0
    rows, columns = cells.shape
    figure = Figure(figsize=(0.8 * columns, 0.8 * rows), layout="constrained")
    axes = figure.add_subplot()
    extent = (-columns / 2, columns / 2, -rows / 2, rows / 2)
    axes.imshow(cells, cmap="Greys", vmin=0, vmax=2, extent=extent)
    axes.add_patch(Circle(layout.goal, GOAL_RADIUS, color="tab:green", alpha=0.3, zorder=2))
    axes.plot(*layout.goal, "*", color="tab:green", markersize=12, zorder=4)
    for k, trail in enumerate(trajectories):
        axes.plot(trail[:, 0], trail[:, 1], linewidth=1, alpha=0.8, color=f"C{k % 10}", zorder=3)
        axes.plot(*trail[0, :2], "o", color=f"C{k % 10}", markersize=4, zorder=3)
    axes.set(xlabel="x (m)", ylabel="y (m)", title=title)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")


def record_video(act: Act, task: Task, path: Path, seed: int) -> str | None:
    """Write a video of the start of one episode; say in one line why, if that cannot be done."""
    env = task.make(disable_env_checker=True)
    modes = env.metadata.get("render_modes", [])
    env.close()
    if "rgb_array" not in modes:
        return f"no video: {task.env} draws no pictures"
    if "MUJOCO_GL" not in os.environ:
        # Only one back end can be tried in a process, and MuJoCo's own choice needs a screen.
        os.environ["MUJOCO_GL"] = "egl" if find_library("EGL") else "osmesa"
    try:
        frames, fps = _frames(act, task, seed)
    except Exception as error:  # OpenGL back ends raise anything
        reason = " ".join(str(error).split())[:100]
        return f"no video, install Debian's {GL_PACKAGES} (OpenGL failed: {reason})"
    with replacing(path) as temporary:
        imageio.mimwrite(temporary, [*frames], format="FFMPEG", fps=fps)
    return None


def _frames(act: Act, task: Task, seed: int) -> tuple[list[NDArray[np.uint8]], int]:
    """Pictures of the first steps of an episode, and how many make a second."""
    env = task.make(disable_env_checker=True, render_mode="rgb_array")
    frames: list[NDArray[np.uint8]] = []
    obs, over = env.reset(seed=seed)[0], False
    while not over and len(frames) < FRAMES:
        frames.append(np.asarray(env.render(), np.uint8))
        obs, _, terminated, truncated, _ = env.step(act(observation_vector(obs)[None])[0])
        over = bool(terminated or truncated)
    env.close()
    return frames, int(env.metadata.get("render_fps", 30))
