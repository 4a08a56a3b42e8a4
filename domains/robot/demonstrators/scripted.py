"""Scripts of the tasks: the phases that solve each of them, in several manners.

The manner is drawn for each episode: the side from which the object is approached, the yaw of the
grasp among equivalent ones, the direction in which the wrist turns, and the noise. The distribution
of actions given an observation therefore has several modes, which a generative policy must model.
"""

from math import pi

import numpy as np
from scipy.spatial.transform import Rotation

from oneleap.domains.robot.demonstrators.phases import (
    CLOSED,
    OPEN,
    Array,
    Phase,
    Target,
    above_start,
    descend_onto,
    gripper_yaw,
    hold,
    near_object,
)
from oneleap.domains.robot.envs.robosuite import Observation
from oneleap.domains.robot.envs.rotation import wrap_angle, yaw_of

CAN_GOAL = np.array([0.17, 0.36, 0.8])
"""Position in the can's compartment, clear of its walls and within reach, meters."""

PEG = np.array([0.23, 0.1, 0.85])
"""Position of the square peg, meters."""

TURNING_POINT = np.array([0.03, 0.11, 1.0])
"""Position at which the wrist turns the nut, meters."""

HANDLE = np.array([0.054, 0.0, 0.0])
"""Offset of the handle's center from the nut's center in the nut's frame, meters."""

HANDLE_REACH = 0.01
"""Largest distance beyond the handle's center at which it may be grasped, meters.

Nearer to the nut, the nut's width keeps the fingers apart.
"""

MIN_YAW, MAX_YAW = -1.7, 4.0
"""Range of the wrist's yaw, radians."""


def plan_lift(obs: Observation, rng: np.random.Generator) -> list[Phase]:
    """Grasp the cube at either pair of its faces and lift it."""
    face = wrap_angle(yaw_of(Rotation.from_quat(obs["cube_quat"])), pi / 2)
    faces = np.array([face, face - np.copysign(pi / 2, face)])
    yaw = _choose_yaw(faces, gripper_yaw(obs), rng)
    beside = _offset_beside(rng, 0.05, 0.06, 0.09)
    return [
        Phase(near_object("cube_pos", beside), yaw, OPEN, 40, 0.02),
        Phase(near_object("cube_pos", np.array([0, 0, 0.035])), yaw, OPEN, 40, 0.015),
        Phase(near_object("cube_pos", np.array([0, 0, -0.003])), yaw, OPEN, 40, 0.008),
        Phase(hold, yaw, CLOSED, 6),
        Phase(above_start(0.12), yaw, CLOSED, 40, 0.01),
    ]


def plan_can(obs: Observation, rng: np.random.Generator) -> list[Phase]:
    """Grasp the can from above at one of three yaws and put it into its compartment.

    A can that lies on its side is grasped across its length, in either direction.
    """
    yaws, low = np.array([-pi / 4, 0.0, pi / 4]), 0.01
    axis = Rotation.from_quat(obs["Can_quat"]).as_matrix()[:, 2]
    if abs(axis[2]) < 0.7:
        along = wrap_angle(float(np.arctan2(axis[1], axis[0])), pi)
        yaws = np.array([along - pi, along, along + pi])
        yaws = yaws[(yaws > MIN_YAW) & (yaws < MAX_YAW)]
        low = -0.005  # a grasp above the center slips
    yaw = _choose_yaw(yaws, gripper_yaw(obs), rng) + rng.uniform(-0.2, 0.2)
    beside = _offset_beside(rng, 0.04, 0.10, 0.13)
    goal = CAN_GOAL + np.append(rng.uniform(-0.01, 0.01, 2), 0.0)
    onto_can = descend_onto(lambda obs: obs["Can_pos"], low, 0.007, 8.0, 0.08)
    return [
        Phase(near_object("Can_pos", beside), yaw, OPEN, 60, 0.025),
        # At 0.07 the fingers are below the can's top: an approach from the side knocks it over.
        Phase(near_object("Can_pos", np.array([0, 0, 0.09])), yaw, OPEN, 40, 0.015),
        Phase(onto_can, yaw, OPEN, 60, 0.008),
        Phase(hold, yaw, CLOSED, 6),
        Phase(above_start(0.2), yaw, CLOSED, 60, 0.05),
        Phase(lambda obs, start: goal + np.array([0, 0, 0.25]), yaw, CLOSED, 80, 0.03),
        Phase(descend_onto(lambda obs: goal, 0.13, 0.015, 3.0, 0.12), yaw, CLOSED, 60, 0.02),
        Phase(hold, yaw, OPEN, 4),
        Phase(above_start(0.1), yaw, OPEN, 30, 0.02),
    ]


def plan_square(obs: Observation, rng: np.random.Generator) -> list[Phase]:
    """Grasp the nut by its handle, turn the handle towards the robot, put the nut over the peg.

    The gripper may hold the handle in either direction. The peg is at the limit of the arm's reach,
    so the handle must point back to the robot; the wrist turns it on the way, at
    :data:`TURNING_POINT`.
    """
    grasps = _square_grasps(yaw_of(Rotation.from_quat(obs["SquareNut_quat"])))
    # The two grasps are half a turn apart: a policy that wavers between them fails.
    yaw = _choose_yaw(np.array([*grasps]), gripper_yaw(obs), rng, sharpness=4.0)
    end = grasps[yaw]
    beside = _offset_beside(rng, 0.04, 0.08, 0.11)
    return [
        Phase(_near_handle(beside), yaw, OPEN, 60, 0.025),
        Phase(_near_handle(np.array([0, 0, 0.04])), yaw, OPEN, 40, 0.015),
        Phase(
            descend_onto(_handle, -0.003, 0.008, 2.0, 0.06), yaw, OPEN, 60, 0.008, noise_scale=0.5
        ),
        Phase(hold, yaw, CLOSED, 10),  # if it lifts too soon, the nut is lost
        Phase(above_start(0.03), yaw, CLOSED, 20, 0.015),
        Phase(above_start(0.1), yaw, CLOSED, 60, 0.04),
        Phase(_turn_on_the_way(end), end, CLOSED, 80, 0.05, 0.3),
        Phase(_over_peg(1.02), end, CLOSED, 80, 0.03),
        Phase(_over_peg(1.0), end, CLOSED, 80, 0.004, noise_scale=0.5),
        Phase(_over_peg(0.87), end, CLOSED, 40, 0.03, noise_scale=0.2),
        Phase(hold, end, OPEN, 4),
        Phase(above_start(0.1), end, OPEN, 30, 0.02),
    ]


def _square_grasps(nut: float) -> dict[float, float]:
    """Map possible yaws of the grasp to the yaw over the peg, for a nut's yaw; radians.

    Grasps that need almost a turn more than the best one are left out.
    """
    grasps = [
        (start + turns * 2 * pi, end)
        for start, end in ((nut + pi, 0.0), (nut, pi))
        for turns in (-2, -1, 0, 1)
        if MIN_YAW < start + turns * 2 * pi < MAX_YAW
    ]
    least = min(abs(end - start) for start, end in grasps)
    return {start: end for start, end in grasps if abs(end - start) < least + 1.0}


def _handle(obs: Observation) -> Array:
    """Return the point of the handle's graspable part that is nearest to the gripper."""
    nut = Rotation.from_quat(obs["SquareNut_quat"]).as_matrix()
    center = obs["SquareNut_pos"] + nut @ HANDLE
    distance = float((obs["robot0_eef_pos"] - center) @ nut[:, 0])
    nearest: Array = center + np.clip(distance, 0.0, HANDLE_REACH) * nut[:, 0]
    return nearest


def _near_handle(offset: Array) -> Target:
    return lambda obs, start: _handle(obs) + offset


def _turn_on_the_way(yaw: float) -> Target:
    """Go to the turning point until the gripper has nearly the given yaw, then stay.

    Going there with the yaw already reached would contradict demonstrations that move on.
    """

    def target(obs: Observation, start: Array) -> Array:
        current = yaw_of(Rotation.from_quat(obs["robot0_eef_quat"]))
        turned = abs(wrap_angle(yaw - current)) < 0.3
        position: Array = obs["robot0_eef_pos"] if turned else TURNING_POINT
        return position

    return target


def _over_peg(height: float) -> Target:
    """Hold the nut above the peg, with the gripper at the given height, meters."""

    def target(obs: Observation, start: Array) -> Array:
        gripper_from_nut = (obs["robot0_eef_pos"] - obs["SquareNut_pos"])[:2]
        return np.append(PEG[:2] + gripper_from_nut, height)

    return target


def _offset_beside(rng: np.random.Generator, distance: float, low: float, high: float) -> Array:
    """Draw an offset to one of the four sides of an object.

    Args:
        rng: Generator.
        distance: Horizontal distance, meters.
        low: Least height, meters.
        high: Greatest height, meters.
    """
    angle = rng.integers(4) * pi / 2 + rng.uniform(-0.3, 0.3)
    return np.array([distance * np.cos(angle), distance * np.sin(angle), rng.uniform(low, high)])


def _choose_yaw(
    yaws: Array, current: float, rng: np.random.Generator, sharpness: float = 1.0
) -> float:
    """Draw one of several equivalent yaws; nearer ones are likelier, the more so the sharper."""
    weights = np.exp(-sharpness * np.abs(yaws - current))
    return float(rng.choice(yaws, p=weights / weights.sum()))


PLANS = {"Lift": plan_lift, "PickPlaceCan": plan_can, "NutAssemblySquare": plan_square}
"""Script of each task."""

OBJECT_KEYS = {"Lift": "cube_pos", "PickPlaceCan": "Can_pos", "NutAssemblySquare": "SquareNut_pos"}
"""Key of the position of the object to grasp."""

N_APPROACH = 2
"""Number of phases after which the open gripper is above the object."""

N_GRASP = {"PickPlaceCan": 5, "NutAssemblySquare": 6}
"""Number of phases after which the object is grasped and lifted, with some way still to go."""

GOALS = {"PickPlaceCan": CAN_GOAL, "NutAssemblySquare": PEG - HANDLE}
"""Position to which the gripper carries the object, meters; only x and y count."""
