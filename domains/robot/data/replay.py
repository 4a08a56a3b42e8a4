"""Says before training whether a file's own first demonstration solves its task."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.robot.data.demo_reader import DemoReader
from oneleap.domains.robot.data.robomimic import LoadedDemos, open_file
from oneleap.domains.robot.envs.control import Frame
from oneleap.domains.robot.envs.replay import solves
from oneleap.domains.robot.envs.task import Task, unknown_name

MAX_STEPS = 1000
"""Length of a demonstration above which replaying it would delay training for long."""

OTHERS: tuple[tuple[str, bool, Frame | None], ...] = (
    ("--data.absolute true", True, None),
    ("--data.absolute true --data.pose_frame base", True, "base"),
    ("--data.absolute true --data.pose_frame world", True, "world"),
    ("--data.absolute false", False, None),
)
"""Settings that are tried if the replay fails, and what they mean."""


def replay_note(path: str, loaded: LoadedDemos, task: Task) -> str | None:
    """Replay the first demonstration in robosuite; takes some seconds.

    Nothing is done if robosuite is not installed, or lacks the environment, or if the file has no
    states. If the replay fails, the other meanings of the actions are tried.

    Args:
        path: HDF5 file.
        loaded: Contents of the file.
        task: Environment, with arms that take the actions that are learned.

    Returns:
        What went wrong and what would do; ``None`` if nothing did.
    """
    if find_spec("robosuite") is None or unknown_name(task.name) is not None:
        return None
    name, form = loaded.demos.names[0], loaded.form
    with open_file(path) as file:
        group: Any = file["data"][name]
        if "states" not in group or not 0 < len(group[form.key]) <= MAX_STEPS:
            return None
        state = np.asarray(group["states"][0], np.float64)
        act = DemoReader(f"{path}: {name}", group, {}).raw_actions(form.key).astype(np.float64)
    start = f"{path}: {name}: replayed in robosuite, {form.key} "
    try:
        if solves(task, form.absolute, state, act):
            return None
    except InputError as error:
        return f"{start}cannot be executed ({error})"
    would = [words for words, poses, frame in OTHERS if _solve(task, poses, frame, state, act)]
    mend = f"with {would[0]} they do" if would else "--data.action_key names other actions"
    kind = "poses" if form.absolute else "offsets"
    return f"{start}as {kind} do not solve {task.name}: {mend}"


def _solve(
    task: Task,
    absolute: bool,
    frame: Frame | None,
    state: NDArray[np.float64],
    act: NDArray[np.float64],
) -> bool:
    """Whether actions of another meaning solve the task; no, if they do not fit it."""
    try:
        return solves(task.with_control(absolute, frame), absolute, state, act)
    except InputError:
        return False
