"""OGBench's files: layout, rewards of tasks with one goal, and faults."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs import registration

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.ogbench import is_ogbench, read_ogbench, successes
from oneleap.domains.rl.data.rewards import SparseTaskReward

Array = np.ndarray[Any, Any]


class CubeEnv(gymnasium.Env[Any, Any]):
    """Two cubes and no physics; the goals are at (1, 0, 0) and (2, 0, 0)."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,))
    action_space = gymnasium.spaces.Box(-1, 1, (2,))
    _num_cubes = 2

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self._data = SimpleNamespace(mocap_pos=np.array([[1.0, 0, 0], [2.0, 0, 0]]))
        return np.zeros(3, np.float32), {}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> str:
    """A task of a package in place of OGBench's."""
    monkeypatch.setitem(sys.modules, "ogbench", ModuleType("ogbench"))
    spec = registration.EnvSpec(id="toy-singletask-task1-v0", entry_point=CubeEnv)
    monkeypatch.setitem(registration.registry, spec.id, spec)
    monkeypatch.setitem(
        registration.registry,
        "toy-singletask-v0",
        registration.EnvSpec(id="toy-singletask-v0", entry_point=CubeEnv),
    )
    return "toy-play-singletask-task1-v0"


def columns() -> dict[str, Array]:
    """Two episodes of 4 rows; first one cube is at its goal, then both, then one again."""
    n = 8
    qpos = np.zeros((n, 14 + 2 * 7), np.float32)
    qpos[:, 21] = 2.039  # the second cube, 0.039 m from its goal
    qpos[[1, 2], 14] = 0.961
    qpos[2, 15] = 0.039  # 0.055 m away
    return {
        "observations": np.arange(3 * n, dtype=np.float32).reshape(n, 3),
        "actions": np.linspace(-1, 1, 2 * n, dtype=np.float32).reshape(n, 2),
        "terminals": np.arange(n) % 4 == 3,
        "qpos": qpos,
        "qvel": np.zeros((n, 4), np.float32),
    }


def write(folder: Path, name: str = "toy-play-v0", **changed: Any) -> str:
    path = folder / f"{name}.npz"
    arrays = {k: a for k, a in {**columns(), **changed}.items() if a is not None}
    np.savez(path, **arrays)
    return str(path)


def test_the_last_row_of_an_episode_only_gives_the_next_observation(
    tmp_path: Path, toy: str
) -> None:
    data = read_ogbench(write(tmp_path), toy).data
    raw, kept = columns(), [0, 1, 2, 4, 5, 6]
    np.testing.assert_array_equal(data.obs, raw["observations"][kept])
    np.testing.assert_array_equal(data.next_obs, raw["observations"][[k + 1 for k in kept]])
    np.testing.assert_array_equal(data.act, raw["actions"][kept])
    assert data.bounds.tolist() == [0, 3, 6]
    assert data.timeout.tolist() == [0, 0, 1, 0, 0, 1]


def test_each_part_that_is_not_done_costs_1_and_only_the_whole_task_ends_the_value(
    tmp_path: Path, toy: str
) -> None:
    loaded = read_ogbench(write(tmp_path), toy)
    assert loaded.data.reward.tolist() == [-1, 0, -1, -1, -1, -1]
    assert loaded.data.terminal.tolist() == [0, 1, 0, 0, 0, 0]
    assert loaded.task is not None
    assert loaded.task.env == "toy-singletask-task1-v0"
    assert loaded.act_low.tolist() == [-1, -1]


def test_a_step_with_the_task_done_at_the_end_is_a_terminal_and_no_timeout(
    tmp_path: Path, toy: str
) -> None:
    qpos = columns()["qpos"]
    qpos[2, 15] = 0
    data = read_ogbench(write(tmp_path, qpos=qpos), toy).data
    assert data.terminal.tolist() == [0, 1, 1, 0, 0, 0]
    assert data.timeout.tolist() == [0, 0, 0, 0, 0, 1]


def test_sparse_rewards_are_minus_1_until_the_whole_task_is_done(tmp_path: Path, toy: str) -> None:
    qpos = columns()["qpos"]
    qpos[4:, 21] = 0  # no cube is where it belongs
    path = write(tmp_path, qpos=qpos)
    dense = OfflineData(path, env=toy)
    sparse = OfflineData(path, env=toy, reward=SparseTaskReward())
    assert dense.dataset.reward.tolist() == [-1, 0, -1, -2, -2, -2]
    assert sparse.dataset.reward.tolist() == [-1, 0, -1, -1, -1, -1]
    assert torch.equal(sparse.dataset.terminal, dense.dataset.terminal)


def test_the_name_of_the_file_gives_the_default_task(tmp_path: Path, toy: str) -> None:
    assert read_ogbench(write(tmp_path)).task == read_ogbench(write(tmp_path), "toy-play-v0").task
    task = read_ogbench(write(tmp_path, "toy-play-v0-val")).task
    assert task is not None
    assert task.env == "toy-singletask-v0"


def test_only_files_of_ogbench_are_taken_for_them(tmp_path: Path) -> None:
    assert is_ogbench(write(tmp_path))
    assert not is_ogbench(write(tmp_path, "rewarded", rewards=np.zeros(8)))
    assert not is_ogbench(write(tmp_path, "stateless", qpos=None))
    assert not is_ogbench(str(tmp_path / "missing.npz"))


@pytest.mark.parametrize(
    ("changed", "env", "told"),
    [
        ({}, "none", "holds no rewards; name a task of OGBench"),
        ({}, "Hopper-v5", "Hopper-v5: names no task of OGBench"),
        ({"qpos": np.zeros((7, 28))}, None, "differ in length: observations 8, .*qpos 7"),
        ({"qpos": np.zeros(8)}, None, "qpos: has shape"),
        ({"terminals": np.zeros(8, bool)}, None, "its last row ends no episode"),
        ({"terminals": np.ones(8, bool)}, None, "no step has a successor"),
        ({"actions": np.full((8, 2), 2.0)}, None, "--data.clip_actions true clips them"),
        ({"observations": np.zeros((8, 5))}, None, r"observations \(3,\) .* data have \(5,\)"),
        ({"observations": np.full((8, 3), np.nan)}, None, "nan in row 0"),
        ({"terminals": np.array([{}] * 8)}, None, "not an npz file"),
    ],
)
def test_faults_are_one_line(
    tmp_path: Path, toy: str, changed: dict[str, Any], env: str | None, told: str
) -> None:
    with pytest.raises(InputError, match=told) as error:
        read_ogbench(write(tmp_path, **changed), env or toy)
    assert "\n" not in str(error.value)


def test_scenes_count_cubes_buttons_drawer_and_window() -> None:
    env = type("SceneEnv", (), {})()
    env._num_cubes, env._num_buttons = 1, 2
    env._data = SimpleNamespace(mocap_pos=np.zeros((1, 3)))
    env._target_button_states = np.array([0, 1])
    env._target_drawer_pos, env._target_window_pos = -0.1, 0.2
    qpos = np.zeros((2, 14 + 7 + 2 + 2))
    qpos[:, -2:] = (-0.1, 0.2), (-0.15, 0.23)
    buttons = np.array([[0, 0], [0, 1]])
    found = successes(env, {"qpos": qpos, "button_states": buttons})
    assert found.tolist() == [
        [True, True, False, True, True],
        [True, True, True, False, True],
    ]
    with pytest.raises(InputError, match="no button_states"):
        successes(env, {"qpos": qpos})


def test_mazes_count_the_distance_to_the_goal() -> None:
    env = SimpleNamespace(maze_map=[], cur_goal_xy=(4.0, 0.0), _goal_tol=0.5)
    qpos = np.array([[4.0, 0.5, 9.0], [4.0, 0.51, 9.0]])
    assert successes(env, {"qpos": qpos}).tolist() == [[True], [False]]


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(InputError, match="its rewards are unknown"):
        successes(SimpleNamespace(), {})
