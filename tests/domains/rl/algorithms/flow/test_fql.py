"""FQL and FBRAC against their formulas, with the flow solved in the authors' direction of time."""

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

from oneleap.domains.rl.algorithms.flow.fbrac import FBRAC
from oneleap.domains.rl.algorithms.flow.fql import FQL
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig
from oneleap.domains.rl.spec import Spec


def small(kind: type[FQL] | type[FBRAC], spec: Spec, **kwargs: object) -> FQL | FBRAC:
    """A policy whose student generates actions out of range, so that clipping matters."""
    policy = kind(spec, **{**SMALL, **kwargs})
    scrambled(policy.net, 0)
    policy.average.load_state_dict(policy.net.state_dict())
    scrambled(policy.target_critic, 2)
    return policy


def solved(flow: nn.Module, e: Tensor, s: Tensor, steps: int) -> Tensor:
    """Euler's method from noise at time 0 to data at time 1, as the authors write it."""
    x = e
    for k in range(steps):
        t = torch.full((len(x),), 1 - k / steps)
        x = x - flow(x, t, t, s) / steps
    return x


def flow_matching(flow: nn.Module, a: Tensor, e: Tensor, t: Tensor, s: Tensor) -> Tensor:
    z = t[:, None] * e + (1 - t[:, None]) * a
    return (flow(z, t, t, s) - (e - a)).square().mean()


def jumped(student: nn.Module, e: Tensor, s: Tensor) -> Tensor:
    return e - student(e, torch.zeros(len(e)), torch.ones(len(e)), s)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("q_agg", ["mean", "min"])
def test_fql_is_its_formulas(spec: Spec, batch: Transitions, q_agg: str, normalize: bool) -> None:
    config = CriticConfig(layer_norm=True, q_agg=q_agg)
    policy = small(FQL, spec, alpha=3.0, flow_steps=4, normalize_q=normalize, critic_config=config)
    draw = policy.draw(batch, seeded())
    dactor, dcritic, logs = policy.gradients(batch, draw)
    s, s2, a = (
        policy.normalize_obs(batch.obs),
        policy.normalize_obs(batch.next_obs),
        policy.data(batch),
    )
    student, flow = policy.net.student, policy.net.flow

    wanted = jumped(student, draw.noise, s)
    flow_action = solved(flow, draw.noise, s, 4)
    assert wanted.abs().max() > 1
    assert flow_action.abs().max() > 1
    imitation = flow_matching(flow, a, draw.imitation.e, draw.imitation.t, s)
    distillation = (wanted - flow_action.clamp(-1, 1).detach()).square().mean()
    q = both(policy.critic, s, wanted.clamp(-1, 1)).mean(0)
    unit = q.abs().mean().detach() if normalize else 1
    loss = imitation + 3 * distillation - q.mean() / unit
    torch.testing.assert_close(logs["actor_loss"], loss.detach())
    same_gradients(dactor, loss, policy.net)

    with torch.no_grad():
        a2 = jumped(policy.net.student, draw.next_noise, s2).clamp(-1, 1)
        q2 = both(policy.target_critic, s2, a2)
        y = batch.reward + batch.discount * (q2.mean(0) if q_agg == "mean" else q2.amin(0))
    same_gradients(dcritic, (both(policy.critic, s, a) - y).square().mean(1).sum(), policy.critic)


def test_the_flow_learns_from_data_alone(spec: Spec, batch: Transitions) -> None:
    policy = small(FQL, spec, alpha=3.0)
    draw = policy.draw(batch, seeded())
    dactor, _, _ = policy.gradients(batch, draw)
    policy.alpha = 0.0
    with torch.no_grad():
        policy.critic.weights[0].zero_()
    again, _, _ = policy.gradients(batch, draw)
    assert all(torch.equal(dactor[name], again[name]) for name in dactor if "flow" in name)
    assert not any(again[name].any() for name in again if "student" in name)


def test_the_gradient_of_fbrac_goes_through_the_solver(spec: Spec, batch: Transitions) -> None:
    policy = small(FBRAC, spec, alpha=3.0, steps=4)
    draw = policy.draw(batch, seeded())
    dactor, dcritic, logs = policy.gradients(batch, draw)
    s, s2, a = (
        policy.normalize_obs(batch.obs),
        policy.normalize_obs(batch.next_obs),
        policy.data(batch),
    )
    imitation = flow_matching(policy.net, a, draw.imitation.e, draw.imitation.t, s)
    value = both(policy.critic, s, solved(policy.net, draw.noise, s, 4).clamp(-1, 1)).mean()
    loss = 3 * imitation - value
    torch.testing.assert_close(logs["actor_loss"], loss.detach())
    same_gradients(dactor, loss, policy.net)
    with torch.no_grad():
        a2 = solved(policy.net, draw.next_noise, s2, 4).clamp(-1, 1)
        y = batch.reward + batch.discount * both(policy.target_critic, s2, a2).mean(0)
    same_gradients(dcritic, (both(policy.critic, s, a) - y).square().mean(1).sum(), policy.critic)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
@pytest.mark.parametrize("kind", [FQL, FBRAC])
def test_value_leads_the_policy_to_better_actions(
    spec: Spec, kind: type[FQL] | type[FBRAC]
) -> None:
    steps = {"flow_steps": 3} if kind is FQL else {"steps": 3}
    settings = fast(layer_norm=True, q_agg="mean")
    policy = kind(spec, **settings, **steps, alpha=0.3, normalize_q=True)
    train(policy, 150, bandit())
    for mine, theirs in zip(policy.average.parameters(), policy.net.parameters(), strict=True):
        assert torch.equal(mine, theirs), "the latest weights act"
    act = policy.act(np.zeros((512, 3), np.float32), generator=seeded())
    assert np.abs(act[:, 1] - 2.5).mean() < 0.5 * UNIFORM
