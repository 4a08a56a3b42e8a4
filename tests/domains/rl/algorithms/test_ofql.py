"""OFQL's losses against their formulas, and which terms carry no gradient."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_rl import SMALL, bandit, plain, q_of, scrambled, train

from oneleap.core.errors import InputError
from oneleap.core.objectives import Coupled, FlowMatching, MeanFlow, SplitMeanFlow
from oneleap.core.training.ema import PowerEMA
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.nets.critics import Critic
from oneleap.domains.rl.spec import Spec


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
    config = CriticConfig(max_q_backup=max_q, backup_actions=4)
    policy = small_ofql(spec, critic_config=config)
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


@pytest.mark.parametrize("index", [0, 1])
def test_actor_loss_is_imitation_minus_scaled_value(
    spec: Spec, batch: Transitions, index: int
) -> None:
    policy = small_ofql(spec, eta=0.7)
    draw = policy.draw(batch, torch.Generator().manual_seed(0))._replace(
        critic_index=torch.tensor([index])
    )
    scale = torch.tensor(3.0)
    loss, _ = policy.actor_loss(dict(policy.net.named_parameters()), batch, draw, scale)
    s = policy.normalize_obs(batch.obs)
    imitation = policy.objective.loss(policy.bind(batch), draw.imitation).per_sample.mean()
    zero, one = torch.zeros(len(s)), torch.ones(len(s))
    a = (draw.noise - policy.net(draw.noise, zero, one, s)).clamp(-1, 1)
    value = q_of(policy.critic, index, s, a).mean()
    torch.testing.assert_close(loss, imitation - 0.7 * value / scale)


def test_gradients_are_those_of_the_formulas(spec: Spec, batch: Transitions) -> None:
    """Neither the scale, the target nor the critics get a gradient from the actor loss."""
    policy = small_ofql(spec, eta=0.7)
    scrambled(policy.target_critic, 1)
    draw = policy.draw(batch, torch.Generator().manual_seed(0))
    dactor, dcritic, _ = policy.gradients(batch, draw)

    actor = dict(policy.net.named_parameters())
    s = policy.normalize_obs(batch.obs)
    with torch.no_grad():
        index = int(draw.critic_index)
        scale = q_of(policy.critic, 1 - index, s, policy.data(batch)).abs().mean()
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
    config = CriticConfig(tau=0.25)
    policy = small_ofql(spec, critic_config=config, recipe=plain(0.5), ema_every=1, ema_start=1)
    target = [p.clone() for p in policy.target_critic.parameters()]
    train(policy, 1, itertools.repeat(batch))
    moved = policy.critic.parameters()
    for new, old, online in zip(policy.target_critic.parameters(), target, moved, strict=True):
        torch.testing.assert_close(new, 0.75 * old + 0.25 * online)
    for mine, theirs in zip(policy.average.parameters(), policy.net.parameters(), strict=True):
        assert torch.equal(mine, theirs), "before ema_start the average is a copy"
    before = [p.clone() for p in policy.average.parameters()]
    policy.ema_start = 0
    train(policy, 1, itertools.repeat(batch))
    for new, old, online in zip(
        policy.average.parameters(), before, policy.net.parameters(), strict=True
    ):
        torch.testing.assert_close(new, 0.5 * old + 0.5 * online)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
@pytest.mark.parametrize("objective", [MeanFlow(), SplitMeanFlow(), FlowMatching()])
def test_value_leads_the_policy_to_better_actions(spec: Spec, objective: object) -> None:
    adam = AdamConfig(lr=5e-3)
    common = {"network": NetworkConfig(64, 2, 8), "recipe": plain(0.9, optimizer=adam)}
    clone = Policy(spec, objective, **common)
    greedy = OFQL(
        spec,
        objective,
        eta=0.2,
        critic_warmup=200,
        critic_config=CriticConfig(optimizer=adam),
        ema_every=1,
        ema_start=0,
        **common,
    )
    obs = np.zeros((512, 3), np.float32)
    means = []
    for policy in (clone, greedy):
        train(policy, 400, bandit(256))
        act = policy.act(obs, generator=torch.Generator().manual_seed(0))
        means.append(np.abs(act[:, 1] - 2.5).mean())
    assert means[1] < 0.8 * means[0], means


def test_the_best_of_several_actions_by_q_is_selected(spec: Spec) -> None:
    policy = small_ofql(spec, temperature=1e-3)
    scrambled(policy.target_critic, 0)
    s = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).repeat_interleave(4, 0)
    a = torch.rand(12, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    q = policy.target_critic(s, a).amin(0).reshape(3, 4)
    ordered = q.sort(1).values
    gap = ordered[:, -1] - ordered[:, -2]
    assert gap.min() > 0.05, "the best action is clearly better than the second"
    best = a.reshape(3, 4, 2)[torch.arange(3), q.argmax(1)]
    for temperature in (1e-3, 0.0):
        policy.temperature = temperature
        selected = policy.select_action(s, a, 4, torch.Generator().manual_seed(0))
        assert torch.equal(selected, best)


def test_a_high_temperature_selects_all_actions_alike(spec: Spec) -> None:
    policy = small_ofql(spec, temperature=1e6)
    many = torch.zeros(4000, 3), torch.arange(4000.0)[:, None].expand(-1, 2)
    index = policy.select_action(*many, 4, torch.Generator().manual_seed(0))[:, 0] % 4
    shares = torch.bincount(index.long(), minlength=4) / 1000
    assert (shares - 0.25).abs().max() < 0.06


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: {"network": NetworkConfig(width=0)}, "width: 0 is not positive"),
        (lambda: {"network": NetworkConfig(depth=0)}, "depth: 0 is not positive"),
        (lambda: {"network": NetworkConfig(time_dim=63)}, "time_dim: 63 is not an even number"),
        (lambda: {"critic_config": CriticConfig(backup_actions=0)}, "backup_actions: 0 is not"),
        (lambda: {"critic_config": CriticConfig(tau=0.0)}, "tau: 0.0 is not positive"),
        (lambda: {"ema_every": 0}, "ema_every: 0 is not positive"),
        (lambda: {"recipe": Recipe(ema=PowerEMA())}, "OFQL takes a decay, not a schedule"),
    ],
)
def test_impossible_settings_are_refused(
    spec: Spec, make: Callable[[], dict[str, Any]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        OFQL(spec, MeanFlow(), **make())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"recipe": plain(rank=2)}, "recipe.rank: OFQL does not support it"),
        ({"recipe": plain(log_variance=True)}, "recipe.log_variance: OFQL does not support it"),
        (
            {"objective": Coupled()},
            "Coupled pairs rows with equal conditions, and OFQL has a state",
        ),
    ],
)
def test_what_an_actor_critic_cannot_do_is_told(
    spec: Spec, settings: dict[str, Any], message: str
) -> None:
    policy = OFQL(spec, **{"objective": MeanFlow(), **SMALL, **settings})
    with pytest.raises(InputError, match=message):
        policy.lightning_module()
