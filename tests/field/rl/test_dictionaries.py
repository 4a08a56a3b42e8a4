"""Dictionary observations: FetchReach keeps its goal, and nothing is dropped in silence."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from field.rl.situations import steps, write_hdf5, write_npz
from minari.data_collector import EpisodeBuffer
from support.tiny_rl import TINY

from oneleap.core.errors import InputError, Notice
from oneleap.core.objectives import MeanFlow
from oneleap.domains.main import main
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.minari import write_minari
from oneleap.domains.rl.data.pixels import PixelData
from oneleap.domains.rl.demonstrators.episodes import collect_episodes
from oneleap.domains.rl.envs.lookup import find_environment
from oneleap.domains.rl.envs.observations import GOAL_KEYS, observation_vector
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation.rollouts import evaluate_policy
from oneleap.domains.rl.online.datamodule import OnlineData
from oneleap.domains.rl.online.replay import Collector

SIZES = {"achieved_goal": 3, "observation": 10, "desired_goal": 3}
"""FetchReach's."""


def toward(desired: Any, achieved: Any) -> Any:
    """The scripted controller: a step toward the goal, the gripper still."""
    move = np.clip(10 * (desired - achieved), -1, 1)
    return np.concatenate([move, np.zeros_like(move[..., :1])], -1).astype(np.float32)


@pytest.fixture(scope="module")
def reach() -> tuple[str, list[EpisodeBuffer]]:
    """FetchReach's id, and three episodes of the controller."""
    name = find_environment("FetchReach").id
    env, episodes = gymnasium.make(name, disable_env_checker=True), []
    for seed in range(3):
        seen, rewards = [env.reset(seed=seed)[0]], []
        actions = []
        for _ in range(50):
            actions.append(toward(seen[-1]["desired_goal"], seen[-1]["achieved_goal"]))
            obs, reward, *_ = env.step(actions[-1])
            seen.append(obs)
            rewards.append(float(reward))
        episodes.append(
            EpisodeBuffer(
                id=seed,
                observations={key: np.stack([obs[key] for obs in seen]) for key in SIZES},
                actions=np.stack(actions),
                rewards=np.array(rewards),
                terminations=np.zeros(50, bool),
                truncations=np.arange(50) == 49,
            )
        )
    env.close()
    return name, episodes


def columns(episodes: list[EpisodeBuffer]) -> dict[str, Any]:
    """The episodes in D4RL's layout, with dictionaries of observations."""
    obs: list[Any] = [episode.observations for episode in episodes]
    parts = {"observations": slice(-1), "next_observations": slice(1, None)}
    whole = {
        name: {key: np.concatenate([one[key][rows] for one in obs]) for key in SIZES}
        for name, rows in parts.items()
    }
    return whole | {
        "actions": np.concatenate([e.actions for e in episodes]),
        "rewards": np.concatenate([e.rewards for e in episodes]),
        "terminals": np.concatenate([e.terminations for e in episodes]),
        "timeouts": np.concatenate([e.truncations for e in episodes]),
    }


def as_hdf5(folder: Path, name: str, episodes: list[EpisodeBuffer]) -> OfflineData:
    return OfflineData(write_hdf5(folder / "a.hdf5", columns(episodes), env_id=name))


def as_npz(folder: Path, name: str, episodes: list[EpisodeBuffer]) -> OfflineData:
    return OfflineData(write_npz(folder / "a.npz", columns(episodes), env_id=name))


def as_arrays(folder: Path, name: str, episodes: list[EpisodeBuffer]) -> OfflineData:
    return OfflineData.from_arrays(columns(episodes), env=name)


def as_minari(folder: Path, name: str, episodes: list[EpisodeBuffer]) -> OfflineData:
    env = gymnasium.make(name, disable_env_checker=True)
    write_minari(folder / "d", "oneleap/it-v0", episodes, env, {})
    return OfflineData(str(folder / "d"))


Make = Callable[[Path, str, list[EpisodeBuffer]], OfflineData]


@pytest.mark.parametrize("make", [as_hdf5, as_npz, as_arrays, as_minari])
def test_the_goal_is_read_and_played(
    tmp_path: Path, reach: tuple[str, list[EpisodeBuffer]], make: Make
) -> None:
    """The controller, written for the joined vector, reaches the goals of the task."""
    data = make(tmp_path, *reach)
    with pytest.warns(Notice, match=r"achieved_goal \+ observation \+ desired_goal; --data.obs"):
        spec = data.spec
    assert spec.obs_dim == 16
    assert spec.task is not None
    assert spec.obs_keys == spec.task.obs_keys == GOAL_KEYS
    obs: list[Any] = [episode.observations for episode in reach[1]]
    whole = [np.concatenate([one[key][:-1] for key in GOAL_KEYS], axis=1) for one in obs]
    np.testing.assert_array_equal(data.dataset.obs, np.concatenate(whole).astype(np.float32))
    found = evaluate_policy(lambda seen: toward(seen[:, 13:], seen[:, :3]), spec.task, 4)
    assert found.mean > -5
    assert evaluate_policy(lambda seen: 0 * seen[:, :4], spec.task, 4).mean < -40


@pytest.mark.parametrize("make", [as_hdf5, as_minari])
def test_keys_are_chosen_and_their_order_is_kept(
    tmp_path: Path, reach: tuple[str, list[EpisodeBuffer]], make: Make
) -> None:
    keys = ("desired_goal", "observation")
    data = make(tmp_path, *reach)
    data.obs_keys = keys
    assert data.spec.obs_keys == keys  # and no notice
    observations: Any = reach[1][0].observations
    goal = observations["desired_goal"][0]
    np.testing.assert_array_equal(data.dataset.obs[0, :3], goal.astype(np.float32))
    task = data.spec.task
    assert task is not None
    collector = Collector(task, 0.9, 1, lambda reward: reward, 0)
    (step,), _ = collector.step(lambda obs: obs[:4])
    np.testing.assert_array_equal(step.obs[:3], step.next_obs[:3])  # the goal stays
    found = evaluate_policy(lambda seen: toward(seen[:, :3], seen[:, 3:6]), task, 2)
    assert found.mean > -5


def test_a_saved_policy_remembers_its_keys(
    tmp_path: Path, reach: tuple[str, list[EpisodeBuffer]]
) -> None:
    data = OfflineData.from_arrays(columns(reach[1]), obs_keys=("desired_goal", "observation"))
    Policy(data.spec, MeanFlow(), **TINY).save_pretrained(tmp_path / "model")
    assert Policy.from_pretrained(tmp_path / "model").spec == data.spec
    line = ["evaluate", str(tmp_path / "model"), "--env", reach[0], "--horizon", "3"]
    assert main([*line, "--episodes", "2", "--video", "false"]) == 0
    assert json.loads((tmp_path / "model/evaluation.json").read_text())["length"] == 3


def test_online_training_reads_the_keys_of_its_run(
    tmp_path: Path, reach: tuple[str, list[EpisodeBuffer]]
) -> None:
    path = write_hdf5(tmp_path / "a.hdf5", columns(reach[1]), env_id=reach[0])
    keys = ("desired_goal", "observation")
    spec = OfflineData(path, obs_keys=keys).spec
    Policy(spec, MeanFlow(), **TINY).save_pretrained(tmp_path / "model")
    online = OnlineData(path, str(tmp_path / "model"))
    assert online.spec == spec
    assert online.dataset.obs.shape[1] == 13


def test_keys_are_an_option_of_the_command_line(
    tmp_path: Path, reach: tuple[str, list[EpisodeBuffer]]
) -> None:
    path = write_hdf5(tmp_path / "a.hdf5", columns(reach[1]), env_id=reach[0])
    small = "--model.network.width 8 --model.recipe.compile false --trainer.max_steps 1"
    line = ["fit", "--config", "rl/ofql_d4rl", "--data.path", path, *small.split()]
    line += ["--data.obs_keys", "[observation, desired_goal]", "--trainer.accelerator", "cpu"]
    assert main([*line, "--run", str(tmp_path / "run")]) == 0
    spec = Policy.from_pretrained(tmp_path / "run/model").spec
    assert (spec.obs_keys, spec.obs_dim) == (("observation", "desired_goal"), 13)


def keyed(n: int = 40) -> dict[str, Any]:
    level = np.arange(n, dtype=np.float32)
    seen = {
        "speed": level[:, None],
        "position": np.stack([level, -level], 1),
        "camera": np.zeros((n, 4, 4, 3), np.uint8),
        "level": np.ones(n, np.int64),
    }
    return steps(n) | {"observations": seen, "next_observations": seen}


def test_what_is_no_vector_is_named_and_left() -> None:
    data = OfflineData.from_arrays(keyed(), env="FieldKeyed-v0")
    with pytest.warns(Notice, match=r"are position \+ speed; not used: camera, level; --data.obs"):
        task = data.spec.task
    assert task is not None
    np.testing.assert_array_equal(data.dataset.obs[3], [3, -3, 3])
    env = task.make()
    np.testing.assert_array_equal(observation_vector(env.reset(seed=0)[0]), [1, 2, 7])


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        (("goal",), r"no entry 'goal', but speed \(1,\), position \(2,\), camera \(4, 4, 3\)"),
        (("position", "camera"), "entry 'camera' is no vector"),
        (("level",), "entry 'level' is no vector"),
    ],
)
def test_entries_that_will_not_do_are_refused(keys: tuple[str, ...], what: str) -> None:
    with pytest.raises(InputError, match=what) as error:
        OfflineData.from_arrays(keyed(), obs_keys=keys).spec  # noqa: B018
    assert "\n" not in str(error.value)


def test_next_observations_need_the_same_entries() -> None:
    fields = keyed()
    fields["next_observations"] = {"position": fields["observations"]["position"]}
    data = OfflineData.from_arrays(fields, obs_keys=("position", "speed"))
    with pytest.raises(InputError, match="next_observations: the entries position, speed do not"):
        data.spec  # noqa: B018


def test_entries_of_an_environment_are_checked_before_training() -> None:
    data = OfflineData.from_arrays(keyed(), env="FieldKeyed-v0", obs_keys=("position",))
    assert data.spec.obs_dim == 2
    with pytest.raises(InputError, match=r"FieldKeyed-v0.*no entry 'observation', but .*obs_keys"):
        Task("FieldKeyed-v0", obs_keys=("observation",)).make()


def test_vectors_are_matched_with_the_entries_of_their_environment(
    reach: tuple[str, list[EpisodeBuffer]],
) -> None:
    """People concatenate before they store: all entries, or one."""
    fields = columns(reach[1])
    for keys in (GOAL_KEYS, ("observation",)):
        plain = {
            name: np.concatenate([fields[name][key] for key in keys], axis=1)
            for name in ("observations", "next_observations")
        }
        task = OfflineData.from_arrays(fields | plain, env=reach[0]).spec.task
        assert task is not None
        assert task.obs_keys == keys
        named = OfflineData.from_arrays(fields | plain, env=reach[0], obs_keys=keys)
        assert named.spec.obs_keys == keys
    short = {name: value[:, :2] for name, value in plain.items()}
    with pytest.raises(InputError, match=r"entries achieved_goal \(3\), desired_goal \(3\)"):
        OfflineData.from_arrays(fields | short, env=reach[0]).spec  # noqa: B018


def test_old_models_play_as_they_were_trained(reach: tuple[str, list[EpisodeBuffer]]) -> None:
    """A task that names no entries means the entry ``observation``."""
    found = evaluate_policy(lambda seen: 0 * seen[:, :4], Task(reach[0]), 1)
    assert found.trajectories[0].shape == (51, 10)


def test_collection_joins_the_entries(reach: tuple[str, list[EpisodeBuffer]]) -> None:
    task = Task(reach[0]).joined()
    assert task.obs_keys == GOAL_KEYS
    episodes = collect_episodes(task.make(), lambda obs: toward(obs[13:], obs[:3]), 50, 0)
    (episode,) = episodes
    assert np.shape(episode.observations) == (51, 16)
    assert sum(episode.rewards) > -5


def test_images_in_a_dictionary_are_refused_in_one_line(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "a.hdf5", keyed())
    with pytest.raises(InputError, match="observations are a dictionary of camera, level") as told:
        PixelData(path, env="none").spec  # noqa: B018
    assert "\n" not in str(told.value)


def test_a_teacher_of_other_entries_is_no_teacher(tmp_path: Path) -> None:
    data = OfflineData.from_arrays(keyed(), obs_keys=("position",))
    Policy(data.spec, MeanFlow(), **TINY).save_pretrained(tmp_path / "model")
    spec = replace(data.spec, obs_keys=("speed", "level"))
    recipe = replace(TINY["recipe"], teacher=str(tmp_path / "model"))
    student = Policy(spec, MeanFlow(), **{**TINY, "recipe": recipe})
    with pytest.raises(InputError, match="has obs_keys"):
        student.load_teacher()
    old = replace(data.spec, obs_keys=())  # saved before there were any
    Policy(old, MeanFlow(), **TINY).save_pretrained(tmp_path / "model")
    Policy(data.spec, MeanFlow(), **{**TINY, "recipe": recipe}).load_teacher()
