"""BFQ's objective: displacements are composed, short intervals learn from the velocity."""

import dataclasses

import numpy as np
import pytest
import torch
from support.exact import Gaussian, on_trajectory
from support.tiny_rl import UNIFORM, bandit, fast, seeded, train
from torch import Tensor

from oneleap.core.objectives import SplitMeanFlow
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.types import TrainingBatch
from oneleap.domains.rl.algorithms.bfq import Bootstrap
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.spec import Spec


def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
    return (z + r[:, None]).sin() * (1 + t[:, None])


def point(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
    return z - (t - r)[:, None] * field(z, r, t)


def test_the_loss_is_the_paper_s_on_displacements() -> None:
    objective = Bootstrap(offset=0.2)
    x = torch.randn(20, 3, generator=seeded()).double()
    draw = objective.draw(x, seeded(1))
    bound = TrainingBatch(field=field, x=x, target=lambda z, r, t: z * torch.nan)
    found = objective.loss(bound, draw).per_sample

    r, s, t = draw.r, draw.s, draw.t
    z = (1 - t)[:, None] * x + t[:, None] * draw.e
    boundary = (field(z, r, t) - (draw.e - x)).square().mean(1)
    middle = point(z, s, t)
    composed = (point(z, r, t) - point(middle, r, s)).square().mean(1)
    torch.testing.assert_close(found[:10], boundary[:10])
    torch.testing.assert_close(found[10:], composed[10:])


def test_the_target_carries_no_gradient() -> None:
    objective, w = Bootstrap(), torch.ones((), requires_grad=True)
    x = torch.randn(20, 3, generator=seeded())
    draw = objective.draw(x, seeded(1))
    z = (1 - draw.t)[:, None] * x + draw.t[:, None] * draw.e
    bound = TrainingBatch(field=lambda z, r, t: w * field(z, r, t), x=x)
    (found,) = torch.autograd.grad(objective.loss(bound, draw).per_sample[10:].sum(), w)
    with torch.no_grad():
        target = point(point(z, draw.s, draw.t), draw.r, draw.s)
        span = (draw.t - draw.r)[:, None]
        slope = 2 * (point(z, draw.r, draw.t) - target) * -span * field(z, draw.r, draw.t)
    torch.testing.assert_close(found, slope.mean(1)[10:].sum(), atol=1e-5, rtol=1e-4)


def test_times_are_those_of_the_paper() -> None:
    objective = Bootstrap()
    draw = objective.draw(torch.zeros(20_000, 1), seeded())
    span = draw.t - draw.r
    assert (span[:10_000] >= 0).all()
    assert span[:10_000].max() < 1.001e-3
    assert abs(span[:10_000].mean() - 5e-4) < 1e-5
    assert ((draw.r <= draw.s) & (draw.s <= draw.t))[10_000:].all()
    share = ((draw.s - draw.r) / span)[10_000:]
    assert abs(share.mean() - 0.5) < 0.01
    assert (draw.r >= 0).all()


def test_rows_may_be_pinned_to_the_interval_that_acts() -> None:
    pairs = TimePairs(Uniform(), p_equal=0.5, deployed=(1,), p_deployed=0.25)
    draw = Bootstrap(pairs=pairs).draw(torch.zeros(100, 1), seeded())
    assert draw.s is not None
    assert (draw.r[75:] == 0).all()
    assert (draw.t[75:] == 1).all()
    assert ((draw.s[75:] > 0) & (draw.s[75:] < 1)).all()
    assert (draw.t[:75] < 1).all()
    assert (draw.t - draw.r)[:50].max() < 1.001e-3


def test_the_exact_field_has_no_loss() -> None:
    truth, objective = Gaussian(0.7, 0.5), Bootstrap(offset=0.0)
    z = torch.randn(64, 3, generator=seeded()).double()
    draw = objective.draw(z, seeded())
    x, at = on_trajectory(truth, z, draw)
    loss = objective.loss(TrainingBatch(field=truth, x=x), dataclasses.replace(draw, e=at.e))
    assert loss.per_sample.max() < 1e-20


def test_without_offset_it_is_interval_splitting_under_a_weight() -> None:
    pairs = TimePairs(Uniform(), p_equal=0.5)
    x = torch.randn(20, 3, generator=seeded()).double()
    ours, theirs = Bootstrap(pairs, offset=0.0), SplitMeanFlow(pairs)
    draw = ours.draw(x, seeded(1))
    bound = TrainingBatch(field=field, x=x)
    ratio = ours.loss(bound, draw).per_sample / theirs.loss(bound, draw).per_sample
    torch.testing.assert_close(ratio[:10], torch.ones(10).double())
    torch.testing.assert_close(ratio[10:], (draw.t - draw.r)[10:].square())


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_value_leads_the_policy_to_better_actions(spec: Spec) -> None:
    policy = OFQL(spec, Bootstrap(), **fast(0.9), ema_every=1, ema_start=0, eta=1.0)
    train(policy, 250, bandit())
    act = policy.act(np.zeros((512, 3), np.float32), generator=seeded())
    assert np.abs(act[:, 1] - 2.5).mean() < 0.5 * UNIFORM
