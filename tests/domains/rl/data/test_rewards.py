"""Rewards have their closed forms."""

import math

import pytest
import torch
from support.tiny_rl import dataset

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.rewards import (
    AntMazeReward,
    GoalDistanceReward,
    NormalizedReward,
    ReturnScaledReward,
    SparseTaskReward,
    StepCostReward,
    StoredReward,
)


def test_rewards_have_their_closed_forms():
    timeout = torch.tensor([0.0, 1, 0, 1])
    data = dataset(torch.tensor([0.0, 1, 1, 4]), [0, 2, 4], timeout=timeout)
    assert StoredReward()(data) is data.reward
    assert AntMazeReward()(data).tolist() == [-2, 2, 2, 14]
    assert StepCostReward()(data).tolist() == [-1, 0, 0, 3]
    parts = dataset(torch.tensor([-2.0, -1, 0, -3]), [0, 2, 4], timeout=timeout)
    assert SparseTaskReward()(parts).tolist() == [-1, -1, 0, -1]
    assert ReturnScaledReward()(data).tolist() == [0, 250, 250, 1000]  # returns 1 and 5
    r = NormalizedReward()(data)
    assert r.mean() == pytest.approx(0, abs=1e-6)
    assert r.std() == pytest.approx(1)
    assert torch.equal(data.relabel(AntMazeReward()).reward, AntMazeReward()(data))


@pytest.mark.parametrize("reward", [NormalizedReward(), ReturnScaledReward()])
def test_a_reward_without_spread_cannot_be_scaled(reward):
    with pytest.raises(InputError, match="use StoredReward"):
        reward(dataset(torch.ones(4), [0, 2, 4], timeout=torch.tensor([0.0, 1, 0, 1])))


def test_goal_distance_is_of_the_position_after_the_step():
    after = torch.tensor([[3.0, 4.0], [0.45, 0.0], [0.0, -0.46], [0.0, 0.0]])
    data = dataset(torch.zeros(4), [0, 4], next_obs=after)
    dense = GoalDistanceReward(goal=(0.0, 0.0))(data)
    assert dense[0] == pytest.approx(math.exp(-5))
    assert dense[3] == 1
    assert GoalDistanceReward(goal=(0.0, 0.0), dense=False)(data).tolist() == [0, 1, 0, 1]
    assert GoalDistanceReward(goal=(3.0, 4.0), dense=False)(data).tolist() == [1, 0, 0, 0]
