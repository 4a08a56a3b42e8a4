"""Mistakes a demonstration may begin after, and how to go on from where they led."""

from collections.abc import Callable

import numpy as np

from oneleap.domains.robot.demonstrator import (
    CLOSED,
    GOALS,
    GRASPED,
    OBJECTS,
    OPEN,
    TASKS,
    Array,
    Phase,
)
from oneleap.domains.robot.env import Observation


def stumble(
    task: str, obs: Observation, rng: np.random.Generator
) -> tuple[list[Phase], Callable[[Observation], list[Phase]]]:
    """A mistake, and how to go on from where it led.

    Either the hand strays near the object before it has grasped it, open or closed, or it strays
    with the object on its way. Demonstrations that begin after a mistake show how to get out of
    one. None shows how to get in.

    Returns:
        What is done wrong, and what solves the task from there, given what is seen then.
    """
    if task in GRASPED and rng.random() < 0.5:
        phases = TASKS[task](obs, rng)
        held, rest = phases[: GRASPED[task]], phases[GRASPED[task] :]
        share, aside = rng.uniform(0.0, 1.1), rng.uniform([-0.15, -0.15, -0.1], [0.15, 0.15, 0.25])
        goal = GOALS[task]

        def astray(obs: Observation, start: Array) -> Array:
            there: Array = start + share * (goal - start) * [1, 1, 0] + aside
            return there

        yaw = held[-1].yaw + rng.uniform(-0.5, 0.5)
        return [*held, Phase(astray, yaw, CLOSED, int(rng.integers(8, 40)))], lambda obs: rest

    where = np.array([*rng.uniform(-0.15, 0.15, 2), rng.uniform(0.0, 0.22)])
    if task in GRASPED:  # that take more care to grasp: rather close by
        where *= rng.uniform(0.2, 1.0)
    target = obs[OBJECTS[task]] + where
    yaw, gripper = rng.uniform(-1.2, 1.2), rng.choice([OPEN, CLOSED])
    wrong = Phase(lambda obs, start: target, yaw, gripper, int(rng.integers(8, 30)))
    return [wrong], lambda obs: recover(task, obs, rng)


def recover(task: str, obs: Observation, rng: np.random.Generator) -> list[Phase]:
    """Solve a task from where the empty hand strayed to: rise, and approach from there.

    Another detour to one of the object's sides would contradict the demonstrations without
    mistakes, which are past theirs when they come by.
    """
    first, *rest = TASKS[task](obs, rng)
    x, y, z = obs["robot0_eef_pos"]
    up = np.array([x, y, max(z, obs[OBJECTS[task]][2] + 0.09)])
    return [Phase(lambda obs, start: up, first.yaw, OPEN, first.limit, first.near, 7.0), *rest]
