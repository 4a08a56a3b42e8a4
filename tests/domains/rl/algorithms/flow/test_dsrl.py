"""DSRL against its formulas, and on a problem whose best noise is known."""

from dataclasses import replace
from pathlib import Path

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
from torch import Tensor
from torch.distributions import Normal, TanhTransform, TransformedDistribution

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching, MeanFlow
from oneleap.core.sampling.samplers import EulerSampler, FlowMapSampler
from oneleap.core.training.optim import AdamConfig
from oneleap.domains.rl.algorithms.flow.dsrl import DSRL
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.spec import Spec


def small(spec: Spec, **kwargs: object) -> DSRL:
    policy = DSRL(spec, sampler=EulerSampler(3), noise_bound=1.4, **{**SMALL, **kwargs})
    for k, net in enumerate((policy.net, policy.average, policy.critic, policy.target_critic)):
        scrambled(net, k)
    return policy


def solved(flow: torch.nn.Module, x: Tensor, s: Tensor) -> Tensor:
    for k in range(3):
        t = torch.full((len(x),), 1 - k / 3)
        x = x - flow(x, t, t, s) / 3
    return x.clamp(-1, 1)


def steered(policy: torch.nn.Module, eps: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Noise in [-1.4, 1.4], and the log-density of its tanh, by torch's distributions."""
    out = policy.layers(s)
    normal = Normal(out[:, :2], out[:, 2:].exp())
    squashed = TransformedDistribution(normal, [TanhTransform()])
    w = (out[:, :2] + out[:, 2:].exp() * eps).tanh()
    return 1.4 * w, squashed.log_prob(w).sum(1)


def test_it_is_its_formulas(spec: Spec, batch: Transitions) -> None:
    policy = small(spec, entropy=0.3)
    draw = policy.draw(batch, seeded())
    dactor, dcritic, logs = policy.gradients(batch, draw)
    s, s2, a = (
        policy.normalize_obs(batch.obs),
        policy.normalize_obs(batch.next_obs),
        policy.data(batch),
    )
    t, e = draw.imitation.t, draw.imitation.e
    z = (1 - t[:, None]) * a + t[:, None] * e
    flow = (policy.net.base(z, t, t, s) - (e - a)).square().mean()
    w, log_density = steered(policy.net.steer, draw.noise, s)
    c = policy.net.log_temperature.exp()
    value = both(policy.critic.noise, s, w).mean()
    soft = c.detach() * log_density.mean() - value
    warm = c * (-log_density.mean().detach() + 0.3 * 2)
    torch.testing.assert_close(logs["actor_loss"], (flow + soft + warm).detach())
    same_gradients(dactor, flow + soft + warm, policy.net)

    with torch.no_grad():
        w2, _ = steered(policy.average.steer, draw.next_noise[0], s2)
        q2 = both(policy.target_critic, s2, solved(policy.average.base, w2, s2))
        y = batch.reward + batch.discount * q2.mean(0)
        known = both(policy.critic, s, solved(policy.average.base, draw.next_noise[1], s))
    td = (both(policy.critic, s, a) - y).square().mean(1).sum()
    fit = (both(policy.critic.noise, s, draw.next_noise[1]) - known).square().mean(1).sum()
    named = dict(policy.critic.named_parameters())
    wanted = torch.autograd.grad(td + fit, list(named.values()))
    for name, gradient in zip(named, wanted, strict=True):  # rounding grows along the chain
        torch.testing.assert_close(dcritic[name], gradient, rtol=1e-2, atol=5e-3)


def taught(spec: Spec, folder: Path, **kwargs: object) -> DSRL:
    """A policy that steers a one-step clone, as a run with a teacher begins."""
    clone = Policy(spec, MeanFlow(), **SMALL)
    scrambled(clone.average, 5)
    clone.save_pretrained(folder)
    recipe = replace(SMALL["recipe"], teacher=str(folder), from_teacher=True)
    return DSRL(spec, sampler=FlowMapSampler(), **{**SMALL, "recipe": recipe, **kwargs})


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_a_teacher_is_steered_and_stays_as_it_is(spec: Spec, tmp_path: Path) -> None:
    policy = taught(spec, tmp_path)
    train(policy, 3, bandit(16))
    teacher = policy._teacher[0].average.state_dict()
    for net in (policy.net, policy.average):
        torch.testing.assert_close(net.base.state_dict(), teacher, rtol=0, atol=0)
    alone = DSRL(spec, **SMALL).net.steer.state_dict()
    assert any(not torch.equal(w, alone[k]) for k, w in policy.net.steer.state_dict().items())
    recipe = replace(policy.recipe, optimizer=AdamConfig(weight_decay=0.1))
    with pytest.raises(InputError, match="would move the frozen generator"):
        DSRL(spec, recipe=recipe)
    other = taught(spec, tmp_path, network=replace(SMALL["network"], width=12))
    with pytest.raises(InputError, match="has another network"):
        train(other, 1, bandit(16))


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_the_noise_of_the_best_action_is_found(spec: Spec) -> None:
    """G(w) = 0.4 w is fixed; the bandit's best second action is 0.5 on [-1, 1]: w = 1.25."""
    settings = fast(layer_norm=True, q_agg="mean", tau=0.1)

    class Linear(torch.nn.Module):
        def forward(self, z: Tensor, r: Tensor, t: Tensor, s: Tensor) -> Tensor:
            return 0.6 * z

    policy = DSRL(spec, sampler=FlowMapSampler(), noise_bound=2.0, entropy=2.0, **settings)
    policy.net.base = policy.average.base = Linear()
    policy.recipe = replace(policy.recipe, from_teacher=False)
    train(policy, 300, bandit())
    act = policy.act(np.zeros((1, 3), np.float32), noise_scale=0.0)
    assert abs(act[0, 1] - 2.5) < 0.25 * UNIFORM


def test_a_frozen_generator_and_its_noise_are_saved_and_loaded(spec: Spec, tmp_path: Path) -> None:
    policy = small(spec)
    policy.save_pretrained(tmp_path)
    again = DSRL.from_pretrained(tmp_path)
    obs = np.ones((4, 3), np.float32)
    np.testing.assert_array_equal(*(p.act(obs, generator=seeded()) for p in (policy, again)))
    s = policy.normalize_obs(torch.from_numpy(obs))
    e = torch.randn(4, 2, generator=seeded())
    with torch.no_grad():
        w, _ = steered(policy.average.steer, e, s)
        wanted = solved(policy.average.base, w, s) * torch.tensor([1.0, 3.0]) + torch.tensor(
            [0.0, 1]
        )
    np.testing.assert_allclose(again.act(obs, generator=seeded()), wanted, atol=1e-4)
    assert isinstance(again.objective, FlowMatching)
