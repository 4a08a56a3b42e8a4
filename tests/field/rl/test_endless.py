"""Environments that never end: evaluation does, with the registered or a requested limit."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from field.rl.situations import steps
from support.tiny_rl import SPEC, TINY, trainer

from oneleap.core.errors import InputError, Notice
from oneleap.core.objectives import MeanFlow
from oneleap.domains.main import main
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.demonstrators.episodes import collect_episodes
from oneleap.domains.rl.envs.mazes import REFERENCE_RETURNS, pointmaze_task
from oneleap.domains.rl.envs.task import HORIZON, Task
from oneleap.domains.rl.evaluation.callbacks import EvaluatePolicy
from oneleap.domains.rl.evaluation.rollouts import evaluate_policy
from oneleap.domains.rl.online.replay import Collector


def still(obs: np.ndarray) -> np.ndarray:
    return np.zeros((len(obs), 2), np.float32)


def test_an_endless_episode_has_a_thousand_steps_and_a_notice() -> None:
    with pytest.warns(Notice, match=r"3 of 3 episodes ended after 1000 steps.*horizon") as told:
        found = evaluate_policy(still, Task("FieldEndless-v0"), 3)
    assert len(told) == 1
    assert found.lengths.tolist() == [HORIZON] * 3


@pytest.mark.parametrize("env", ["FieldEndless-v0", "FieldLimited-v0"])
def test_a_requested_horizon_is_kept_without_a_notice(env: str) -> None:
    found = evaluate_policy(still, Task(env).limited(11), 2)
    assert found.lengths.tolist() == [11, 11]


def test_a_registered_limit_is_kept_without_a_notice() -> None:
    assert evaluate_policy(still, Task("FieldLimited-v0"), 2).lengths.tolist() == [7, 7]
    for none in (None, -1, 0):  # gymnasium's ways to say none
        task = Task("FieldEndless-v0", {"max_episode_steps": none})
        with pytest.warns(Notice, match="1000 steps"):
            assert evaluate_policy(still, task, 1).lengths.tolist() == [HORIZON]


def test_our_own_environments_end_by_themselves() -> None:
    task = pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"])
    assert task.time_limit() == (None, False)
    assert evaluate_policy(still, task.limited(1100), 1).lengths.tolist() == [1100]


def test_a_horizon_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="horizon: 0 is not positive"):
        Task("FieldEndless-v0").limited(0)
    with pytest.raises(InputError, match="horizon: -3 is not positive"):
        EvaluatePolicy(horizon=-3)


@pytest.mark.parametrize("horizon", [None, 5])
def test_training_does_not_hang_in_its_evaluation(horizon: int | None) -> None:
    data = OfflineData.from_arrays(steps(), env="FieldEndless-v0", batch_size=4)
    policy = Policy(data.spec, MeanFlow(), **TINY)
    loop = trainer(2)
    loop.callbacks.append(EvaluatePolicy(2, 2, horizon=horizon))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)
        loop.fit(policy.lightning_module(), data)
    assert loop.callback_metrics["eval/return"] == (horizon or HORIZON)


def test_collection_and_online_training_start_new_episodes() -> None:
    task = Task("FieldEndless-v0")
    lengths = [len(e.rewards) for e in collect_episodes(task.make(), lambda o: o[:2], 2500, 0)]
    assert lengths == [1000, 1000, 500]
    collector = Collector(task, 0.99, 1, lambda reward: reward, 0)
    ends = [collector.step(lambda obs: np.zeros(2, np.float32))[1] for _ in range(1001)]
    assert ends.index(1000.0) == 999


def test_the_command_plays_any_environment_for_a_horizon(tmp_path: Path) -> None:
    """A policy that was trained without an environment, in its run and as a model alone."""
    model = tmp_path / "run/model"
    Policy(replace(SPEC, task=None), MeanFlow(), **TINY).save_pretrained(model)
    (tmp_path / "run/config.yaml").write_text("data: {}\n")
    how = ["--env", "FieldEndless-v0", "--horizon", "4", "--episodes", "2", "--video", "false"]
    for run in (tmp_path / "run", model):
        assert main(["evaluate", str(run), *how]) == 0
        figures = json.loads((tmp_path / "run/evaluation.json").read_text())
        assert figures["length"] == figures["return"] == 4
    assert main(["evaluate", str(model), "--episodes", "2", "--video", "false"]) == 2
    assert main(["evaluate", str(model), "--env", "Pendulum-v1"]) == 2
