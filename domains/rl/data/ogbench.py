"""Reads OGBench's npz files, and computes the rewards of a task with one goal.

Each row holds an observation, the action that followed, and the state of the simulator before that
action. The last row of an episode has no successor and is left out. Files have no rewards: these
depend on the task, whose goal comes from OGBench's environment. Data sets go on after a success.
"""

import zipfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.reading.arrays import array_names, read_arrays
from oneleap.domains.rl.data.transitions import LoadedData
from oneleap.domains.rl.data.validation import build_dataset, validate_actions, validate_fields
from oneleap.domains.rl.envs.ogbench import ogbench_task

Array = NDArray[Any]
Arrays = Mapping[str, Array]

STORED = ("observations", "actions", "terminals", "qpos")
"""Arrays of every file."""

FIRST_OBJECT = 14
"""Place of the first object in ``qpos``, after the robot's joints."""

CUBE_SIZE = 7
"""Numbers in ``qpos`` for each cube: position and quaternion."""

NEAR = 0.04
"""Distance in meters within which a cube, a drawer or a window is at its goal."""


def is_ogbench(path: str) -> bool:
    """Whether a file is an npz file in OGBench's layout: simulator states, and no rewards."""
    if not (Path(path).is_file() and zipfile.is_zipfile(path)):
        return False
    names = set(array_names(path))
    return names.issuperset(STORED) and "rewards" not in names


def read_ogbench(path: str, env: str | None = None, clip: bool = False) -> LoadedData:
    """Read a data set under the rewards of a task, 0 or -1 for each of its parts.

    A terminal is a step that begins with the task done. Episodes end with their recording, as
    timeouts.

    Args:
        path: The file, of training or of validation.
        env: Task, see :func:`oneleap.domains.rl.envs.ogbench.task_name`; by default the default
            task of the environment in the file's name.
        clip: Whether to clip actions to [-1, 1] instead of refusing others.

    Returns:
        The data and their task.

    Raises:
        InputError: The file is damaged, the task is unknown, or it does not fit the data.
    """
    if env == "none":
        raise InputError(
            f"{path}: holds no rewards; name a task of OGBench that gives them: "
            "--data.env cube-double-play-singletask-task1-v0"
        )
    import_module("ogbench")  # if it is missing, the command names the extra
    try:
        task = ogbench_task(env or Path(path).stem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    arrays = _read_arrays(path)
    task = task.fitted(path, arrays["observations"].shape[1], arrays["actions"].shape[1])
    made = task.make(disable_env_checker=True)
    made.reset(seed=0)
    done = successes(made.unwrapped, arrays)
    made.close()

    last = arrays["terminals"] > 0
    kept = ~last
    if not kept.any():
        raise InputError(f"{path}: no step has a successor")
    follows = np.concatenate([[False], kept[:-1]])
    ends = np.append(last[1:], True)[kept]
    fields = {
        "observations": arrays["observations"][kept],
        "actions": arrays["actions"][kept],
        "rewards": (done.sum(1) - done.shape[1])[kept],
        "next_observations": arrays["observations"][follows],
        "terminals": done.all(1)[kept],
        "timeouts": ends & ~done.all(1)[kept],
    }
    checked = validate_fields(path, fields)
    high = np.ones(checked["actions"].shape[1], np.float32)
    checked["actions"] = validate_actions(path, checked["actions"], -high, high, clip)
    bounds = np.concatenate([[0], np.flatnonzero(ends) + 1]).astype(np.int64)
    return LoadedData(build_dataset(checked, bounds), -high, high, task)


def _read_arrays(path: str) -> dict[str, Array]:
    """The arrays of a file, whose last row ends an episode; nothing is unpickled."""
    arrays = read_arrays(path, (*STORED, "button_states"))
    for name in STORED:
        if name not in arrays or arrays[name].dtype.kind not in "biuf" or not arrays[name].ndim:
            raise InputError(f"{path}: {name} is missing or holds no numbers")
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"{path}: arrays differ in length: {sizes}")
    for name in ("observations", "actions", "qpos"):
        if arrays[name].ndim != 2:
            raise InputError(f"{path}: {name}: has shape {arrays[name].shape}, but needs 2 axes")
    if arrays["terminals"].ndim != 1 or not len(arrays["terminals"]):
        raise InputError(f"{path}: terminals: has shape {arrays['terminals'].shape}, not (n,)")
    if not arrays["terminals"][-1]:
        raise InputError(f"{path}: its last row ends no episode: the file is not complete")
    return arrays


def successes(env: Any, arrays: Arrays) -> NDArray[np.bool_]:
    """Tell which parts of a task are done.

    Args:
        env: OGBench's unwrapped environment of the task, after a reset.
        arrays: ``qpos`` (n, q), and ``button_states`` (n, b) where there are buttons.

    Returns:
        Flags, (n, parts): one part for each cube, button, drawer and window, or for the goal of a
        maze.

    Raises:
        InputError: The environment is of an unknown kind.
    """
    kind = "Maze" if hasattr(env, "maze_map") else type(env).__name__
    if kind not in KINDS:
        raise InputError(f"OGBench's {kind}: its rewards are unknown; choose another task")
    return KINDS[kind](env, arrays)


def _cubes(env: Any, arrays: Arrays) -> NDArray[np.bool_]:
    n, count = len(arrays["qpos"]), int(env._num_cubes)
    stop = FIRST_OBJECT + count * CUBE_SIZE
    places = arrays["qpos"][:, FIRST_OBJECT:stop].reshape(n, count, CUBE_SIZE)[..., :3]
    distance = np.linalg.norm(env._data.mocap_pos - places, axis=-1)
    return np.asarray(distance <= NEAR)


def _buttons(env: Any, arrays: Arrays) -> NDArray[np.bool_]:
    if "button_states" not in arrays:
        raise InputError("the data have no button_states, which this task's rewards need")
    return np.asarray(arrays["button_states"] == env._target_button_states)


def _scene(env: Any, arrays: Arrays) -> NDArray[np.bool_]:
    drawer = FIRST_OBJECT + int(env._num_cubes) * CUBE_SIZE + int(env._num_buttons)
    slides = arrays["qpos"][:, drawer : drawer + 2]
    goals = np.array([env._target_drawer_pos, env._target_window_pos])
    parts = _cubes(env, arrays), _buttons(env, arrays), np.abs(slides - goals) <= NEAR
    return np.concatenate(parts, axis=1)


def _maze(env: Any, arrays: Arrays) -> NDArray[np.bool_]:
    distance = np.linalg.norm(arrays["qpos"][:, :2] - env.cur_goal_xy, axis=1)
    return np.asarray(distance <= env._goal_tol)[:, None]


KINDS: dict[str, Callable[[Any, Arrays], NDArray[np.bool_]]] = {
    "CubeEnv": _cubes,
    "SceneEnv": _scene,
    "PuzzleEnv": _buttons,
    "Maze": _maze,
}
"""What a success is, by the kind of the environment."""
