"""IQL and IDQL against their formulas. Neither evaluates an action of its own policy."""

import numpy as np
import pytest
import torch
from support.tiny_rl import (
    SMALL,
    UNIFORM,
    bandit,
    both,
    fast,
    q_of,
    same_gradients,
    scrambled,
    seeded,
    train,
)
from torch import Tensor
from torch.distributions import Normal

from oneleap.domains.rl.algorithms.idql import IDQL
from oneleap.domains.rl.algorithms.iql import IQL, ImplicitQ
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.spec import Spec


def small(policy: ImplicitQ) -> ImplicitQ:
    for k, net in enumerate((policy.net, policy.average, policy.critic, policy.target_critic)):
        scrambled(net, k)
    return policy


def value(policy: ImplicitQ, s: Tensor) -> Tensor:
    return q_of(policy.critic.value.critic, 0, s, s[:, :0])


def levelled(policy: ImplicitQ, batch: Transitions) -> ImplicitQ:
    """Shift V so that half of the actions in the data have a positive advantage."""
    s, a = policy.normalize_obs(batch.obs), policy.data(batch)
    with torch.no_grad():
        gap = both(policy.target_critic, s, a).amin(0) - value(policy, s)
        policy.critic.value.critic.biases[-1].add_(gap.median())
    return policy


def test_critics_regress_the_expectile_and_its_backup(spec: Spec, batch: Transitions) -> None:
    policy = levelled(small(IQL(spec, **SMALL, expectile=0.8)), batch)
    s, s2, a = (
        policy.normalize_obs(batch.obs),
        policy.normalize_obs(batch.next_obs),
        policy.data(batch),
    )
    draw = policy.draw(batch, seeded())
    _, dcritic, logs = policy.gradients(batch, draw)
    gap = both(policy.target_critic, s, a).amin(0).detach() - value(policy, s)
    assert (gap > 0).any()
    assert (gap < 0).any()
    expectile = torch.stack([(0.8 if g > 0 else 0.2) * g**2 for g in gap]).mean()
    y = (batch.reward + batch.discount * value(policy, s2)).detach()
    loss = expectile + (both(policy.critic, s, a) - y).square().mean(1).sum()
    torch.testing.assert_close(logs["critic_loss"], loss.detach())
    same_gradients(dcritic, loss, policy.critic)


@pytest.mark.parametrize("max_weight", [100.0, 1.5])
def test_iql_imitates_by_advantage(spec: Spec, batch: Transitions, max_weight: float) -> None:
    policy = small(IQL(spec, **SMALL, beta=2.0, max_weight=max_weight))
    levelled(policy, batch)
    s, a = policy.normalize_obs(batch.obs), policy.data(batch)
    dactor, _, logs = policy.gradients(batch, policy.draw(batch, seeded()))
    advantage = both(policy.target_critic, s, a).amin(0) - value(policy, s)
    weight = (2 * advantage).exp().detach()
    assert (weight > 1.5).any()
    log_prob = Normal(policy.net.mean(s), policy.net.log_std.exp()).log_prob(a).sum(1)
    loss = -(weight.clamp(max=max_weight) * log_prob).mean()
    torch.testing.assert_close(logs["actor_loss"], loss.detach())
    same_gradients(dactor, loss, policy.net)


def test_iql_acts_by_its_mean_or_about_it(spec: Spec) -> None:
    policy = small(IQL(spec, **SMALL))
    obs = np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32)
    s = policy.normalize_obs(torch.tensor(obs))
    mean = policy.average.mean(s) * torch.tensor([1.0, 3.0]) + torch.tensor([0.0, 1.0])
    first, second = policy.act(obs), policy.act(obs, steps=3)
    np.testing.assert_allclose(first, mean.detach(), atol=1e-5)
    np.testing.assert_allclose(first, second, atol=1e-5)
    policy.std_scale = 0.5
    with torch.no_grad():
        policy.average.log_std.fill_(-3.0)
    inside = np.abs(first[:, 0]) < 0.8
    off = (policy.act(obs, generator=seeded()) - first)[inside, 0]
    assert abs(off.std() / (0.5 * np.exp(-3)) - 1) < 0.1


def test_idql_imitates_and_no_more(spec: Spec, batch: Transitions) -> None:
    policy = small(IDQL(spec, **SMALL))
    draw = policy.draw(batch, seeded())
    dactor, _, _ = policy.gradients(batch, draw)
    loss = policy.objective.loss(policy.bind(batch), draw.imitation).per_sample.mean()
    same_gradients(dactor, loss, policy.net)


def test_idql_acts_by_the_best_of_its_samples(spec: Spec) -> None:
    policy = small(IDQL(spec, **SMALL, steps=3, num_action_samples=8))
    obs = np.ones((2, 3), np.float32)
    found = policy.act(obs, generator=seeded())
    offered = torch.tensor(policy.act(obs.repeat(8, 0), num_action_samples=1, generator=seeded()))
    scaled = (offered - torch.tensor([0.0, 1.0])) / torch.tensor([1.0, 3.0])
    s = policy.normalize_obs(torch.tensor(obs.repeat(8, 0)))
    best = both(policy.target_critic, s, scaled).amin(0).reshape(2, 8).argmax(1)
    expected = offered.reshape(2, 8, 2)[torch.arange(2), best]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_values_lead_the_policies_to_better_actions(spec: Spec) -> None:
    obs = np.zeros((256, 3), np.float32)
    iql = IQL(spec, **fast(tau=0.05), beta=3.0)
    train(iql, 150, bandit())
    assert np.abs(iql.act(obs)[:, 1] - 2.5).mean() < 0.5 * UNIFORM
    idql = IDQL(spec, **fast(0.9, tau=0.05), steps=3, num_action_samples=16)
    train(idql, 150, bandit())
    best, one = (idql.act(obs, num_action_samples=n, generator=seeded()) for n in (None, 1))
    assert np.abs(best[:, 1] - 2.5).mean() < 0.35 * UNIFORM
    assert np.abs(one[:, 1] - 2.5).mean() > 0.6 * UNIFORM  # a clone, which knows of no value
