"""Sampling, statistics and n-step returns."""

import math

import numpy as np
import pytest
import torch
from support.tiny_rl import dataset, fields

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.validation import (
    build_dataset,
    validate_fields,
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


def test_moments_are_those_of_numpy_and_a_constant_column_by_its_magnitude():
    obs = np.random.default_rng(0).normal(3, 2, (1000, 2)).astype(np.float32)
    obs[:, 1] = 5
    raw = fields(1000, 2) | {"observations": obs}
    data = build_dataset(validate_fields("x", raw), np.array([0, 1000]))
    mean, std = data.moments(eps=1e-3)
    np.testing.assert_allclose(mean, obs.mean(0), rtol=1e-5)
    np.testing.assert_allclose(std[0], obs[:, 0].std() + 1e-3, rtol=1e-5)
    assert std[1] == 5


def test_returns_are_of_finished_episodes_only():
    terminal, timeout = torch.tensor([0.0, 1, 0, 0, 0]), torch.tensor([0.0, 0, 0, 1, 0])
    data = dataset(torch.tensor([1.0, 2, 3, 4, 50]), [0, 2, 4, 5], terminal, timeout)
    assert data.returns().tolist() == [3, 7]


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


def test_a_chunk_has_the_actions_and_rewards_of_its_steps():
    """Two episodes of 4 and 3 steps; the task ends at step 5, and the recording goes on."""
    terminal = torch.tensor([0.0, 0, 0, 1, 0, 1, 0])
    data = dataset(torch.tensor([1.0, 2, 4, 8, 16, 32, 64]), [0, 4, 7], terminal=terminal)
    data.act[:, 0] = torch.arange(7.0)
    table = data.transitions(0.5, chunk=2)
    assert table.act.tolist() == [[0, 1], [1, 2], [2, 3], [3, 3], [4, 5], [5, 6], [6, 6]]
    crossing = [True, False]
    assert table.valid.tolist() == [[True] * 2] * 3 + [crossing] + [[True] * 2] * 2 + [crossing]
    assert table.reward.tolist() == [2, 4, 8, 8, 32, 32, 64]  # nothing is paid after the end
    assert table.discount.tolist() == [0.25, 0.25, 0, 0, 0, 0, 0.5]
    assert table.next_obs[:, 0].tolist() == (data.obs[[1, 2, 3, 3, 5, 6, 6], 0] + 2).tolist()
    found = [[None if math.isnan(a) else a for a in row] for row in table.next_act.tolist()]
    unknown = [None, None]
    assert found == [[2, 3], [3, None], unknown, unknown, [6, None], unknown, unknown]
    batch = table.sample(99, torch.Generator().manual_seed(0))
    assert torch.equal(batch.valid[:, 1], ~torch.isin(batch.act[:, 0], torch.tensor([3.0, 6.0])))


@pytest.mark.parametrize("chunk", [2, 3, 5])
def test_the_target_of_a_chunk_is_exact_on_a_chain(chunk):
    """10 states, reward -1 per step until the end: V(k) is known, whatever the length of chunks."""
    gamma, n = 0.9, 10
    terminal = torch.zeros(n)
    terminal[-1] = 1
    table = dataset(-torch.ones(n), [0, n], terminal=terminal).transitions(gamma, chunk=chunk)
    value = -torch.tensor([(1 - gamma ** (n - k)) / (1 - gamma) for k in range(n + 1)])
    target = table.reward + table.discount * value[(table.next_obs[:, 0] / 2).long()]
    torch.testing.assert_close(target, value[:n])


def test_a_chunk_and_n_steps_exclude_each_other():
    data = dataset(torch.zeros(7), [0, 7])
    assert data.transitions(0.9, chunk=1).valid is None
    with pytest.raises(InputError, match="n_step: 3, but a chunk of 2 actions sums 2 rewards"):
        data.transitions(0.9, n_step=3, chunk=2)
    with pytest.raises(InputError, match="chunk: 0 is not positive"):
        data.transitions(0.9, chunk=0)
