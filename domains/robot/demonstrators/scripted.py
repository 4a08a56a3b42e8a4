"""Scripted demonstrators: a way of poses for each task, walked with noise in several manners.

A manner is drawn for each episode: from which side the object is approached, at which of several
equivalent angles it is grasped, which way round it is turned, how unsteady the hand is. The
distribution of actions given an observation therefore has several modes, which is what a
generative policy is for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.robot.envs.robosuite import Observation
from oneleap.domains.robot.envs.rotation import (
    about_z,
    from_quaternion,
    heading,
    to_rotvec,
    wrapped,
)

Array = NDArray[np.float64]

OPEN, CLOSED = -1.0, 1.0
DOWN = np.diag([1.0, -1.0, -1.0])
"""Gripper pointing down, its fingers moving along the world's y."""

TURNED = 1.15
"""Middle of what the wrist can turn to, radians."""

METRES, RADIANS = 0.05, 0.5
"""What an action of 1 asks of the controller ``OSC_POSE``."""

CAN_GOAL = np.array([0.17, 0.36, 0.8])
"""In the can's quarter of the bin, clear of its walls and within the arm's reach."""

PEG = np.array([0.23, 0.1, 0.85])
TURNING = np.array([0.03, 0.11, 1.0])
HANDLE = np.array([0.054, 0.0, 0.0])
"""From the nut's middle to that of its handle, in the nut's frame."""
ALONG = 0.01
"""Metres beyond its middle that the handle may be held; nearer the nut the fingers stay apart."""


@dataclass(frozen=True)
class Phase:
    """Move towards a target until there, or until time is up.

    Attributes:
        target: Of the gripper, metres in the world, (3,), for what is seen and where the gripper
            was when the phase began.
        yaw: Of the gripper about the vertical, radians; turns of more than half a circle are
            taken as such.
        gripper: Open or closed.
        limit: Steps at most.
        near: Metres from the target that count as there; 0 waits the time out.
        turned: Radians likewise.
        noise: Share of the usual noise; precise work is done steadily.
    """

    target: Callable[[Observation, Array], Array]
    yaw: float
    gripper: float
    limit: int
    near: float = 0.0
    turned: float = 0.08
    noise: float = 1.0


class Demonstrator:
    """Solves one episode of one task.

    Args:
        task: Name of the environment, one of :data:`TASKS`.
        obs: First observation.
        rng: Of manner and noise.
        phases: What is done, in place of what solves the task from its beginning.
    """

    def __init__(
        self,
        task: str,
        obs: Observation,
        rng: np.random.Generator,
        phases: list[Phase] | None = None,
    ) -> None:
        self.phases, self.rng = TASKS[task](obs, rng) if phases is None else phases, rng
        self.unsteadiness = rng.uniform(0.0, 0.15)
        self.tremor = np.zeros(6)
        self.index, self.age = 0, 0
        self.start = obs["robot0_eef_pos"].copy()
        self.yaw = _turned(obs)

    @property
    def over(self) -> bool:
        """Whether the last phase is through."""
        return self.index >= len(self.phases)

    def act(self, obs: Observation) -> Array:
        """Offset of pose and gripper, (7,), within [-1, 1]."""
        phase = self.phases[min(self.index, len(self.phases) - 1)]
        if self.age == 0:
            self.start = obs["robot0_eef_pos"].copy()
        away = phase.target(obs, self.start) - obs["robot0_eef_pos"]
        turn = self._turn(obs, phase.yaw)
        there = np.linalg.norm(away) < phase.near and np.linalg.norm(turn) < phase.turned
        self.age += 1
        if there or self.age >= phase.limit:
            self.index, self.age = self.index + 1, 0
        careful = phase.noise * (0.4 if 0 < phase.near < 0.01 else 1.0)
        steps = np.concatenate(
            [np.clip(1.5 * away / METRES, -1, 1), np.clip(turn / RADIANS, -1, 1)]
        )
        return np.clip(np.append(steps + careful * self._noise(), phase.gripper), -1, 1)

    def _turn(self, obs: Observation, yaw: float) -> Array:
        """Rotation vector that leads to the yaw, the long way round if the yaw says so."""
        now = from_quaternion(obs["robot0_eef_quat"])
        self.yaw += wrapped(heading(now) - self.yaw)
        if abs(yaw - self.yaw) > 2.0:
            return np.array([0.0, 0.0, 1.5 * np.sign(yaw - self.yaw)])
        return to_rotvec(about_z(yaw) @ DOWN @ now.T)

    def _noise(self) -> Array:
        """An Ornstein-Uhlenbeck process: errors last some steps, and are then made good."""
        self.tremor = 0.8 * self.tremor + 0.6 * self.unsteadiness * self.rng.standard_normal(6)
        noise: Array = self.tremor * np.array([1, 1, 1, 0.3, 0.3, 0.3])
        return noise


def _turned(obs: Observation) -> float:
    """Yaw of the gripper; the wrist turns from -1.7 to 4, which says which turn it is on."""
    return wrapped(heading(from_quaternion(obs["robot0_eef_quat"])) - TURNED) + TURNED


def _aside(rng: np.random.Generator, metres: float, low: float, high: float) -> Array:
    """A point beside and above the object, on one of its sides."""
    angle = rng.integers(4) * pi / 2 + rng.uniform(-0.3, 0.3)
    return np.array([metres * np.cos(angle), metres * np.sin(angle), rng.uniform(low, high)])


def _hold(obs: Observation, start: Array) -> Array:
    return start


def _above(metres: float) -> Callable[[Observation, Array], Array]:
    """So far above where the phase began."""
    return lambda obs, start: start + np.array([0, 0, metres])


def _by(key: str, offset: Array) -> Callable[[Observation, Array], Array]:
    """Beside an object, wherever it is by now."""
    return lambda obs, start: obs[key] + offset


def _onto(
    place: Callable[[Observation], Array], low: float, in_line: float, slope: float, most: float
) -> Callable[[Observation, Array], Array]:
    """Down to an object, as far as the hand is in line with it.

    Who sees the hand beside the object, and nothing of before, knows that it must rise.

    Args:
        place: Of the object, (3,).
        low: Height above it to end at, metres.
        in_line: Metres aside that do no harm.
        slope: Metres to stay higher for each further metre aside.
        most: Metres to stay higher at most.
    """

    def target(obs: Observation, start: Array) -> Array:
        there = place(obs)
        aside = float(np.linalg.norm((there - obs["robot0_eef_pos"])[:2]))
        up: Array = np.array([0, 0, low + min(most, slope * max(0.0, aside - in_line))])
        return there + up

    return target


def _either(yaws: Array, now: float, rng: np.random.Generator, sharp: float = 1.0) -> float:
    """One of several angles that serve as well; the sharper, the rather the nearest one."""
    ease = np.exp(-sharp * np.abs(yaws - now))
    return float(rng.choice(yaws, p=ease / ease.sum()))


def lift(obs: Observation, rng: np.random.Generator) -> list[Phase]:
    """Grasp the cube at either pair of its faces, and lift it."""
    face = wrapped(heading(from_quaternion(obs["cube_quat"])), pi / 2)
    faces = np.array([face, face - np.copysign(pi / 2, face)])
    yaw = _either(faces, _turned(obs), rng)
    aside = _aside(rng, 0.05, 0.06, 0.09)
    return [
        Phase(_by("cube_pos", aside), yaw, OPEN, 40, 0.02),
        Phase(_by("cube_pos", np.array([0, 0, 0.035])), yaw, OPEN, 40, 0.015),
        Phase(_by("cube_pos", np.array([0, 0, -0.003])), yaw, OPEN, 40, 0.008),
        Phase(_hold, yaw, CLOSED, 6),
        Phase(_above(0.12), yaw, CLOSED, 40, 0.01),
    ]


def can(obs: Observation, rng: np.random.Generator) -> list[Phase]:
    """Grasp the can from above at one of three angles, and put it into its quarter of the bin.

    A can that lies is grasped across its length, either way round.
    """
    yaws, low = np.array([-pi / 4, 0.0, pi / 4]), 0.01
    axis = from_quaternion(obs["Can_quat"])[:, 2]
    if abs(axis[2]) < 0.7:
        along = wrapped(float(np.arctan2(axis[1], axis[0])), pi)
        yaws = np.array([along - pi, along, along + pi])
        yaws, low = yaws[(yaws > -1.7) & (yaws < 4.0)], -0.005  # above its middle it slips away
    yaw = _either(yaws, _turned(obs), rng) + rng.uniform(-0.2, 0.2)
    aside = _aside(rng, 0.04, 0.10, 0.13)
    goal = CAN_GOAL + np.append(rng.uniform(-0.01, 0.01, 2), 0.0)
    return [
        Phase(_by("Can_pos", aside), yaw, OPEN, 60, 0.025),
        # The fingers are past the can's top at 0.07: whoever comes from the side knocks it over.
        Phase(_by("Can_pos", np.array([0, 0, 0.09])), yaw, OPEN, 40, 0.015),
        Phase(_onto(lambda obs: obs["Can_pos"], low, 0.007, 8.0, 0.08), yaw, OPEN, 60, 0.008),
        Phase(_hold, yaw, CLOSED, 6),
        Phase(_above(0.2), yaw, CLOSED, 60, 0.05),
        Phase(lambda obs, start: goal + np.array([0, 0, 0.25]), yaw, CLOSED, 80, 0.03),
        Phase(_onto(lambda obs: goal, 0.13, 0.015, 3.0, 0.12), yaw, CLOSED, 60, 0.02),
        Phase(_hold, yaw, OPEN, 4),
        Phase(_above(0.1), yaw, OPEN, 30, 0.02),
    ]


def square(obs: Observation, rng: np.random.Generator) -> list[Phase]:
    """Grasp the nut by its handle, turn the handle towards the robot, put the nut over the peg.

    The hand may hold the handle either way round. The wrist turns from -1.7 to 4 and no further,
    and the peg is at the limit of the arm's reach: the handle must point back, and turning is
    done half-way there.
    """
    nut = heading(from_quaternion(obs["SquareNut_quat"]))
    ways = [
        (start + turns * 2 * pi, end)
        for start, end in ((nut + pi, 0.0), (nut, pi))
        for turns in (-2, -1, 0, 1)
        if -1.7 < start + turns * 2 * pi < 4.0
    ]
    least = min(abs(end - start) for start, end in ways)
    ways = [(start, end) for start, end in ways if abs(end - start) < least + 1.0]
    # Half a turn lies between the two: whoever wavers between them gets nowhere.
    yaw = _either(np.array([start for start, _ in ways]), _turned(obs), rng, sharp=4.0)
    end = dict(ways)[yaw]
    aside = _aside(rng, 0.04, 0.08, 0.11)

    def handle(obs: Observation) -> Array:
        """Where it is nearest to the hand, of what may be held."""
        lies = from_quaternion(obs["SquareNut_quat"])
        middle = obs["SquareNut_pos"] + lies @ HANDLE
        away = float((obs["robot0_eef_pos"] - middle) @ lies[:, 0])
        there: Array = middle + np.clip(away, 0.0, ALONG) * lies[:, 0]
        return there

    def beside(metres: Array) -> Callable[[Observation, Array], Array]:
        return lambda obs, start: handle(obs) + metres

    def half_way(obs: Observation, start: Array) -> Array:
        """Only to turn: once turned, going there would contradict those on their way on."""
        now = heading(from_quaternion(obs["robot0_eef_quat"]))
        there: Array = obs["robot0_eef_pos"] if abs(wrapped(end - now)) < 0.3 else TURNING
        return there

    def over_peg(height: float) -> Callable[[Observation, Array], Array]:
        def target(obs: Observation, start: Array) -> Array:
            lead = (obs["robot0_eef_pos"] - obs["SquareNut_pos"])[:2]
            return np.append(PEG[:2] + lead, height)

        return target

    return [
        Phase(beside(aside), yaw, OPEN, 60, 0.025),
        Phase(beside(np.array([0, 0, 0.04])), yaw, OPEN, 40, 0.015),
        Phase(_onto(handle, -0.003, 0.008, 2.0, 0.06), yaw, OPEN, 60, 0.008, noise=0.5),
        Phase(_hold, yaw, CLOSED, 10),  # a hasty lift loses the nut
        Phase(_above(0.03), yaw, CLOSED, 20, 0.015),
        Phase(_above(0.1), yaw, CLOSED, 60, 0.04),
        Phase(half_way, end, CLOSED, 80, 0.05, 0.3),
        Phase(over_peg(1.02), end, CLOSED, 80, 0.03),
        Phase(over_peg(1.0), end, CLOSED, 80, 0.004, noise=0.5),
        Phase(over_peg(0.87), end, CLOSED, 40, 0.03, noise=0.2),
        Phase(_hold, end, OPEN, 4),
        Phase(_above(0.1), end, OPEN, 30, 0.02),
    ]


TASKS = {"Lift": lift, "PickPlaceCan": can, "NutAssemblySquare": square}
"""Who can demonstrate what."""

OBJECTS = {"Lift": "cube_pos", "PickPlaceCan": "Can_pos", "NutAssemblySquare": "SquareNut_pos"}
"""Key of the place of what is grasped."""

ABOVE = 2
"""After so many phases the open hand is above the object, ready to come down on it."""

GRASPED = {"PickPlaceCan": 5, "NutAssemblySquare": 6}
"""After so many phases the object is held and up, with a way still to go."""

GOALS = {"PickPlaceCan": CAN_GOAL, "NutAssemblySquare": PEG - HANDLE}
"""Where the hand goes with it, metres; the height is another."""
