"""Phases of a motion, and the demonstrator that carries them out with noise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from oneleap.domains.robot.envs.robosuite import Observation
from oneleap.domains.robot.envs.rotation import wrap_angle, yaw_of

Array = NDArray[np.float64]

Target = Callable[[Observation, Array], Array]
"""Target position of the gripper in the world frame, meters, (3,).

It is a function of the current observation and of the gripper's position at the start of the phase.
"""

OPEN, CLOSED = -1.0, 1.0
"""Commands of the gripper."""

DOWN = Rotation.from_quat([1.0, 0.0, 0.0, 0.0])
"""Gripper that points down, with fingers that move along the world's y axis."""

WRIST_CENTER = 1.15
"""Center of the wrist's range of yaw, which is -1.7 to 4 radians."""

MAX_STEP_M, MAX_STEP_RAD = 0.05, 0.5
"""Motion that an action of 1 requests from the controller ``OSC_POSE``."""


@dataclass(frozen=True)
class Phase:
    """Motion of the gripper towards a target, until it is reached or time is up.

    Attributes:
        target: Target position.
        yaw: Target yaw of the gripper about the vertical, radians. Values that differ by whole
            turns are different targets: the wrist turns the long way if they say so.
        gripper: Command of the gripper, :data:`OPEN` or :data:`CLOSED`.
        max_steps: Number of steps at most.
        position_tolerance: Distance at which the target is reached, meters; with 0 the phase lasts
            ``max_steps``.
        rotation_tolerance: Angle at which the target is reached, radians.
        noise_scale: Factor on the demonstrator's noise; precise phases have less.
    """

    target: Target
    yaw: float
    gripper: float
    max_steps: int
    position_tolerance: float = 0.0
    rotation_tolerance: float = 0.08
    noise_scale: float = 1.0


class Demonstrator:
    """Carries out phases, one after the other.

    Args:
        phases: Phases in order.
        obs: First observation.
        rng: Generator of the noise.
    """

    def __init__(self, phases: list[Phase], obs: Observation, rng: np.random.Generator) -> None:
        self.phases, self.rng = phases, rng
        self.noise_std = rng.uniform(0.0, 0.15)
        self.noise = np.zeros(6)
        self.index, self.steps_in_phase = 0, 0
        self.start = obs["robot0_eef_pos"].copy()
        self.yaw = gripper_yaw(obs)

    @property
    def done(self) -> bool:
        """Whether the last phase has ended."""
        return self.index >= len(self.phases)

    def act(self, obs: Observation) -> Array:
        """Return the next action: an offset of the pose and the gripper, (7,), in [-1, 1]."""
        phase = self.phases[min(self.index, len(self.phases) - 1)]
        if self.steps_in_phase == 0:
            self.start = obs["robot0_eef_pos"].copy()
        offset = phase.target(obs, self.start) - obs["robot0_eef_pos"]
        turn = self._turn(obs, phase.yaw)
        reached = (
            np.linalg.norm(offset) < phase.position_tolerance
            and np.linalg.norm(turn) < phase.rotation_tolerance
        )
        self.steps_in_phase += 1
        if reached or self.steps_in_phase >= phase.max_steps:
            self.index, self.steps_in_phase = self.index + 1, 0
        scale = phase.noise_scale * (0.4 if 0 < phase.position_tolerance < 0.01 else 1.0)
        motion = np.concatenate(
            [np.clip(1.5 * offset / MAX_STEP_M, -1, 1), np.clip(turn / MAX_STEP_RAD, -1, 1)]
        )
        action = np.append(motion + scale * self._next_noise(), phase.gripper)
        clipped: Array = np.clip(action, -1, 1)
        return clipped

    def _turn(self, obs: Observation, yaw: float) -> Array:
        """Return the rotation vector that leads to a yaw, the long way round if it says so."""
        current = Rotation.from_quat(obs["robot0_eef_quat"])
        self.yaw += wrap_angle(yaw_of(current) - self.yaw)
        if abs(yaw - self.yaw) > 2.0:
            return np.array([0.0, 0.0, 1.5 * np.sign(yaw - self.yaw)])
        turn: Array = (Rotation.from_euler("z", yaw) * DOWN * current.inv()).as_rotvec()
        return turn

    def _next_noise(self) -> Array:
        """Advance an Ornstein-Uhlenbeck process: errors persist for some steps and then decay."""
        self.noise = 0.8 * self.noise + 0.6 * self.noise_std * self.rng.standard_normal(6)
        scaled: Array = self.noise * np.array([1, 1, 1, 0.3, 0.3, 0.3])
        return scaled


def gripper_yaw(obs: Observation) -> float:
    """Return the yaw of the gripper within the wrist's range, which resolves whole turns."""
    yaw = yaw_of(Rotation.from_quat(obs["robot0_eef_quat"]))
    return wrap_angle(yaw - WRIST_CENTER) + WRIST_CENTER


def hold(obs: Observation, start: Array) -> Array:
    """Stay where the phase began."""
    return start


def above_start(height: float) -> Target:
    """Go to a height above where the phase began, meters."""
    return lambda obs, start: start + np.array([0, 0, height])


def near_object(key: str, offset: Array) -> Target:
    """Go to an offset from an object's current position.

    Args:
        key: Key of the object's position.
        offset: Offset in the world frame, meters, (3,).
    """
    return lambda obs, start: obs[key] + offset


def descend_onto(
    place: Callable[[Observation], Array],
    height: float,
    tolerance: float,
    slope: float,
    max_extra: float,
) -> Target:
    """Descend onto a place, but stay higher while the gripper is not above it.

    The target depends on the observation alone, so a policy without memory can learn that it must
    rise when it is beside the object.

    Args:
        place: Position of the place, meters, (3,).
        height: Final height above the place, meters.
        tolerance: Horizontal distance that needs no extra height, meters.
        slope: Extra height per further horizontal distance.
        max_extra: Largest extra height, meters.
    """

    def target(obs: Observation, start: Array) -> Array:
        position = place(obs)
        distance = float(np.linalg.norm((position - obs["robot0_eef_pos"])[:2]))
        extra = min(max_extra, slope * max(0.0, distance - tolerance))
        up: Array = np.array([0, 0, height + extra])
        return position + up

    return target
