"""IFQL against its formulas: a clone, and critics that see no action outside the data."""

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

from oneleap.domains.rl.algorithms.flow.ifql import IFQL
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig
from oneleap.domains.rl.spec import Spec


def test_it_is_its_formulas(spec: Spec, batch: Transitions) -> None:
    config = CriticConfig(layer_norm=True, members=2, q_agg="mean", rho=0.5)
    policy = IFQL(spec, steps=3, expectile=0.8, **{**SMALL, "critic_config": config})
    for k, net in enumerate((policy.net, policy.critic, policy.target_critic)):
        scrambled(net, k)
    draw = policy.draw(batch, seeded())
    dactor, dcritic, _ = policy.gradients(batch, draw)
    s, s2, a = (
        policy.normalize_obs(batch.obs),
        policy.normalize_obs(batch.next_obs),
        policy.data(batch),
    )
    t, e = draw.imitation.t, draw.imitation.e
    z = (1 - t[:, None]) * a + t[:, None] * e
    same_gradients(dactor, (policy.net(z, t, t, s) - (e - a)).square().mean(), policy.net)

    def v(s: torch.Tensor) -> torch.Tensor:
        return q_of(policy.critic.value.critic, 0, s, s[:, :0])

    with torch.no_grad():
        q = both(policy.target_critic, s, a)
        pessimistic = q.mean(0) - 0.5 * (q[0] - q[1]).abs() / 2
        y = batch.reward + batch.discount * v(s2)
    gap = pessimistic - v(s)
    weight = torch.where(gap >= 0, 0.8, 0.2)
    fit = (both(policy.critic, s, a) - y).square().mean(1).sum()
    same_gradients(dcritic, fit + (weight * gap.square()).mean(), policy.critic)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_the_best_of_its_samples_acts(spec: Spec) -> None:
    policy = IFQL(spec, steps=3, **fast(layer_norm=True, q_agg="mean"))
    train(policy, 200, bandit())
    obs = np.zeros((256, 3), np.float32)
    best, one = (
        np.abs(policy.act(obs, num_action_samples=k, generator=seeded())[:, 1] - 2.5).mean()
        for k in (None, 1)
    )
    assert best < 0.5 * UNIFORM
    assert best < 0.5 * one
