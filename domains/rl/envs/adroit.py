"""Adroit's rewards as D4RL pays them, whichever way the installed gymnasium-robotics does.

D4RL's Door, Hammer and Relocate pay ``-0.1 |palm - object|`` for reaching. gymnasium-robotics up to
1.4 pays ``+0.1 |palm - object|``; a later release may have mended that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, SupportsFloat

import gymnasium
import numpy as np

if TYPE_CHECKING:
    Env = gymnasium.Env[Any, Any]

WEIGHT = 0.1
"""Weight of the distance in the reward."""

TOLERANCE = 1e-6
"""Largest rounding error of a reward that is summed in another order."""

MODULE = "gymnasium_robotics."
"""Package whose rewards are mended; environments of others are left alone."""


@dataclass(frozen=True)
class Parts:
    """The reward of one task, without and with its distance.

    Attributes:
        distance: Distance from the palm to the object in meters, for the unwrapped environment.
        rest: All other parts of the reward.
    """

    distance: Callable[[Any], float]
    rest: Callable[[Any], float]


def _norm(vector: Any) -> float:
    return float(np.linalg.norm(vector))


def _door_rest(env: Any) -> float:
    angle = float(env.data.qpos[env.door_hinge_addrs])
    bonus = 2 * (angle > 0.2) + 8 * (angle > 1.0) + 10 * (angle > 1.35)
    return bonus - 0.1 * (angle - 1.57) ** 2 - 1e-5 * float(np.square(env.data.qvel).sum())


def _hammer_rest(env: Any) -> float:
    site, hammer = env.data.site_xpos, env.data.xpos[env.obj_body_id]
    head, nail = site[env.tool_site_id], site[env.target_obj_site_id]
    depth = _norm(nail - site[env.goal_site_id])
    lifted = bool(hammer[2] > 0.04 and head[2] > 0.04)
    bonus = 2 * lifted + 25 * (depth < 0.02) + 75 * (depth < 0.01)
    return bonus - _norm(head - nail) - 10 * depth - 1e-2 * _norm(env.data.qvel)


def _relocate_rest(env: Any) -> float:
    ball, site = env.data.xpos[env.obj_body_id], env.data.site_xpos
    target, away = site[env.target_obj_site_id], 0.0
    if ball[2] > 0.04:
        palm = site[env.S_grasp_site_id]
        away = 1 - 0.5 * _norm(palm - target) - 0.5 * _norm(ball - target)
    left = _norm(ball - target)
    return away + 10 * (left < 0.1) + 20 * (left < 0.05)


def _handle_distance(env: Any) -> float:
    return _norm(env.data.site_xpos[env.grasp_site_id] - env.data.site_xpos[env.handle_site_id])


def _object_distance(env: Any) -> float:
    return _norm(env.data.site_xpos[env.S_grasp_site_id] - env.data.xpos[env.obj_body_id])


PARTS = {
    "AdroitHandDoorEnv": Parts(_handle_distance, _door_rest),
    "AdroitHandHammerEnv": Parts(_object_distance, _hammer_rest),
    "AdroitHandRelocateEnv": Parts(_object_distance, _relocate_rest),
}
"""Parts of the rewards by the class of the environment."""


class D4RLDistance(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Pays for the distance to the object as D4RL does.

    The first reward whose distance is not zero tells the sign of the environment: it equals one of
    the two sums of its parts. If it equals neither, the rewards were changed in other ways, and
    they stay as they are.

    Args:
        env: Door, Hammer or Relocate of gymnasium-robotics, with dense rewards.
        parts: Parts of its reward.
    """

    def __init__(self, env: "Env", parts: Parts) -> None:
        super().__init__(env)
        self.parts = parts
        self._wrong: bool | None = None

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take a step of the environment, and mend its reward."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        paid = float(reward)
        part = WEIGHT * self.parts.distance(self.unwrapped)
        if self._wrong is None and part > TOLERANCE:
            self._wrong = abs(paid - self.parts.rest(self.unwrapped) - part) < TOLERANCE
        return obs, paid - 2 * part if self._wrong else paid, terminated, truncated, info


def with_d4rl_rewards(env: "Env") -> "Env":
    """Return an environment that pays as D4RL does; all but three tasks of Adroit stay as they are.

    Args:
        env: Any environment.

    Returns:
        The environment, with :class:`D4RLDistance` around it where that is needed.
    """
    plain: Any = env.unwrapped
    kind = type(plain)
    parts = PARTS.get(kind.__name__) if kind.__module__.startswith(MODULE) else None
    if parts is None or plain.sparse_reward:
        return env
    return D4RLDistance(env, parts)
