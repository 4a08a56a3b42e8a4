"""Diffusion-QL against its formulas, with epsilon prediction."""

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

from oneleap.core.errors import InputError
from oneleap.core.paths.ddpm import VPBetas
from oneleap.core.sampling.diffusion import ddpm
from oneleap.domains.rl.algorithms.denoising_policy import ancestral_sampling, denoising_steps
from oneleap.domains.rl.algorithms.dql import DQL
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig
from oneleap.domains.rl.spec import Spec


def small_dql(spec: Spec, **kwargs: object) -> DQL:
    policy = DQL(spec, **{**SMALL, "steps": 4, **kwargs})
    for k, net in enumerate((policy.net, policy.average, policy.target_critic)):
        scrambled(net, k)
    return policy


def schedule(n: int) -> tuple[Tensor, Tensor]:
    """``beta`` and ``abar`` of the VP schedule for steps 1 to n, float32 as the network's input."""
    k = torch.arange(1, n + 1).double()
    beta = 1 - (-0.1 / n - 0.5 * 9.9 * (2 * k - 1) / n**2).exp()
    return beta, (1 - beta).cumprod(0)


def epsilon(net: nn.Module, x: Tensor, abar: Tensor, s: Tensor) -> Tensor:
    """The noise in ``x_k``, of a network that predicts velocity on the linear path."""
    a, b = (c.float().expand(len(x)) for c in (abar.sqrt(), (1 - abar).sqrt()))
    z, t = x / (a + b)[:, None], b / (a + b)
    return z + (1 - t)[:, None] * net(z, t, t, s)


def chain(net: nn.Module, noise: Tensor, s: Tensor, n: int) -> Tensor:
    """Reverse process with the posterior of Ho et al., data clipped."""
    beta, abar = schedule(n)
    before = torch.cat([torch.ones(1).double(), abar[:-1]])
    x = noise[0]
    for i, k in enumerate(reversed(range(n))):
        eps = epsilon(net, x, abar[k], s)
        x0 = ((x - (1 - abar[k]).sqrt().float() * eps) / abar[k].sqrt().float()).clamp(-1, 1)
        c0 = beta[k] * before[k].sqrt() / (1 - abar[k])
        c1 = (1 - before[k]) * (1 - beta[k]).sqrt() / (1 - abar[k])
        x = c0.float() * x0 + c1.float() * x
        if k > 0:
            variance = beta[k] * (1 - before[k]) / (1 - abar[k])
            x = x + variance.sqrt().float() * noise[i + 1]
    return x


def test_the_chain_is_the_ancestral_sampler_of_the_core() -> None:
    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return (3 * z + t[:, None]).sin() * 2

    for n, steps in ((5, None), (1, None), (50, None), (50, 7)):
        noise = torch.randn(n, 6, 2, generator=seeded(n)).double()
        expected = ddpm(field, noise[0], VPBetas(n), steps=steps, clip=1.0, noises=noise[1:])
        found = ancestral_sampling(field, noise, denoising_steps(VPBetas(n), steps))
        torch.testing.assert_close(found, expected)
    assert found.abs().max() <= 1
    with pytest.raises(InputError, match="a schedule of 5 steps samples in 1 to 5 steps, not 6"):
        denoising_steps(VPBetas(5), 6)


@pytest.mark.parametrize("index", [0, 1])
def test_actor_gradient_is_that_of_noise_prediction_and_value_through_the_chain(
    spec: Spec, batch: Transitions, index: int
) -> None:
    policy = small_dql(spec, eta=0.7)
    draw = policy.draw(batch, seeded())._replace(critic_index=torch.tensor([index]))
    dactor, dcritic, logs = policy.gradients(batch, draw)

    s, a, e = policy.normalize_obs(batch.obs), policy.data(batch), draw.imitation.e
    _, abar = schedule(4)
    times = (1 - abar).sqrt() / (abar.sqrt() + (1 - abar).sqrt())
    k = (draw.imitation.t[:, None].double() - times).abs().argmin(1)
    assert set(k.tolist()) == {0, 1, 2, 3}
    rows = abar[k].float()
    x = rows.sqrt()[:, None] * a + (1 - rows).sqrt()[:, None] * e
    imitation = (epsilon(policy.net, x, abar[k], s) - e).square().mean()
    action = chain(policy.net, draw.noise, s, 4)
    q = both(policy.critic, s, action)
    loss = imitation - 0.7 * q[index].mean() / q[1 - index].detach().abs().mean()
    torch.testing.assert_close(logs["actor_loss"], loss.detach())
    same_gradients(dactor, loss, policy.net)

    s2 = policy.normalize_obs(batch.next_obs)
    with torch.no_grad():
        a2 = chain(policy.average, draw.next_noise, s2, 4)
        y = batch.reward + batch.discount * both(policy.target_critic, s2, a2).amin(0)
    same_gradients(dcritic, (both(policy.critic, s, a) - y).square().mean(1).sum(), policy.critic)


def test_max_q_backup_takes_the_best_of_its_actions(spec: Spec, batch: Transitions) -> None:
    config = CriticConfig(max_q_backup=True, backup_actions=3)
    policy = small_dql(spec, critic_config=config)
    draw = policy.draw(batch, seeded())
    assert draw.next_noise.shape == (4, 3 * len(batch.obs), 2)
    s2 = policy.normalize_obs(batch.next_obs)
    q = [
        both(policy.target_critic, s2, chain(policy.average, draw.next_noise[:, j::3], s2, 4))
        for j in range(3)
    ]
    expected = torch.stack(q).amax(0).amin(0)
    torch.testing.assert_close(policy.next_value(s2, draw.next_noise), expected)


def test_it_acts_by_one_of_fifty_and_in_any_number_of_steps(spec: Spec) -> None:
    policy = small_dql(spec, temperature=1e-6)
    obs = np.ones((3, 3), np.float32)
    acts = policy.act(obs, generator=seeded())
    s = policy.normalize_obs(torch.tensor(obs)).repeat_interleave(50, 0)
    offered = chain(policy.average, torch.randn(4, 150, 2, generator=seeded()), s, 4)
    best = both(policy.target_critic, s, offered).amin(0).reshape(3, 50).argmax(1)
    expected = offered.reshape(3, 50, 2)[torch.arange(3), best] * torch.tensor([1.0, 3.0])
    np.testing.assert_allclose(acts, (expected + torch.tensor([0.0, 1.0])).detach(), atol=1e-5)
    one, all_four, two = (
        policy.act(obs, num_action_samples=1, steps=steps, generator=seeded())
        for steps in (None, 4, 2)
    )
    np.testing.assert_array_equal(one, all_four)
    assert not np.allclose(one, two)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_value_leads_the_policy_to_better_actions(spec: Spec) -> None:
    policy = DQL(spec, **fast(0.9), steps=2, eta=1.0, ema_every=1, ema_start=0)
    train(policy, 250, bandit())
    act = policy.act(np.zeros((512, 3), np.float32), num_action_samples=1, generator=seeded())
    assert np.abs(act[:, 1] - 2.5).mean() < 0.5 * UNIFORM
