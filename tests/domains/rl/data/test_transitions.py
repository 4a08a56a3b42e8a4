"""Sampling, statistics, rewards, and the checks of what files hold."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.transitions import (
    AntMazeReward,
    GoalDistanceReward,
    NormalizedReward,
    OfflineDataset,
    ReturnScaledReward,
    StoredReward,
)
from oneleap.domains.rl.data.validation import (
    DIMENSIONS,
    build_dataset,
    episode_bounds,
    validate_actions,
    validate_fields,
)


def fields(n=12, obs=3, act=2):
    rng = np.random.default_rng(0)
    sizes = {"observations": (n, obs), "next_observations": (n, obs), "actions": (n, act)}
    found = {name: rng.uniform(-1, 1, sizes.get(name, n)) for name in DIMENSIONS}
    return found | {"terminals": np.zeros(n, bool), "timeouts": np.arange(n) % 4 == 3}


def dataset(reward, bounds, terminal=None, timeout=None, next_obs=None) -> OfflineDataset:
    n = len(reward)
    zeros = torch.zeros(n)
    obs = torch.arange(2.0 * n).reshape(n, 2)
    return OfflineDataset(
        obs,
        torch.zeros(n, 1),
        torch.as_tensor(reward),
        obs + 2 if next_obs is None else next_obs,
        zeros if terminal is None else terminal,
        zeros if timeout is None else timeout,
        torch.tensor(bounds),
    )


def test_a_sample_keeps_the_columns_of_a_step_together():
    data = dataset(torch.arange(7.0), [0, 7]).transitions(gamma=0.9)
    batch = data.sample(500, torch.Generator().manual_seed(0))
    row = batch.obs[:, 0] / 2
    assert set(row.tolist()) == set(range(7))
    assert torch.equal(batch.reward, row)
    assert torch.equal(batch.next_obs, batch.obs + 2)
    again = data.sample(500, torch.Generator().manual_seed(0))
    assert torch.equal(again.obs, batch.obs)


@pytest.mark.parametrize("n_step", [1, 3])
def test_next_actions_are_those_of_the_episode_and_unknown_at_its_end(n_step):
    data = dataset(torch.zeros(7), [0, 4, 7])
    data.act[:, 0] = torch.arange(7.0)
    steps = data.transitions(gamma=0.9, n_step=n_step)
    expected = [1, 2, 3, None, 5, 6, None] if n_step == 1 else [3, None, None, None] + [None] * 3
    found = [None if math.isnan(a) else a for a in steps.next_act[:, 0].tolist()]
    assert found == expected
    batch = steps.sample(200, torch.Generator().manual_seed(0))
    row = (batch.obs[:, 0] / 2).long()
    torch.testing.assert_close(batch.next_act, steps.next_act[row], equal_nan=True)
    assert steps._replace(next_act=None).sample(5, torch.Generator()).next_act is None


def test_moments_are_those_of_numpy_and_a_constant_column_divides_by_eps():
    obs = np.random.default_rng(0).normal(3, 2, (1000, 2)).astype(np.float32)
    obs[:, 1] = 5
    raw = fields(1000, 2) | {"observations": obs}
    data = build_dataset(validate_fields("x", raw), np.array([0, 1000]))
    mean, std = data.moments(eps=1e-3)
    np.testing.assert_allclose(mean, obs.mean(0), rtol=1e-5)
    np.testing.assert_allclose(std, obs.std(0) + 1e-3, rtol=1e-5)
    assert std[1] == pytest.approx(1e-3)


def test_returns_are_of_finished_episodes_only():
    terminal, timeout = torch.tensor([0.0, 1, 0, 0, 0]), torch.tensor([0.0, 0, 0, 1, 0])
    data = dataset(torch.tensor([1.0, 2, 3, 4, 50]), [0, 2, 4, 5], terminal, timeout)
    assert data.returns().tolist() == [3, 7]


def test_rewards_have_their_closed_forms():
    timeout = torch.tensor([0.0, 1, 0, 1])
    data = dataset(torch.tensor([0.0, 1, 1, 4]), [0, 2, 4], timeout=timeout)
    assert StoredReward()(data) is data.reward
    assert AntMazeReward()(data).tolist() == [-2, 2, 2, 14]
    assert ReturnScaledReward()(data).tolist() == [0, 250, 250, 1000]  # returns 1 and 5
    r = NormalizedReward()(data)
    assert r.mean() == pytest.approx(0, abs=1e-6)
    assert r.std() == pytest.approx(1)
    assert torch.equal(data.relabel(AntMazeReward()).reward, AntMazeReward()(data))


@pytest.mark.parametrize("reward", [NormalizedReward(), ReturnScaledReward()])
def test_a_reward_without_spread_cannot_be_scaled(reward):
    with pytest.raises(InputError, match="use AsStored"):
        reward(dataset(torch.ones(4), [0, 2, 4], timeout=torch.tensor([0.0, 1, 0, 1])))


def test_goal_distance_is_of_the_position_after_the_step():
    after = torch.tensor([[3.0, 4.0], [0.45, 0.0], [0.0, -0.46], [0.0, 0.0]])
    data = dataset(torch.zeros(4), [0, 4], next_obs=after)
    dense = GoalDistanceReward(goal=(0.0, 0.0))(data)
    assert dense[0] == pytest.approx(math.exp(-5))
    assert dense[3] == 1
    assert GoalDistanceReward(goal=(0.0, 0.0), dense=False)(data).tolist() == [0, 1, 0, 1]
    assert GoalDistanceReward(goal=(3.0, 4.0), dense=False)(data).tolist() == [1, 0, 0, 0]


def test_sound_fields_pass_as_float32():
    raw = fields()
    found = validate_fields("x", raw)
    assert all(array.dtype == np.float32 for array in found.values())
    np.testing.assert_allclose(found["actions"], raw["actions"], rtol=1e-6)
    assert validate_fields("x", raw | {"rewards": raw["rewards"][:, None]})["rewards"].shape == (
        12,
    )


@settings(deadline=None)
@given(name=st.sampled_from(list(DIMENSIONS)))
def test_a_missing_field_is_named(name):
    raw = fields()
    del raw[name]
    with pytest.raises(InputError, match=f"^data.hdf5: no field '{name}'; it has"):
        validate_fields("data.hdf5", raw)
    if name == "next_observations":
        assert name not in validate_fields("data.hdf5", raw, optional=(name,))


@settings(deadline=None)
@given(
    name=st.sampled_from(["observations", "actions", "rewards", "next_observations"]),
    row=st.integers(0, 11),
    value=st.sampled_from([math.nan, math.inf, -math.inf, 1e39]),
)
def test_a_number_that_is_none_is_named_with_its_row(name, row, value):
    raw = fields()
    raw[name][row] = value
    with pytest.raises(InputError, match=f"^data.hdf5: {name}: .* in row {row};") as error:
        validate_fields("data.hdf5", raw)
    assert "\n" not in str(error.value)


@settings(deadline=None)
@given(
    name=st.sampled_from(list(DIMENSIONS)),
    dtype=st.sampled_from(["S3", "U2", "O", "M8[s]", "c8"]),
)
def test_a_field_that_holds_no_numbers_is_named(name, dtype):
    raw = fields()
    raw[name] = np.zeros(raw[name].shape, dtype)
    with pytest.raises(InputError, match=f"^data.hdf5: {name}: holds .*, not numbers"):
        validate_fields("data.hdf5", raw)


@settings(deadline=None)
@given(name=st.sampled_from(list(DIMENSIONS)), cut=st.integers(1, 12))
def test_lengths_that_differ_are_told(name, cut):
    raw = fields()
    raw[name] = raw[name][:-cut]
    with pytest.raises(InputError, match=f"differ in length: .*{name} {12 - cut}"):
        validate_fields("data.hdf5", raw)


@settings(deadline=None)
@given(name=st.sampled_from(list(DIMENSIONS)), shape=hnp.array_shapes(min_dims=3, max_dims=4))
def test_shapes_that_do_not_fit_are_told(name, shape):
    with pytest.raises(InputError, match=f"^data.hdf5: {name}: has shape"):
        validate_fields("data.hdf5", fields() | {name: np.zeros(shape)})


def test_empty_files_and_unequal_observations_are_told():
    with pytest.raises(InputError, match="no steps"):
        validate_fields("data.hdf5", fields(0))
    with pytest.raises(InputError, match="3 columns, next ones 2"):
        validate_fields("data.hdf5", fields() | {"next_observations": np.zeros((12, 2))})


@settings(deadline=None)
@given(row=st.integers(0, 11), column=st.integers(0, 1), sign=st.sampled_from([-1, 1]))
def test_actions_out_of_bounds_are_told_or_clipped(row, column, sign):
    act = fields()["actions"].astype(np.float32)
    act[row, column] = 1.5 * sign
    one = np.ones(2, np.float32)
    with pytest.raises(InputError, match=f"row {row}, column {column} .*1 such rows.*clip_actions"):
        validate_actions("x", act, -one, one, clip=False)
    clipped = validate_actions("x", act, -one, one, clip=True)
    assert clipped[row, column] == sign
    assert (np.delete(clipped, row, 0) == np.delete(act, row, 0)).all()


def test_rounding_is_no_offence_and_a_wrong_number_of_bounds_is():
    act = np.full((3, 2), 1.000001, np.float32)
    assert (
        validate_actions("x", act, -np.ones(2, np.float32), np.ones(2, np.float32), False).max()
        == 1
    )
    with pytest.raises(InputError, match="2 actions a step, the environment takes 3"):
        validate_actions("x", act, -np.ones(3, np.float32), np.ones(3, np.float32), False)


@settings(deadline=None)
@given(hnp.arrays(bool, st.integers(1, 30)))
def test_episode_bounds_cut_after_each_end(ends):
    bounds = episode_bounds(ends)
    assert bounds[0] == 0
    assert bounds[-1] == len(ends)
    assert (np.diff(bounds) > 0).all()
    assert set(bounds[1:] - 1) == set(np.flatnonzero(ends)) | {len(ends) - 1}


@pytest.mark.parametrize("n_step", [1, 2, 3, 10])
def test_n_step_returns_stop_at_the_end_of_an_episode(n_step):
    reward, bounds = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]), [0, 3, 5]
    terminal = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0])
    table = dataset(reward, bounds, terminal=terminal).transitions(0.5, n_step)
    for k in range(5):
        end = 3 if k < 3 else 5
        rows = range(k, min(k + n_step, end))
        assert table.reward[k] == sum(0.5 ** (i - k) * reward[i] for i in rows)
        assert torch.equal(table.next_obs[k], table.obs[rows[-1]] + 2)
        assert table.discount[k] == (0 if terminal[rows[-1]] else 0.5 ** len(rows))
