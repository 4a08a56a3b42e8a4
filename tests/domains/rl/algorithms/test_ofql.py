"""OFQL's losses against their formulas written out once more, and what must not carry gradient."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_rl import bandit, q_of, scrambled, trainer

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching, MeanFlow, SplitMeanFlow
from oneleap.core.training.optim import AdamConfig
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Spec
from oneleap.domains.rl.nets.critics import Critic

SMALL = {"width": 16, "depth": 2, "time_dim": 8, "compile_loss": False}


def small_ofql(spec: Spec, **kwargs: object) -> OFQL:
    return OFQL(spec, MeanFlow(), **{**SMALL, **kwargs})


def test_critic_members_are_separate_networks(spec: Spec, batch: Transitions) -> None:
    critic = Critic(spec.obs_dim, spec.act_dim, 16, 2, members=3)
    q = critic(batch.obs, batch.act)
    for member in range(3):
        expected = q_of(critic, member, batch.obs, batch.act)
        torch.testing.assert_close(q[member], expected)
        chosen = critic(batch.obs, batch.act, torch.tensor([member]))
        torch.testing.assert_close(chosen[0], expected)
    assert not torch.allclose(q[0], q[1])


@pytest.mark.parametrize("max_q", [False, True])
def test_critic_loss_is_clipped_double_q(spec: Spec, batch: Transitions, max_q: bool) -> None:
    policy = small_ofql(spec, max_q_backup=max_q, backup_actions=4)
    scrambled(policy.target_critic, 1)
    scrambled(policy.average, 2)
    draw = policy.draw(batch, torch.Generator().manual_seed(0))
    loss, q = policy.critic_loss(dict(policy.critic.named_parameters()), batch, draw)

    s = (batch.obs - torch.tensor(spec.obs_mean)) / torch.tensor(spec.obs_std)
    s2 = (batch.next_obs - torch.tensor(spec.obs_mean)) / torch.tensor(spec.obs_std)
    a = (batch.act - torch.tensor([0.0, 1.0])) / torch.tensor([1.0, 3.0])
    k = 4 if max_q else 1
    best = []
    for member in range(2):
        values = []
        for j in range(k):
            e = draw.next_noise[j::k]
            zero, one = torch.zeros(len(e)), torch.ones(len(e))
            a2 = (e - policy.average(e, zero, one, s2)).clamp(-1, 1)
            values.append(q_of(policy.target_critic, member, s2, a2))
        best.append(torch.stack(values).amax(0))
    y = batch.reward + batch.discount * torch.minimum(*best)
    assert not q.requires_grad
    torch.testing.assert_close(q[1], q_of(policy.critic, 1, s, a))
    expected = sum((q_of(policy.critic, i, s, a) - y).square().mean() for i in range(2))
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("critic_index", [0, 1])
def test_actor_loss_is_imitation_minus_scaled_value(
    spec: Spec, batch: Transitions, critic_index: int
) -> None:
    policy = small_ofql(spec, eta=0.7)
    draw = policy.draw(batch, torch.Generator().manual_seed(0))._replace(
        critic_index=torch.tensor([critic_index])
    )
    scale = torch.tensor(3.0)
    loss, _ = policy.actor_loss(dict(policy.net.named_parameters()), batch, draw, scale)
    s = policy.normalize_obs(batch.obs)
    imitation = policy.objective.loss(policy.bind(batch), draw.imitation).per_sample.mean()
    zero, one = torch.zeros(len(s)), torch.ones(len(s))
    a = (draw.noise - policy.net(draw.noise, zero, one, s)).clamp(-1, 1)
    value = q_of(policy.critic, critic_index, s, a).mean()
    torch.testing.assert_close(loss, imitation - 0.7 * value / scale)


def test_gradients_are_those_of_the_formulas(spec: Spec, batch: Transitions) -> None:
    """The scale, the target and the critics get no gradient from the actor, nor it from theirs."""
    policy = small_ofql(spec, eta=0.7)
    scrambled(policy.target_critic, 1)
    draw = policy.draw(batch, torch.Generator().manual_seed(0))
    dactor, dcritic, _ = policy.gradients(batch, draw)

    actor = dict(policy.net.named_parameters())
    s = policy.normalize_obs(batch.obs)
    with torch.no_grad():
        critic_index = int(draw.critic_index)
        scale = q_of(policy.critic, 1 - critic_index, s, policy.data(batch)).abs().mean()
        action = policy.actor_loss(actor, batch, draw, scale)[1]["q_policy"]
    zero, one = torch.zeros(len(s)), torch.ones(len(s))
    imitation = policy.objective.loss(policy.bind(batch), draw.imitation).per_sample.mean()
    a = (draw.noise - policy.net(draw.noise, zero, one, s)).clamp(-1, 1)
    value = policy.critic(s, a, draw.critic_index).mean()
    torch.testing.assert_close(value.detach(), action)
    expected = torch.autograd.grad(imitation - 0.7 * value / scale, list(actor.values()))
    for name, gradient in zip(actor, expected, strict=True):
        torch.testing.assert_close(dactor[name], gradient, atol=1e-6, rtol=1e-4)

    critic = dict(policy.critic.named_parameters())
    with torch.no_grad():
        s2 = policy.normalize_obs(batch.next_obs)
        future = policy.next_value(s2, draw.next_noise)
        y = batch.reward + batch.discount * future
    loss = (policy.critic(s, policy.data(batch)) - y).square().mean(1).sum()
    expected = torch.autograd.grad(loss, list(critic.values()))
    for name, gradient in zip(critic, expected, strict=True):
        torch.testing.assert_close(dcritic[name], gradient, atol=1e-6, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_a_step_moves_everything_at_its_own_rate(spec: Spec, batch: Transitions) -> None:
    policy = small_ofql(spec, tau=0.25, ema=0.5, ema_every=1, ema_start=1)
    target = [p.clone() for p in policy.target_critic.parameters()]
    trainer(1).fit(policy, itertools.repeat(batch))
    moved = policy.critic.parameters()
    for new, old, online in zip(policy.target_critic.parameters(), target, moved, strict=True):
        torch.testing.assert_close(new, 0.75 * old + 0.25 * online)
    for mine, theirs in zip(policy.average.parameters(), policy.net.parameters(), strict=True):
        assert torch.equal(mine, theirs), "before ema_start the average is a copy"
    before = [p.clone() for p in policy.average.parameters()]
    policy.ema_start = 0
    trainer(1).fit(policy, itertools.repeat(batch))
    for new, old, online in zip(
        policy.average.parameters(), before, policy.net.parameters(), strict=True
    ):
        torch.testing.assert_close(new, 0.5 * old + 0.5 * online)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
@pytest.mark.parametrize("objective", [MeanFlow(), SplitMeanFlow(), FlowMatching()])
def test_value_draws_the_policy_to_better_actions(spec: Spec, objective: object) -> None:
    fast = AdamConfig(lr=5e-3)
    common = {**SMALL, "width": 64, "optimizer": fast, "ema": 0.9}
    clone = Policy(spec, objective, **common)
    greedy = OFQL(
        spec,
        objective,
        eta=0.2,
        critic_warmup=200,
        critic_optimizer=fast,
        ema_every=1,
        ema_start=0,
        **common,
    )
    obs = np.zeros((512, 3), np.float32)
    means = []
    for policy in (clone, greedy):
        trainer(400).fit(policy, bandit(256))
        act = policy.act(obs, generator=torch.Generator().manual_seed(0))
        means.append(np.abs(act[:, 1] - 2.5).mean())
    assert means[1] < 0.8 * means[0], means


def test_choice_prefers_valued_candidates(spec: Spec) -> None:
    policy = small_ofql(spec, temperature=0.01)
    s = torch.zeros(12, 3)
    a = torch.linspace(-1, 1, 24).reshape(12, 2)
    q = policy.target_critic(s, a).amin(0).reshape(3, 4)
    kept = policy.select_action(s, a, 4, torch.Generator().manual_seed(0))
    best = a.reshape(3, 4, 2)[torch.arange(3), q.argmax(1)]
    spread = q.sort(1).values
    if (spread[:, -1] - spread[:, -2]).min() > 0.05:
        assert torch.equal(kept, best)
    policy.temperature = 1e6
    many = torch.zeros(4000, 3), torch.arange(4000.0)[:, None].expand(-1, 2)
    index = policy.select_action(*many, 4, torch.Generator().manual_seed(0))[:, 0] % 4
    shares = torch.bincount(index.long(), minlength=4) / 1000
    assert (shares - 0.25).abs().max() < 0.06


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"width": 0}, "width: 0 is not positive"),
        ({"depth": 0}, "depth: 0 is not positive"),
        ({"time_dim": 63}, "time_dim: 63 is no even number"),
        ({"backup_actions": 0}, "backup_actions: 0 is not positive"),
        ({"ema_every": 0}, "ema_every: 0 is not positive"),
        ({"tau": 0.0}, "tau: 0.0 is not positive"),
    ],
)
def test_numbers_that_make_no_policy_are_told(spec: Spec, wrong: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        OFQL(spec, MeanFlow(), **wrong)
