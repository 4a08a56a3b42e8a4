"""Mistakes a demonstration may begin after, and how to go on from where they led.

Demonstrations that begin after a mistake show how to get out of one. None shows how to get in.
"""

from collections.abc import Callable

import numpy as np

from oneleap.domains.robot.demonstrators.scripted import (
    ABOVE,
    CLOSED,
    GOALS,
    GRASPED,
    OBJECTS,
    OPEN,
    TASKS,
    Array,
    Phase,
)
from oneleap.domains.robot.envs.robosuite import Observation

EMPTY = 0.005
"""Metres of a finger from the middle at which the closed hand holds nothing."""

OVER_PEG = 8
"""After so many phases the nut is over the peg, about to be brought in line with it."""

Recovery = Callable[[Observation], list[Phase]]
"""What solves the task from where a mistake led, given what is seen there."""


def stumble(task: str, obs: Observation, rng: np.random.Generator) -> tuple[list[Phase], Recovery]:
    """One of the mistakes of the task: what is done wrong, and how to go on."""
    mistakes = MISTAKES[task]
    return mistakes[rng.integers(len(mistakes))](task, obs, rng)


def miss(task: str, obs: Observation, rng: np.random.Generator) -> tuple[list[Phase], Recovery]:
    """The hand strays near the object before it has grasped it, open or closed."""
    where = np.array([*rng.uniform(-0.15, 0.15, 2), rng.uniform(0.0, 0.22)])
    if task in GRASPED:  # that take more care to grasp: rather close by
        where *= rng.uniform(0.2, 1.0)
    target = obs[OBJECTS[task]] + where
    yaw, gripper = rng.uniform(-1.2, 1.2), rng.choice([OPEN, CLOSED])
    wrong = Phase(lambda obs, start: target, yaw, gripper, int(rng.integers(8, 30)))
    return [wrong], lambda obs: recover(task, obs, rng)


def fumble(task: str, obs: Observation, rng: np.random.Generator) -> tuple[list[Phase], Recovery]:
    """The hand comes down on the object a little off and awry, closes too soon, and may rise."""
    phases = TASKS[task](obs, rng)
    above, rest, lifting = phases[:ABOVE], phases[ABOVE:], phases[GRASPED[task] - 2 :]
    off = rng.uniform([-0.025, -0.025, -0.045], [0.025, 0.025, -0.02])
    yaw = rest[0].yaw + rng.uniform(-0.7, 0.7)

    def beside(obs: Observation, start: Array) -> Array:
        there: Array = above[-1].target(obs, start) + off
        return there

    wrong = [
        *above,
        Phase(beside, yaw, OPEN, int(rng.integers(6, 15))),
        Phase(lambda obs, start: start, yaw, CLOSED, int(rng.integers(1, 14))),
    ]
    if rng.random() < 0.5:
        up = np.array([0.0, 0.0, rng.uniform(0.02, 0.1)])
        wrong += [
            Phase(lambda obs, start: start, yaw, CLOSED, 10),
            Phase(lambda obs, start: start + up, yaw, CLOSED, int(rng.integers(4, 15))),
        ]

    def recovery(obs: Observation) -> list[Phase]:
        apart = obs["robot0_gripper_qpos"][0] > EMPTY
        return lifting if apart and len(wrong) > ABOVE + 2 else rest

    return wrong, recovery


def perch(task: str, obs: Observation, rng: np.random.Generator) -> tuple[list[Phase], Recovery]:
    """The nut comes down beside the peg and stands on it."""
    phases = TASKS[task](obs, rng)
    over, rest = phases[:OVER_PEG], phases[OVER_PEG:]
    off = rng.uniform([-0.02, -0.02, 0.0], [0.02, 0.02, 0.1])

    def beside(obs: Observation, start: Array) -> Array:
        there: Array = rest[1].target(obs, start) + off
        return there

    return [*over, Phase(beside, over[-1].yaw, CLOSED, int(rng.integers(8, 30)))], lambda obs: rest


def stray(task: str, obs: Observation, rng: np.random.Generator) -> tuple[list[Phase], Recovery]:
    """The hand strays with the object on its way."""
    phases = TASKS[task](obs, rng)
    held, rest = phases[: GRASPED[task]], phases[GRASPED[task] :]
    return [*held, _astray(task, held, rng, rng.uniform(0.0, 1.1))], lambda obs: rest


def lose(task: str, obs: Observation, rng: np.random.Generator) -> tuple[list[Phase], Recovery]:
    """The hand lets go of the object on its way, and goes on without it, closed or open."""
    held = TASKS[task](obs, rng)[: GRASPED[task]]
    wrong = [
        *held,
        _astray(task, held, rng, rng.uniform(0.0, 0.3)),
        Phase(lambda obs, start: start, held[-1].yaw, OPEN, 5),
        _astray(task, held, rng, rng.uniform(0.0, 0.6), rng.choice([OPEN, CLOSED, CLOSED])),
    ]
    return wrong, lambda obs: recover(task, obs, rng)


def knock(task: str, obs: Observation, rng: np.random.Generator) -> tuple[list[Phase], Recovery]:
    """The hand runs into the object from a side, which may topple it."""
    here, angle = obs[OBJECTS[task]], rng.uniform(-np.pi, np.pi)
    side = 0.12 * np.array([np.cos(angle), np.sin(angle), 0.0])
    low, yaw = np.array([0.0, 0.0, rng.uniform(0.03, 0.06)]), rng.uniform(-0.5, 0.5)
    gripper = rng.choice([OPEN, CLOSED])
    wrong = [
        Phase(lambda obs, start: here + side + [0.0, 0.0, 0.15], yaw, gripper, 40, 0.04),
        Phase(lambda obs, start: here + side + low, yaw, gripper, 30, 0.03),
        Phase(lambda obs, start: here - 0.3 * side + low, yaw, gripper, int(rng.integers(8, 25))),
        Phase(lambda obs, start: start, yaw, OPEN, 5),
    ]
    return wrong, lambda obs: recover(task, obs, rng)


def recover(task: str, obs: Observation, rng: np.random.Generator) -> list[Phase]:
    """Solve a task from where the empty hand strayed to: rise, and approach from there.

    Another detour to one of the object's sides would contradict the demonstrations without
    mistakes, which are past theirs when they come by.
    """
    first, *rest = TASKS[task](obs, rng)
    x, y, z = obs["robot0_eef_pos"]
    up = np.array([x, y, max(z, obs[OBJECTS[task]][2] + 0.09)])
    return [Phase(lambda obs, start: up, first.yaw, OPEN, first.limit, first.near, 7.0), *rest]


def _astray(
    task: str,
    held: list[Phase],
    rng: np.random.Generator,
    share: float,
    gripper: float = CLOSED,
) -> Phase:
    """Off the way to the goal, of which a share is behind."""
    aside, goal = rng.uniform([-0.15, -0.15, -0.1], [0.15, 0.15, 0.25]), GOALS[task]

    def target(obs: Observation, start: Array) -> Array:
        there: Array = start + share * (goal - start) * [1, 1, 0] + aside
        return there

    yaw = held[-1].yaw + rng.uniform(-0.5, 0.5)
    return Phase(target, yaw, gripper, int(rng.integers(8, 40)))


MISTAKES = {
    "Lift": (miss,),
    "PickPlaceCan": (miss, stray, lose, knock),
    "NutAssemblySquare": (miss, stray, lose, fumble, fumble, perch, perch),
}
"""Of each task, equally likely; twice what is twice there."""
