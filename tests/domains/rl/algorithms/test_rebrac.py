"""ReBRAC against its formulas, and its delayed actor."""

import numpy as np
import pytest
import torch
from support.tiny_rl import (
    SMALL,
    UNIFORM,
    bandit,
    both,
    fast,
    same_gradients,
    scrambled,
    seeded,
    train,
)

from oneleap.core.errors import InputError
from oneleap.domains.rl.algorithms.rebrac import ReBRAC
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.spec import Spec


def with_next(batch: Transitions) -> Transitions:
    """Next actions, the first of which is unknown."""
    follows = batch.act.roll(1, 0).clone()
    follows[0] = torch.nan
    return batch._replace(next_act=follows)


def small(spec: Spec) -> ReBRAC:
    policy = ReBRAC(spec, **SMALL, alpha=0.3, beta=0.7, policy_noise=0.4, noise_clip=0.3)
    for k, net in enumerate((policy.net, policy.average, policy.target_critic)):
        scrambled(net, k)
    return policy


def test_rebrac_is_its_formulas(spec: Spec, batch: Transitions) -> None:
    policy, batch = small(spec), with_next(batch)
    draw = policy.draw(batch, seeded())
    dactor, dcritic, logs = policy.gradients(batch, draw)
    s, s2, a = (
        policy.normalize_obs(batch.obs),
        policy.normalize_obs(batch.next_obs),
        policy.data(batch),
    )
    action = policy.net.mean(s)
    q = both(policy.critic, s, action).amin(0)
    penalty = (action - a).square().sum(1)
    loss = (0.3 * penalty - q / q.abs().mean().detach()).mean()
    torch.testing.assert_close(logs["actor_loss"], loss.detach())
    same_gradients(dactor, loss, policy.net)

    with torch.no_grad():
        smoothing = (0.4 * draw.next_noise).clamp(-0.3, 0.3)
        assert (smoothing.abs() == 0.3).any()
        a2 = (policy.average.mean(s2) + smoothing).clamp(-1, 1)
        b = (batch.next_act - torch.tensor([0.0, 1.0])) / torch.tensor([1.0, 3.0])
        away = (a2 - b).square().sum(1)
        away[0] = 0
        least = both(policy.target_critic, s2, a2).amin(0)
        y = batch.reward + batch.discount * (least - 0.7 * away)
    assert y.isfinite().all()
    same_gradients(dcritic, (both(policy.critic, s, a) - y).square().mean(1).sum(), policy.critic)


def test_next_actions_are_required(spec: Spec, batch: Transitions) -> None:
    policy = small(spec)
    with pytest.raises(InputError, match="ReBRAC compares next actions with those of the data"):
        policy.gradients(batch, policy.draw(batch, seeded()))


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_the_actor_and_all_averages_move_at_every_second_step(spec: Spec) -> None:
    policy = ReBRAC(spec, **SMALL)
    moving = {
        name: [p.clone() for p in getattr(policy, name).parameters()]
        for name in ("net", "average", "critic", "target_critic")
    }

    def moved() -> set[str]:
        return {
            name
            for name, before in moving.items()
            if not all(map(torch.equal, before, getattr(policy, name).parameters()))
        }

    train(policy, 1, bandit())
    assert moved() == {"critic"}
    train(policy, 2, bandit())
    assert moved() == set(moving)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_value_leads_the_policy_to_better_actions(spec: Spec) -> None:
    policy = ReBRAC(spec, **fast(layer_norm=True, tau=0.05), alpha=0.1)
    train(policy, 150, bandit())
    act = policy.act(np.zeros((4, 3), np.float32))
    assert np.abs(act[:, 1] - 2.5).mean() < 0.5 * UNIFORM
    np.testing.assert_array_equal(act, policy.act(np.zeros((4, 3), np.float32), steps=7))
