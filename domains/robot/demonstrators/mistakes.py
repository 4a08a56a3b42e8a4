"""Mistakes that precede a demonstration, and recoveries from them.

A demonstration that begins after a mistake shows how to recover from it. The mistake itself is not
recorded, so no demonstration shows how to make one.
"""

from collections.abc import Callable

import numpy as np

from oneleap.domains.robot.demonstrators.phases import CLOSED, OPEN, Array, Phase, hold
from oneleap.domains.robot.demonstrators.scripted import (
    GOALS,
    N_APPROACH,
    N_GRASP,
    OBJECT_KEYS,
    PLANS,
)
from oneleap.domains.robot.envs.robosuite import Observation

EMPTY_GRIP = 0.005
"""Distance of a finger from the center below which the closed gripper holds nothing, meters."""

N_OVER_PEG = 8
"""Number of phases after which the nut is over the peg but not yet aligned."""

Recovery = Callable[[Observation], list[Phase]]
"""Plans phases that solve the task from the observation after a mistake."""


def sample_mistake(
    task: str, obs: Observation, rng: np.random.Generator
) -> tuple[list[Phase], Recovery]:
    """Draw one of a task's mistakes.

    Args:
        task: Name of the environment.
        obs: First observation of the episode.
        rng: Generator of all draws.

    Returns:
        The phases that make the mistake, and the recovery from it.
    """
    mistakes = MISTAKES[task]
    return mistakes[rng.integers(len(mistakes))](task, obs, rng)


def miss_grasp(
    task: str, obs: Observation, rng: np.random.Generator
) -> tuple[list[Phase], Recovery]:
    """Move the empty gripper, open or closed, to a place near the object."""
    where = np.array([*rng.uniform(-0.15, 0.15, 2), rng.uniform(0.0, 0.22)])
    if task in N_GRASP:  # these grasps need more precision, so the mistakes are closer
        where *= rng.uniform(0.2, 1.0)
    target = obs[OBJECT_KEYS[task]] + where
    yaw, gripper = rng.uniform(-1.2, 1.2), rng.choice([OPEN, CLOSED])
    wrong = Phase(lambda obs, start: target, yaw, gripper, int(rng.integers(8, 30)))
    return [wrong], lambda obs: plan_from_here(task, obs, rng)


def grasp_badly(
    task: str, obs: Observation, rng: np.random.Generator
) -> tuple[list[Phase], Recovery]:
    """Descend beside the object at a wrong yaw, close too soon, and sometimes rise."""
    phases = PLANS[task](obs, rng)
    approach, rest = phases[:N_APPROACH], phases[N_APPROACH:]
    lifting = phases[N_GRASP[task] - 2 :]
    offset = rng.uniform([-0.025, -0.025, -0.045], [0.025, 0.025, -0.02])
    yaw = rest[0].yaw + rng.uniform(-0.7, 0.7)

    def beside(obs: Observation, start: Array) -> Array:
        target: Array = approach[-1].target(obs, start) + offset
        return target

    wrong = [
        *approach,
        Phase(beside, yaw, OPEN, int(rng.integers(6, 15))),
        Phase(hold, yaw, CLOSED, int(rng.integers(1, 14))),
    ]
    if rng.random() < 0.5:
        up = np.array([0.0, 0.0, rng.uniform(0.02, 0.1)])
        wrong += [
            Phase(hold, yaw, CLOSED, 10),
            Phase(lambda obs, start: start + up, yaw, CLOSED, int(rng.integers(4, 15))),
        ]

    def recovery(obs: Observation) -> list[Phase]:
        holds_something = obs["robot0_gripper_qpos"][0] > EMPTY_GRIP
        return lifting if holds_something and len(wrong) > N_APPROACH + 2 else rest

    return wrong, recovery


def lower_beside_peg(
    task: str, obs: Observation, rng: np.random.Generator
) -> tuple[list[Phase], Recovery]:
    """Lower the nut beside the peg, so that it rests on top of it."""
    phases = PLANS[task](obs, rng)
    before, rest = phases[:N_OVER_PEG], phases[N_OVER_PEG:]
    offset = rng.uniform([-0.02, -0.02, 0.0], [0.02, 0.02, 0.1])

    def beside(obs: Observation, start: Array) -> Array:
        target: Array = rest[1].target(obs, start) + offset
        return target

    wrong = Phase(beside, before[-1].yaw, CLOSED, int(rng.integers(8, 30)))
    return [*before, wrong], lambda obs: rest


def carry_off_course(
    task: str, obs: Observation, rng: np.random.Generator
) -> tuple[list[Phase], Recovery]:
    """Leave the way to the goal while carrying the object."""
    phases = PLANS[task](obs, rng)
    grasp, rest = phases[: N_GRASP[task]], phases[N_GRASP[task] :]
    return [*grasp, _off_course(task, grasp, rng, rng.uniform(0.0, 1.1))], lambda obs: rest


def drop_object(
    task: str, obs: Observation, rng: np.random.Generator
) -> tuple[list[Phase], Recovery]:
    """Drop the object on the way and move on without it, with the gripper closed or open."""
    grasp = PLANS[task](obs, rng)[: N_GRASP[task]]
    wrong = [
        *grasp,
        _off_course(task, grasp, rng, rng.uniform(0.0, 0.3)),
        Phase(hold, grasp[-1].yaw, OPEN, 5),
        _off_course(task, grasp, rng, rng.uniform(0.0, 0.6), rng.choice([OPEN, CLOSED, CLOSED])),
    ]
    return wrong, lambda obs: plan_from_here(task, obs, rng)


def knock_object(
    task: str, obs: Observation, rng: np.random.Generator
) -> tuple[list[Phase], Recovery]:
    """Run into the object from one side, which may topple it."""
    position, angle = obs[OBJECT_KEYS[task]], rng.uniform(-np.pi, np.pi)
    side = 0.12 * np.array([np.cos(angle), np.sin(angle), 0.0])
    low, yaw = np.array([0.0, 0.0, rng.uniform(0.03, 0.06)]), rng.uniform(-0.5, 0.5)
    gripper, through = rng.choice([OPEN, CLOSED]), position - 0.3 * side + low
    wrong = [
        Phase(lambda obs, start: position + side + [0.0, 0.0, 0.15], yaw, gripper, 40, 0.04),
        Phase(lambda obs, start: position + side + low, yaw, gripper, 30, 0.03),
        Phase(lambda obs, start: through, yaw, gripper, int(rng.integers(8, 25))),
        Phase(hold, yaw, OPEN, 5),
    ]
    return wrong, lambda obs: plan_from_here(task, obs, rng)


def plan_from_here(task: str, obs: Observation, rng: np.random.Generator) -> list[Phase]:
    """Plan the solution of a task from wherever the empty gripper is: rise, then approach.

    The usual first phase, a detour to one side of the object, is left out. It would contradict
    demonstrations without mistakes, which have completed theirs when they pass the same place.
    """
    first, *rest = PLANS[task](obs, rng)
    x, y, z = obs["robot0_eef_pos"]
    up = np.array([x, y, max(z, obs[OBJECT_KEYS[task]][2] + 0.09)])
    rise = Phase(
        lambda obs, start: up, first.yaw, OPEN, first.max_steps, first.position_tolerance, 7.0
    )
    return [rise, *rest]


def _off_course(
    task: str,
    grasp: list[Phase],
    rng: np.random.Generator,
    progress: float,
    gripper: float = CLOSED,
) -> Phase:
    """Move to a place off the way to the goal.

    Args:
        task: Name of the environment.
        grasp: Phases that grasp the object.
        rng: Generator.
        progress: Share of the way to the goal that is covered.
        gripper: Command of the gripper.
    """
    offset, goal = rng.uniform([-0.15, -0.15, -0.1], [0.15, 0.15, 0.25]), GOALS[task]

    def target(obs: Observation, start: Array) -> Array:
        position: Array = start + progress * (goal - start) * [1, 1, 0] + offset
        return position

    yaw = grasp[-1].yaw + rng.uniform(-0.5, 0.5)
    return Phase(target, yaw, gripper, int(rng.integers(8, 40)))


MISTAKES = {
    "Lift": (miss_grasp,),
    "PickPlaceCan": (miss_grasp, carry_off_course, drop_object, knock_object),
    "NutAssemblySquare": (
        *(miss_grasp, carry_off_course, drop_object),
        *(grasp_badly, grasp_badly, lower_beside_peg, lower_beside_peg),
    ),
}
"""Mistakes of each task, drawn uniformly; repeated ones are twice as likely."""
