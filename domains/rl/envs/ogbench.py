"""OGBench's tasks with one goal: their names, and their environments as a function of the seed.

A data set is named ``cube-double-play-v0``: environment, kind of behavior, version. A task is named
``cube-double-singletask-task1-v0``, or ``cube-double-play-singletask-task1-v0`` together with the
behavior. Without a number it is the default task of the environment.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, SupportsFloat

import gymnasium
import numpy as np
from numpy.random import mtrand

from oneleap.core.errors import InputError
from oneleap.domains.rl.envs.task import Task

if TYPE_CHECKING:
    Env = gymnasium.Env[Any, Any]

BEHAVIORS = ("play", "noisy", "navigate", "stitch", "explore")
"""Kinds of behavior in OGBench's data."""

SINGLE = "singletask"
"""Part of the name of every task with one goal."""

REFERENCE = "OGBench: no success, success"
"""Where scores of 0 and 100 come from."""


def task_name(name: str) -> str:
    """Gymnasium id of a task.

    Args:
        name: Name of a task, with or without its behavior, or of a data set, which means the
            default task.

    Returns:
        The id, such as ``cube-double-singletask-task1-v0``.

    Raises:
        InputError: It is neither.
    """
    parts = name.removesuffix("-val").split("-")
    known = len(parts) > 2 and re.fullmatch(r"v\d+", parts[-1])
    if known and SINGLE in parts:
        place = parts.index(SINGLE)
        return "-".join(parts[: place - (parts[place - 1] in BEHAVIORS)] + parts[place:])
    if known and parts[-2] in BEHAVIORS:
        return "-".join([*parts[:-2], SINGLE, parts[-1]])
    raise InputError(
        f"{name}: names no task of OGBench; --data.env NAME names one, such as "
        "cube-double-play-singletask-task1-v0"
    )


def ogbench_task(name: str) -> Task:
    """The task of that name, see :func:`task_name`; its score is the share of successes."""
    return Task(task_name(name), reference=REFERENCE, by_success=True)


@contextmanager
def numpy_randomness(state: np.random.RandomState) -> Iterator[None]:
    """Let NumPy's global generator, which OGBench draws from, be ``state`` inside the block."""
    before = mtrand.get_state()
    mtrand.set_state(state.get_state())
    try:
        yield
    finally:
        state.set_state(mtrand.get_state())
        mtrand.set_state(before)


class Seeded(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment of OGBench whose episodes are functions of their seeds.

    OGBench's mazes draw starts and teleports from NumPy's global generator. The spaces are computed
    once: OGBench makes them anew, with a warning, whenever they are asked for.

    Args:
        env: The environment.
    """

    def __init__(self, env: "Env") -> None:
        super().__init__(env)
        with _quiet():
            self._observation_space = env.observation_space
            self._action_space = env.action_space
        self._state = np.random.RandomState(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        if seed is not None:
            self._state = np.random.RandomState(seed)
        with _quiet(), numpy_randomness(self._state):
            return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take a step."""
        with numpy_randomness(self._state):
            return self.env.step(action)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide Gymnasium's warning about the numbers of OGBench's spaces."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*precision lowered", UserWarning)
        yield


def seeded(env: "Env") -> "Env":
    """Return an environment of OGBench as :class:`Seeded`, and any other as it is."""
    if type(env.unwrapped).__module__.partition(".")[0] != "ogbench":
        return env
    logging.getLogger("absl").setLevel(logging.ERROR)  # its inverse kinematics warns in every step
    return Seeded(env)
