"""Adroit's distance reward: D4RL's sign, where the simulator has the other one and where not."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from oneleap.domains.rl.data.d4rl import FAMILIES
from oneleap.domains.rl.envs.adroit import PARTS, D4RLDistance, Parts, with_d4rl_rewards
from oneleap.domains.rl.envs.lookup import make_environment
from oneleap.domains.rl.envs.task import Task

PENS = ("door", "hammer", "relocate")


class Reaching(gymnasium.Env[Any, Any]):
    """Pays ``sign * 0.1 * distance + rest`` with ``rest = -3``; the distance is the action."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,))
    action_space = gymnasium.spaces.Box(0, 10, (1,))

    def __init__(self, sign: float, extra: float = 0.0) -> None:
        self.sign, self.extra, self.distance = sign, extra, 0.0

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.distance = float(action)
        reward = self.sign * 0.1 * self.distance - 3 + self.extra
        return np.zeros(1, np.float32), reward, False, False, {}


def paid(sign: float, extra: float = 0.0) -> list[float]:
    parts = Parts(distance=lambda env: env.distance, rest=lambda env: -3.0)
    env = D4RLDistance(Reaching(sign, extra), parts)
    env.reset()
    return [float(env.step(distance)[1]) for distance in (0.0, 1.0, 2.0, 0.0, 4.0)]


WANTED = [-3.0, -3.1, -3.2, -3.0, -3.4]


def test_a_reward_for_being_far_away_is_mended() -> None:
    np.testing.assert_allclose(paid(+1), WANTED)


def test_a_release_that_was_mended_is_left_alone() -> None:
    np.testing.assert_allclose(paid(-1), WANTED)


def test_rewards_that_changed_in_other_ways_are_left_alone() -> None:
    np.testing.assert_allclose(paid(+1, extra=0.5), [-2.5, -2.4, -2.3, -2.5, -2.1])


@pytest.mark.parametrize("name", PENS)
def test_the_installed_rewards_are_the_sum_of_their_parts_with_one_of_the_signs(name: str) -> None:
    """So the sign can be told; every reward then is the one of the other sign, or stays."""
    plain = make_environment(FAMILIES[name].env, {})
    env: Any = with_d4rl_rewards(plain)
    rng, inside = np.random.default_rng(0), plain.unwrapped
    env.reset(seed=0)
    for _ in range(20):
        reward = env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))[1]
        parts = PARTS[type(inside).__name__]
        assert reward == pytest.approx(parts.rest(inside) - 0.1 * parts.distance(inside), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "episodes", "reference", "error"),
    [("door", 2, -56.5, 0.7), ("hammer", 2, -274.9, 3.5), ("relocate", 3, -6.4, 4.0)],
)
def test_random_actions_have_d4rls_reference_returns(
    name: str, episodes: int, reference: float, error: float
) -> None:
    """With the sign of gymnasium-robotics 1.4 they are 10 (hammer 7, relocate 16) higher."""
    env = FAMILIES[name].task(name, FAMILIES[name].env).make(disable_env_checker=True)
    env.action_space.seed(0)
    total = 0.0
    for episode in range(episodes):
        env.reset(seed=episode)
        over = False
        while not over:
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            total += float(reward)
            over = terminated or truncated
    assert total / episodes == pytest.approx(reference, abs=error)


def test_only_tasks_on_d4rls_scale_are_mended() -> None:
    door = FAMILIES["door"].env
    assert not isinstance(Task(door).make(), D4RLDistance)
    assert not isinstance(Task(door, reference="Minari D4RL/door").make(), D4RLDistance)
    assert isinstance(Task(door, reference="D4RL door").make(), D4RLDistance)
    sparse = Task(door, {"reward_type": "sparse"}, reference="D4RL door").make()
    assert not isinstance(sparse, D4RLDistance)
    assert not isinstance(Task("AdroitHandPen-v1", reference="D4RL pen").make(), D4RLDistance)
