"""Constant and unbounded ranges: of actions, observations, rewards and reference returns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from field.rl.situations import steps, write_hdf5
from support.tiny_rl import ALGORITHMS, SPEC, train

from oneleap.core.errors import InputError
from oneleap.core.objectives import MeanFlow
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.rewards import NormalizedReward, ReturnScaledReward
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation.rollouts import evaluate_policy
from oneleap.domains.rl.nets.config import NetworkConfig

OBS = np.zeros((5, 3), np.float32)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_constant_action_is_learned_and_acted(name: str, tmp_path: Path) -> None:
    """The second action of the data is always 3, and so are its bounds."""
    fields = steps()
    fields["actions"][:, 1] = 3.0
    data = OfflineData(write_hdf5(tmp_path / "a.hdf5", fields), env="none", batch_size=8)
    assert (data.spec.act_low[1], data.spec.act_high[1]) == (3, 3)
    policy = ALGORITHMS[name](data.spec)
    train(policy, 3, iter(data.train_dataloader()))
    assert all(weight.isfinite().all() for weight in policy.state_dict().values())
    policy.save_pretrained(tmp_path / "model")
    acted = type(policy).from_pretrained(tmp_path / "model").act(OBS)
    assert np.isfinite(acted).all()
    assert (acted[:, 1] == 3).all()


@pytest.mark.parametrize("kind", ["hdf5", "env"])
def test_where_an_environment_has_no_bounds_the_data_give_them(tmp_path: Path, kind: str) -> None:
    fields = steps()
    fields["actions"] *= np.float32([5, 0])
    fields["actions"][:, 1] = 2
    path = write_hdf5(tmp_path / "a.hdf5", fields)
    data = OfflineData(path, env="FieldUnbounded-v0" if kind == "env" else "none")
    first = fields["actions"][:, 0]
    assert data.spec.act_low == (first.min(), 2)
    assert data.spec.act_high == (first.max(), 2)


def test_bounds_without_end_in_a_specification_do_not_make_nan() -> None:
    spec = replace(SPEC, act_low=(-1.0, -np.inf), act_high=(1.0, np.inf))
    assert np.isfinite(Policy(spec, MeanFlow(), network=NetworkConfig(width=8)).act(OBS)).all()
    largest = float(np.finfo(np.float32).max)
    spec = replace(SPEC, act_low=(-largest, -1.0), act_high=(largest, 1.0))
    assert np.isfinite(Policy(spec, MeanFlow(), network=NetworkConfig(width=8)).act(OBS)).all()


def test_other_dimensions_are_scaled_as_before() -> None:
    policy = Policy(SPEC, MeanFlow(), network=NetworkConfig(width=8))
    assert torch.equal(policy.act_center, torch.tensor([0.0, 1.0]))
    assert torch.equal(policy.act_half, torch.tensor([1.0, 3.0]))


@pytest.mark.parametrize("value", [0.0, 1e6, -3e37])
def test_a_constant_observation_becomes_nearly_zero(value: float) -> None:
    fields = steps()
    for name in ("observations", "next_observations"):
        fields[name][:, 1] = value
    data = OfflineData.from_arrays(fields)
    policy = Policy(data.spec, MeanFlow(), network=NetworkConfig(width=8))
    normalized = policy.normalize_obs(data.dataset.obs)
    assert normalized[:, 1].abs().max() < 1e-3
    assert normalized[:, 0].std() > 0.9


def test_rewards_that_only_differ_by_rounding_scale_nothing() -> None:
    fields = steps()
    fields["rewards"] = np.full(40, 1000, np.float32)
    fields["rewards"][::3] = np.nextafter(np.float32(1000), np.float32(2000))
    for reward in (NormalizedReward(), ReturnScaledReward()):
        with pytest.raises(InputError, match="use StoredReward"):
            OfflineData.from_arrays(fields, reward=reward).spec  # noqa: B018


@pytest.mark.parametrize("high", [5.0, float("nan"), float("inf")])
def test_equal_reference_returns_give_no_scores(high: float) -> None:
    task = Task("FieldLimited-v0", {}, 5.0, high, "made up")
    found = evaluate_policy(lambda obs: np.zeros((len(obs), 2), np.float32), task, 2)
    assert found.score == found.mean == 7
    assert "score" not in found.figures()
