"""``oneleap collect pixels``: draws PointMaze data as images."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from oneleap.core.errors import InputError
from oneleap.core.outputs import check_output

if TYPE_CHECKING:
    from oneleap.domains.rl.data.transitions import OfflineDataset
    from oneleap.domains.rl.envs.mazes import Maze


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
        maze: Maze of the data.
        path: Data of oneleap collect pointmaze; by default oneleap/pointmaze-MAZE-v0.
        steps: Number of steps to draw, from the first.
        out: HDF5 file in D4RL's layout; by default pointmaze-MAZE-pixels.hdf5.
        overwrite: Replace the file.

    Raises:
        InputError: There are no such data, or the file exists.
    """
    from oneleap.core.cli.advice import next_line
    from oneleap.domains.rl.data.datamodule import OfflineData
    from oneleap.domains.rl.data.rewards import GoalDistanceReward
    from oneleap.domains.rl.envs.mazes import REFERENCE_RETURNS, maze_named, pointmaze_task
    from oneleap.domains.rl.envs.pointmaze_pixels import SIZE
    from oneleap.domains.rl.envs.registration import POINTMAZE_PIXELS
    from oneleap.domains.rl.envs.task import Task

    if steps < 2:
        raise InputError(f"steps: {steps} are too few")
    layout, out = maze_named(maze), out or Path(f"pointmaze-{maze}-pixels.hdf5")
    check_output(out)
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists already: --overwrite replaces it, --out names another")
    reward = GoalDistanceReward(layout.goal)
    data = OfflineData(path or f"oneleap/pointmaze-{maze}-v0", reward=reward)
    task = data.spec.task or pointmaze_task(maze, True, REFERENCE_RETURNS[maze])
    pixel_task = Task(**{**asdict(task), "env": POINTMAZE_PIXELS})
    n = _draw(data.dataset, layout, steps, out, json.dumps(asdict(pixel_task)))
    print(f"{out}: {n} images of {SIZE}x{SIZE}")
    print(next_line("fit", "--config", "rl/ofql_pointmaze-pixels", "--data.path", out))


def _draw(data: "OfflineDataset", layout: "Maze", steps: int, out: Path, task: str) -> int:
    """Write the first steps of a data set as images; their number."""
    import h5py
    import numpy as np
    from rich.progress import track

    from oneleap.core.files import atomic_write
    from oneleap.domains.rl.data.files import TASK_KEY
    from oneleap.domains.rl.envs.pointmaze_pixels import FRAME_GAP, SIZE, render_images

    n = min(steps, len(data))
    position = data.obs[:n, :2].double().numpy()
    lengths = np.diff(data.bounds.numpy())
    first = np.repeat(data.bounds.numpy()[:-1], lengths)[:n]
    before = position[np.maximum(np.arange(n) - FRAME_GAP, first)]
    timeout = data.timeout[:n].bool().numpy()
    timeout[-1] = True
    with atomic_write(out) as temporary, h5py.File(temporary, "w") as file:
        shape = (n, SIZE, SIZE, 3)
        images = file.create_dataset(
            "observations", shape, np.uint8, chunks=(min(n, 256), *shape[1:]), compression="gzip"
        )
        for k in track(range(0, n, 4096), "drawing", transient=True):
            part = slice(k, k + 4096)
            images[part] = render_images(layout, position[part], before[part])
        file["actions"], file["rewards"] = data.act[:n].numpy(), data.reward[:n].numpy()
        file["terminals"], file["timeouts"] = data.terminal[:n].bool().numpy(), timeout
        file.attrs[TASK_KEY] = task
    return n
