"""MeanFlowQL against its formulas, in terms of g, with the derivative by finite differences."""

import copy
import math
from dataclasses import replace

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
from torch import Tensor, nn

from oneleap.core.types import Conditioned, Draw, TrainingBatch
from oneleap.domains.rl.algorithms.flow.meanflow_ql import (
    AdaptiveAlpha,
    MeanFlowQL,
    ResidualMeanFlow,
)
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig
from oneleap.domains.rl.spec import Spec


def small(spec: Spec, objective: ResidualMeanFlow, **kwargs: object) -> MeanFlowQL:
    policy = MeanFlowQL(spec, objective, **{**SMALL, **kwargs})
    scrambled(policy.net, 0)
    policy.average.load_state_dict(policy.net.state_dict())
    scrambled(policy.target_critic, 2)
    return policy


def g_of(net: nn.Module, z: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """The network's own output, up to its sign: the residual form cancels ``z``."""
    return z - net(z, torch.zeros_like(t), t, s)


def flow_loss(policy: MeanFlowQL, batch: Transitions, draw: Draw, clip: float) -> Tensor:
    s, a, e = policy.normalize_obs(batch.obs), policy.data(batch), draw.e
    t, later = draw.t[:, None], draw.s[:, None]
    z, v = (1 - t) * a + t * e, e - a
    g, h = g_of(policy.net, z, draw.t, s), 1e-3
    with torch.no_grad():
        net = copy.deepcopy(policy.net).double()
        ahead, behind = (
            g_of(net, (z + d * v).double(), (draw.t + d).double(), s.double()) for d in (h, -h)
        )
        dgdt = ((ahead - behind) / (2 * h)).float()
        target = (z + (t - 1) * v - t * dgdt).clamp(-clip, clip)
        z2 = (1 - later) * a + later * e
        other = z2 - later * (z2 - g_of(policy.net, z2, draw.s, s))
    error = (g - target).square().mean(1)
    consistency = (z - t * (z - g) - other).square().mean(1)
    return (error / (error.detach() + 1e-4) ** 0.2).mean() + 0.7 * consistency.mean()


@pytest.mark.parametrize("clip", [5.0, 0.4])
def test_the_actor_is_its_formulas(spec: Spec, batch: Transitions, clip: float) -> None:
    policy = small(spec, ResidualMeanFlow(grid=10, clip=clip, consistency=0.7), alpha=3.0)
    draw = policy.draw(batch, seeded())
    dactor, _, logs = policy.gradients(batch, draw)
    s, zero, one = policy.normalize_obs(batch.obs), torch.zeros(32), torch.ones(32)
    a = draw.noise - policy.net(draw.noise, zero, one, s)
    assert a.abs().max() > 1
    outside = (a - 1).clamp(min=0).mean() + (-1 - a).clamp(min=0).mean()
    value = both(policy.critic, s, a.clamp(-1, 1)).mean()
    loss = outside - value + 3 * flow_loss(policy, batch, draw.imitation, clip)
    torch.testing.assert_close(logs["actor_loss"], loss.detach(), rtol=1e-4, atol=1e-5)
    named = dict(policy.net.named_parameters())
    wanted = torch.autograd.grad(loss, list(named.values()))
    for name, gradient in zip(named, wanted, strict=True):
        torch.testing.assert_close(dactor[name], gradient, rtol=2e-3, atol=2e-4)


def test_times_lie_on_the_grid_and_end_at_one() -> None:
    x = torch.zeros(4000, 2)
    draw = ResidualMeanFlow(grid=4).draw(x, seeded())
    assert torch.equal(draw.t.unique(), torch.tensor([0.25, 0.5, 0.75, 1]))
    assert not torch.equal(draw.t, draw.s)
    assert not draw.r.any()
    fine = ResidualMeanFlow(grid=10_000).draw(x, seeded())
    assert len(fine.t.unique()) > 3900


@pytest.mark.parametrize("n", [5, 1])
def test_the_target_takes_the_best_of_half_its_candidates(
    spec: Spec, batch: Transitions, n: int
) -> None:
    policy = small(spec, ResidualMeanFlow(), num_action_samples=n)
    draw = policy.draw(batch, seeded())
    _, dcritic, _ = policy.gradients(batch, draw)
    s, s2 = policy.normalize_obs(batch.obs), policy.normalize_obs(batch.next_obs)
    k = {5: 2, 1: 1}[n]
    assert draw.next_noise.shape == (32 * k, 2)
    zero, one, q2 = torch.zeros(32), torch.ones(32), []
    with torch.no_grad():
        for j in range(k):
            e = draw.next_noise[j::k]
            a2 = (e - policy.net(e, zero, one, s2)).clamp(-1, 1)
            q2.append(both(policy.target_critic, s2, a2).mean(0))
        y = batch.reward + batch.discount * torch.stack(q2).amax(0)
    loss = (both(policy.critic, s, policy.data(batch)) - y).square().mean(1).sum()
    same_gradients(dcritic, loss, policy.critic)


def test_exact_fields_of_gaussian_data_have_no_error() -> None:
    """Data N(m, s^2): E[u | z_t] is linear, and its mean g solves the identity in expectation."""
    m, std, n = 0.4, 0.3, 200_000

    def exact(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        now = ((1 - t) ** 2 * std**2 + t**2).sqrt()[:, None]
        x = m + std * (z - (1 - t)[:, None] * m) / now
        return (z - x) / t[:, None]

    objective = ResidualMeanFlow(grid=8, clip=50.0, power=0.0)
    x = m + std * torch.randn(n, 1, generator=seeded(1))
    draw = objective.draw(x, seeded(2))
    scale = torch.ones((), requires_grad=True)
    shift = torch.zeros((), requires_grad=True)
    field = Conditioned(lambda z, r, t: z - (scale * (z - exact(z, r, t)) + shift))
    loss = objective.loss(TrainingBatch(field=field, x=x), draw).per_sample.mean()
    gradients = torch.autograd.grad(loss, [scale, shift])
    assert all(abs(float(g)) < 0.02 for g in gradients), gradients
    off = Conditioned(lambda z, r, t: z - (scale * (z - exact(z, r, t)) + shift + 0.1))
    loss = objective.loss(TrainingBatch(field=off, x=x), draw).per_sample.mean()
    assert abs(float(torch.autograd.grad(loss, shift)[0])) > 0.1


def test_alpha_adapts_when_the_loss_leaves_its_past() -> None:
    adaptive, alpha = AdaptiveAlpha(), torch.tensor(10.0)
    past = torch.tensor([1.0, 3.0])

    def after(loss: float, alpha: Tensor = alpha, past: Tensor = past) -> float:
        return float(adaptive.next(alpha, 10.0, torch.tensor(loss), past))

    assert [after(x) for x in (10.1, 9.9, 0.41, 0.39)] == pytest.approx([12, 10, 10, 8])
    assert after(99.0, past=past[:1]) == 10
    assert after(99.0, torch.tensor(95.0)) == 100
    assert after(0.0, torch.tensor(1.1)) == pytest.approx(1)


def test_alpha_is_the_run_s_and_comes_back_with_it(spec: Spec) -> None:
    policy = small(spec, ResidualMeanFlow(), adaptive=AdaptiveAlpha(every=2, window=3, warmup=0.5))
    losses = iter([1.0, 1.0, 9.0, 0.1, 1.0])
    for step in range(1, 11):
        policy.after_step(
            {"flow_loss": torch.tensor(next(losses) if step % 2 == 0 else 7.0)}, step, 0.6
        )
    assert policy.past.tolist() == pytest.approx([9, 0.1, 1])
    assert float(policy.now) == pytest.approx(10 * 1.2 * 0.8)
    again = small(spec, ResidualMeanFlow(), adaptive=AdaptiveAlpha(every=2, window=3, warmup=0.5))
    again.load_state_dict(policy.state_dict())
    assert float(again.draw(next(bandit(4)), seeded()).alpha) == float(policy.now)
    fresh = small(spec, ResidualMeanFlow(), adaptive=AdaptiveAlpha(every=1, warmup=0.5))
    for loss in (1.0, 1.0, 9.0):
        fresh.after_step({"flow_loss": torch.tensor(loss)}, 1, 0.4)
    assert (float(fresh.now), int(fresh.known)) == (10, 3)


def test_alpha_decays_as_a_cosine_to_a_tenth(spec: Spec) -> None:
    policy, rows = small(spec, ResidualMeanFlow(), alpha=20.0, schedule="cosine"), next(bandit(4))
    found = [float(policy.draw(rows, seeded(), 0, p).alpha) for p in (0.0, 0.25, 0.5, 1.0)]
    assert found == pytest.approx([20, 2 + 9 * (1 + math.sqrt(0.5)), 11, 2])


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_value_leads_the_policy_to_better_actions(spec: Spec) -> None:
    settings = fast(layer_norm=True, q_agg="mean")
    policy = MeanFlowQL(spec, **settings, alpha=0.3, normalize_q=True)
    train(policy, 150, bandit())
    act = policy.act(np.zeros((512, 3), np.float32), num_action_samples=1, generator=seeded())
    assert np.abs(act[:, 1] - 2.5).mean() < 0.5 * UNIFORM
    assert replace(CriticConfig(), q_agg="mean").aggregate(torch.ones(2, 1)) == 1
