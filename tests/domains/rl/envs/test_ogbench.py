"""OGBench's names of tasks, and its environments as functions of the seed."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.d4rl import task_of
from oneleap.domains.rl.envs.lookup import make_environment
from oneleap.domains.rl.envs.ogbench import Seeded, ogbench_task, seeded, task_name


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("cube-double-play-v0", "cube-double-singletask-v0"),
        ("cube-double-play-v0-val", "cube-double-singletask-v0"),
        ("puzzle-3x3-noisy-v0", "puzzle-3x3-singletask-v0"),
        ("cube-double-play-singletask-task1-v0", "cube-double-singletask-task1-v0"),
        ("cube-double-singletask-task1-v0", "cube-double-singletask-task1-v0"),
        ("scene-play-singletask-v0", "scene-singletask-v0"),
        ("pointmaze-large-navigate-singletask-task5-v0", "pointmaze-large-singletask-task5-v0"),
    ],
)
def test_names_of_tasks_and_of_data_name_an_environment(name: str, task: str) -> None:
    assert task_name(name) == task


@pytest.mark.parametrize("name", ["mine", "cube-double-v0", "Hopper-v5", "play-v0"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"names no task of OGBench; --data\.env NAME"):
        task_name(name)


def test_a_task_is_scored_by_its_successes() -> None:
    assert ogbench_task("antmaze-large-navigate-v0").by_success
    assert task_of("antmaze-large-singletask-task1-v0").by_success  # no task of D4RL's antmaze


class Careless(gymnasium.Env[Any, Any]):
    """Draws from NumPy's global generator, as OGBench's mazes do."""

    observation_space = gymnasium.spaces.Box(-9, 9, (1,))
    action_space = gymnasium.spaces.Box(-1, 1, (1,))

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return np.random.mtrand.normal(size=1), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.random.mtrand.normal(size=1), 0.0, False, False, {}


def test_episodes_are_functions_of_their_seeds_and_leave_the_global_generator_alone() -> None:
    env = Seeded(Careless())

    def episode(seed: int) -> list[float]:
        return [float(env.reset(seed=seed)[0][0]), *(float(env.step(0)[0][0]) for _ in range(3))]

    np.random.mtrand.seed(7)
    first = episode(3)
    drawn = np.random.mtrand.normal()
    other = Seeded(Careless())
    other.reset(seed=9)
    assert episode(4) != first
    assert episode(3) == first
    assert len(set(first)) == 4
    np.random.mtrand.seed(7)
    assert np.random.mtrand.normal() == drawn


def test_environments_of_others_stay_as_they_are() -> None:
    env = Careless()
    assert seeded(env) is env


@pytest.mark.parametrize("name", ["cube-single-singletask-task1-v0", "pointmaze-medium-singletask"])
def test_the_packages_episodes_repeat(name: str) -> None:
    pytest.importorskip("ogbench")
    env = make_environment(name, {"disable_env_checker": True})
    actions = np.random.default_rng(0).uniform(-0.3, 0.3, (5, *env.action_space.shape))
    found = []
    for _ in range(2):
        found.append([env.reset(seed=3)[0], *(env.step(action)[0] for action in actions)])
    np.testing.assert_array_equal(*found)
