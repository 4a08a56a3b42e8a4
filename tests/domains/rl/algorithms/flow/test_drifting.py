"""Drifting policies against their formulas, written with loops over samples."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.tiny_rl import SMALL, UNIFORM, bandit, both, fast, same_gradients, scrambled, seeded
from support.tiny_rl import train as trained
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.rl.algorithms.flow.drifting import DFP, Drifting, drift
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.spec import Spec


def same(x: Tensor) -> Tensor:
    return x


def slow_force(x: Tensor, y: Tensor, temperatures: tuple[float, ...]) -> tuple[Tensor, float]:
    """The force, entry by entry, in float64."""
    x, y = x.detach().double(), y.detach().double()
    b, g, d = x.shape
    z = torch.cat([x, y], 1)
    n = z.shape[1]
    length = torch.stack(
        [torch.stack([(x[k, i] - z[k]).norm(dim=1) for i in range(g)]) for k in range(b)]
    ).clamp(min=1e-4)
    mean = float(length.mean())
    unit, total = mean / math.sqrt(d), torch.zeros_like(x)
    for temperature in temperatures:
        force = torch.zeros_like(x)
        for k in range(b):
            far = length[k] / mean
            far[range(g), range(g)] += 100
            kernel = (-far / temperature).exp()
            a = (kernel / kernel.sum(1, keepdim=True) * kernel / kernel.sum(0)).clamp(min=1e-6)
            a = a.sqrt()
            for i in range(g):
                to, away = a[i, g:].sum(), a[i, :g].sum()
                for j in range(n):
                    weight = a[i, j] * (away if j >= g else -to)
                    force[k, i] += weight * z[k, j] / unit
        total += force / force.square().mean().sqrt()
    return total, unit


def test_the_force_is_the_published_one() -> None:
    x, y = torch.randn(4, 3, 2, generator=seeded()), torch.randn(4, 2, 2, generator=seeded(1))
    for temperatures in ((0.1,), (0.05, 0.5)):
        force, unit = drift(x, y, temperatures, same)
        wanted, wanted_unit = slow_force(x, y, temperatures)
        torch.testing.assert_close(force.double(), wanted, rtol=1e-3, atol=1e-4)
        assert float(unit) == pytest.approx(wanted_unit, rel=1e-4)


def test_samples_come_nearer_to_the_positive_and_stay_apart() -> None:
    x = torch.tensor([[[-1.0], [-0.9]]])
    force, _ = drift(x, torch.tensor([[[0.5]]]), (1.0,), same)
    assert (force > 0).all()
    assert force[0, 1] > force[0, 0], "the nearer one is pushed ahead by the other"
    even, _ = drift(torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[[-1.0], [1.0]]]), (0.5,), same)
    assert even[0, 0] == pytest.approx(-even[0, 1])


def small(spec: Spec, **kwargs: object) -> DFP:
    settings = {"improvement": 0.5, "candidates": 5, "positives": 2, "num_action_samples": 3}
    policy = DFP(spec, Drifting(4, (0.1, 0.5)), **{**SMALL, **settings, **kwargs})
    scrambled(policy.net, 0)
    scrambled(policy.average, 1)
    scrambled(policy.target_critic, 2)
    return policy


def mapped(net: torch.nn.Module, e: Tensor, s: Tensor) -> Tensor:
    return (e - net(e, torch.zeros(len(e)), torch.ones(len(e)), s)).clamp(-1, 1)


def test_the_actor_is_its_formulas(spec: Spec, batch: Transitions) -> None:
    batch = Transitions(*(c[:6] for c in batch if c is not None))
    policy = small(spec, alpha=2.0)
    draw = policy.draw(batch, seeded())
    dactor, dcritic, logs = policy.gradients(batch, draw)
    s, s2 = policy.normalize_obs(batch.obs), policy.normalize_obs(batch.next_obs)
    assert draw.imitation.e.shape == (6, 4, 2)
    assert draw.noise.shape == (5, 6, 2)
    x = torch.stack([mapped(policy.net, draw.imitation.e[:, k], s) for k in range(4)], 1)
    with torch.no_grad():
        offered = torch.stack([mapped(policy.average, e, s) for e in draw.noise], 1)
        q = torch.stack([both(policy.critic, s, offered[:, k]).mean(0) for k in range(5)], 1)
        best = q.argsort(1, descending=True)[:, :2]
        liked = torch.stack([offered[i, best[i]] for i in range(6)])

    def distance(y: Tensor) -> Tensor:
        force, unit = slow_force(x, y, (0.1, 0.5))
        goal = x.detach() / unit + force.float()
        return (x / unit - goal).square().mean()

    loss = 2 * distance(policy.data(batch)[:, None]) + 0.5 * distance(liked)
    torch.testing.assert_close(logs["actor_loss"], loss.detach(), rtol=1e-3, atol=1e-4)
    named = dict(policy.net.named_parameters())
    wanted = torch.autograd.grad(loss, list(named.values()))
    for name, gradient in zip(named, wanted, strict=True):
        torch.testing.assert_close(dactor[name], gradient, rtol=1e-2, atol=1e-3)

    with torch.no_grad():
        e = draw.next_noise.view(6, 3, 2)
        a2 = torch.stack([mapped(policy.average, e[:, k], s2) for k in range(3)], 1)
        judged = torch.stack([both(policy.critic, s2, a2[:, k]).mean(0) for k in range(3)], 1)
        chosen = a2[torch.arange(6), judged.argmax(1)]
        y = batch.reward + batch.discount * both(policy.target_critic, s2, chosen).mean(0)
    td = (both(policy.critic, s, policy.data(batch)) - y).square().mean(1).sum()
    same_gradients(dcritic, td, policy.critic)


def test_actions_beyond_the_end_of_an_episode_do_not_attract(spec: Spec) -> None:
    objective = Drifting(3, (0.5,))
    x = torch.randn(2, 3, 4, generator=seeded(), requires_grad=True)
    y = torch.randn(2, 1, 4, generator=seeded(1))
    mask = torch.tensor([[True, True, False, False]]).expand(2, 4)
    loss = objective.towards(x, y, mask, same).per_sample.sum()
    (gradient,) = torch.autograd.grad(loss, x)
    assert not gradient[..., 2:].any()
    assert gradient[..., :2].any()
    other = objective.towards(x, y + 9 * ~mask[:, None], mask, same).per_sample.sum()
    assert torch.equal(other, loss)


def test_without_improvement_no_candidate_is_drawn(spec: Spec, batch: Transitions) -> None:
    policy = small(spec, improvement=0.0)
    draw = policy.draw(batch, seeded())
    assert draw.noise.shape == (32, 2)
    with_value, _, _ = policy.gradients(batch, draw)
    with torch.no_grad():
        policy.critic.weights[0].zero_()
    without, _, _ = policy.gradients(batch, draw)
    assert all(torch.equal(with_value[name], without[name]) for name in without)


def test_refused(spec: Spec) -> None:
    with pytest.raises(InputError, match="2 or more samples"):
        Drifting(samples=1)
    with pytest.raises(InputError, match=r"temperatures: 0\.0 is not positive"):
        Drifting(temperatures=(0.0,))
    with pytest.raises(InputError, match="positives: 9 of 5 candidates"):
        small(spec, positives=9)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_a_clone_covers_two_modes(spec: Spec) -> None:
    """Actions are at -0.5 or 0.5, whatever the state; a regression would stay between."""

    def two() -> Iterator[Transitions]:
        for rows in bandit(64):
            sign = torch.where(rows.act[:, :1] > 0, 1.0, -1.0)
            act = torch.cat([0.5 * sign, 1 + 1.5 * sign], 1)
            yield rows._replace(act=act, obs=0 * rows.obs)

    settings = {k: v for k, v in fast(0.0).items() if k != "critic_config"}
    policy = Policy(spec, Drifting(8, (0.1, 0.5)), **settings)
    trained(policy, 150, two())
    act = policy.act(np.zeros((400, 3), np.float32), generator=seeded())[:, 0]
    assert 0.3 < act.std() < 0.65
    assert 0.2 < (act > 0).mean() < 0.8


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_its_own_best_actions_lead_the_policy(spec: Spec) -> None:
    settings = fast(layer_norm=True, q_agg="mean")
    policy = DFP(spec, Drifting(target_ema=0.9), **settings, alpha=0.3, improvement=1.0)
    trained(policy, 200, bandit())
    act = policy.act(np.zeros((512, 3), np.float32), num_action_samples=1, generator=seeded())
    assert np.abs(act[:, 1] - 2.5).mean() < 0.6 * UNIFORM
    assert replace(policy.objective, samples=2).samples == 2
