"""The rest of the average-velocity family: iMF, alpha-Flow, Shortcut, and SplitMeanFlow's recipe.

MeanFlow, SplitMeanFlow and flow matching themselves are in test_objectives.py.
"""

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.average_velocity import (
    APART,
    EQUAL,
    FINE,
    HALF,
    POINT,
    TRUTHS,
    Objective,
    at_alpha,
    each_objective,
    each_truth,
    named,
    net_case,
    recorded,
)
from support.exact import Gaussian, on_trajectory, seeded
from support.exact_paths import (
    gradients,
    posterior_nodes,
    randn,
)
from torch import Tensor

from oneleap.core.losses.metrics import AdaptiveSquaredError, SquaredError
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import (
    AlphaFlow,
    FlowMatching,
    ImprovedMeanFlow,
    MeanFlow,
    Shortcut,
    SplitMeanFlow,
)
from oneleap.core.objectives import alphaflow as alphaflow_file
from oneleap.core.paths.base import LinearPath, expand, jump
from oneleap.core.paths.times import TimePairs
from oneleap.core.types import Draw, TrainingBatch

# Exactness.


@each_truth
@pytest.mark.parametrize("objective", [ImprovedMeanFlow(HALF), FINE], **named)
@pytest.mark.parametrize("shape", [(64,), (30, 5), (20, 4, 4)])
def test_loss_of_the_exact_field_is_zero_on_curved_trajectories(
    objective: Objective, shape: tuple[int, ...], truth: Gaussian
) -> None:
    z = randn(*shape)
    draw = objective.draw(z, seeded())
    x, at = on_trajectory(truth, z, draw)
    loss = objective.loss(TrainingBatch(field=truth, x=x), replace(draw, e=at.e))
    assert loss.per_sample.shape == shape[:1]
    assert loss.per_sample.max() < 1e-20


@pytest.mark.parametrize("progress", [0.0, 0.3, 0.5, 0.65, 1.0])
@each_objective
def test_loss_of_the_exact_field_is_zero_for_data_at_a_point(
    objective: Objective, progress: float
) -> None:
    x = torch.full((40, 3), 0.7, dtype=torch.float64)
    loss = objective.loss(TrainingBatch(field=POINT, x=x), objective.draw(x, seeded(), progress))
    assert loss.per_sample.max() < 1e-20


@each_truth
def test_the_compound_of_imf_is_the_velocity_itself_whatever_the_sample(truth: Gaussian) -> None:
    """MeanFlow's would scatter: the sample's velocity has no place in the derivative."""
    objective, seen = recorded(ImprovedMeanFlow(APART))
    x = truth.sample((50, 2), seeded(1))
    draw = objective.draw(x, seeded())
    objective.loss(TrainingBatch(field=truth, x=x), draw)
    (compound, target), z = seen[0], LinearPath().point(x, draw.e, draw.t)
    assert (compound - truth.velocity(z, draw.t)).square().max() < 1e-20
    assert torch.equal(target, draw.e - x)


@each_truth
def test_dyadic_steps_of_the_exact_field_are_consistent_for_any_data(truth: Gaussian) -> None:
    x = randn(64, 2)
    assert (
        replace(FINE, pairs=APART)(TrainingBatch(field=truth, x=x), seeded()).per_sample.max()
        < 1e-20
    )


def test_the_shortest_steps_are_eulers_and_err_at_first_order() -> None:
    truth, x, t, errors = TRUTHS[0], randn(64, 2), torch.linspace(0.3, 1, 64).double(), []
    for n in (64, 256, 1024):
        draw = Draw(randn(64, 2, seed=1), t - 2 / n, t, t - 1 / n)
        loss = Shortcut(APART, n).loss(TrainingBatch(field=truth, x=x), draw)
        errors.append(loss.per_sample.mean().sqrt().item())
    assert errors[0] > 1e-3
    for coarse, fine in itertools.pairwise(errors):
        assert coarse / fine == pytest.approx(4, rel=0.1)


@each_truth
@pytest.mark.parametrize(
    "objective",
    [ImprovedMeanFlow(APART), ImprovedMeanFlow(EQUAL), AlphaFlow(EQUAL), Shortcut(EQUAL)],
    ids=["imf", "imf-equal", "alphaflow-equal", "shortcut-equal"],
)
def test_the_exact_field_is_the_mean_target_and_a_stationary_point(
    objective: Objective, truth: Gaussian
) -> None:
    """In expectation over the data given ``z_t``, by quadrature; see test_objectives.py."""
    z = randn(10)
    drawn = objective.draw(z, seeded(), 0.5)
    x, e, weights = posterior_nodes(truth, z, drawn.t)
    r, t = (h.unsqueeze(1).expand_as(x).flatten() for h in (drawn.r, drawn.t))
    theta = torch.zeros(3, dtype=torch.float64, requires_grad=True)

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return truth(z, r, t) + theta @ torch.stack([torch.ones_like(z), z * t, torch.sin(r - z)])

    draw = Draw(e.flatten(), r, t, t, ramp=torch.full_like(t, 0.3))
    loss = objective.loss(TrainingBatch(field=field, x=x.flatten()), draw)
    risk = (weights.flatten() * loss.per_sample).sum()
    assert risk > 0.1  # single targets scatter
    (slope,) = torch.autograd.grad(risk, theta)
    assert slope.abs().max() < 1e-11


def test_the_mean_target_of_alpha_flow_tends_to_the_exact_field_at_first_order() -> None:
    truth, z = TRUTHS[0], randn(10)
    objective, seen = recorded(AlphaFlow(APART))
    drawn = objective.draw(z, seeded())
    x, e, weights = posterior_nodes(truth, z, drawn.t)
    r, t = (h.unsqueeze(1).expand_as(x).flatten() for h in (drawn.r, drawn.t))
    bias = []
    for alpha in (0.2, 0.1, 0.05, 0.025):
        draw = Draw(e.flatten(), r, t, ramp=torch.full_like(t, alpha))
        objective.loss(TrainingBatch(field=truth, x=x.flatten()), draw)
        mean = (weights * seen[-1][1].reshape(x.shape)).sum(1)
        bias.append((mean - truth(z, drawn.r, drawn.t)).abs().max().item())
    assert bias[0] > 1e-2
    for coarse, fine in itertools.pairwise(bias):
        assert coarse / fine == pytest.approx(2, rel=0.15)


# Targets and weights of a network, against the equations written once more.


def test_the_compound_of_imf_is_its_equation_by_central_differences() -> None:
    objective, seen = recorded(ImprovedMeanFlow(HALF))
    u, x, draw = net_case(objective)
    objective.loss(TrainingBatch(field=u, x=x), draw)
    r, t, h = draw.r, draw.t, 1e-5
    z = LinearPath().point(x, draw.e, t)
    with torch.no_grad():
        v = u(z, t, t)
        dudt = (u(z + h * v, r, t + h) - u(z - h * v, r, t - h)) / (2 * h)
        compound = u(z, r, t) + (t - r).unsqueeze(1) * dudt
    torch.testing.assert_close(seen[0][0], compound, rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(seen[0][1], draw.e - x)


def test_improved_meanflow_descends_like_meanflow_where_the_sample_has_the_mean_velocity() -> None:
    theta = torch.zeros(2, dtype=torch.float64, requires_grad=True)

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:  # exact only where r = t
        h = expand(t - r, z)
        return POINT(z, r, t) + h * (1 + theta[0] * z + theta[1] * h)

    x = torch.full((40, 3), 0.7, dtype=torch.float64)
    draw = MeanFlow(HALF).draw(x, seeded())
    slopes = [
        torch.autograd.grad(o.loss(TrainingBatch(field=field, x=x), draw).per_sample.sum(), theta)[
            0
        ]
        for o in (MeanFlow(HALF), ImprovedMeanFlow(HALF))
    ]
    assert slopes[0].abs().min() > 0.1
    torch.testing.assert_close(*slopes)


def alpha_gap(alpha: float) -> float:
    """How far the gradient is from that of the paper's loss, written once more."""
    objective = AlphaFlow(HALF)
    u, x, draw = net_case(objective)
    draw = at_alpha(draw, alpha)
    mine = gradients(objective.loss(TrainingBatch(field=u, x=x), draw).per_sample.sum(), u)
    r, t, v = draw.r, draw.t, draw.e - x
    z = (1 - t).unsqueeze(1) * x + t.unsqueeze(1) * draw.e
    d = alpha * (t - r)
    with torch.no_grad():
        later = u(z - d.unsqueeze(1) * v, r, t - d)
        target = torch.where((r == t).unsqueeze(1), v, alpha * v + (1 - alpha) * later)
    weight = torch.where(r == t, torch.ones_like(t), 1 / alpha)
    paper = (weight * (u(z, r, t) - target).square().mean(1)).sum()
    wanted = gradients(paper, u)
    return ((mine - wanted).norm() / wanted.norm()).item()


@pytest.mark.parametrize("alpha", [0.005, 0.3, 0.5, 1.0])
def test_the_gradient_of_alpha_flow_is_that_of_the_papers_weighted_loss(alpha: float) -> None:
    assert alpha_gap(alpha) < 1e-10


@pytest.mark.parametrize(
    "name_and_mutant",
    [
        ("expand", lambda a, like: 1 - expand(a, like)),
        ("expand", lambda a, like: torch.ones_like(expand(a, like))),
        ("jump", lambda z, u, r, t: jump(z, u, t, r)),
        ("jump", lambda z, u, r, t: z),
    ],
    ids=["weights-swapped", "no-consistency", "jump-towards-noise", "no-jump"],
)
def test_a_mutant_of_alpha_flow_has_another_gradient(
    monkeypatch: pytest.MonkeyPatch, name_and_mutant: tuple[str, Any]
) -> None:
    monkeypatch.setattr(alphaflow_file, *name_and_mutant)
    assert alpha_gap(0.3) > 1e-4


def test_the_adaptive_weight_of_alpha_flow_is_the_authors_but_for_the_constant() -> None:
    """``alpha / L`` on the rows with r < t, 1 / L where r = t."""
    objective = AlphaFlow(HALF, metric=AdaptiveSquaredError(c=1e-12))
    u, x, draw = net_case(objective)
    draw = at_alpha(draw, 0.3)
    mine = gradients(objective.loss(TrainingBatch(field=u, x=x), draw).per_sample.sum(), u)
    r, t, v, d = draw.r, draw.t, draw.e - x, 0.3 * (draw.t - draw.r)
    z = LinearPath().point(x, draw.e, t)
    with torch.no_grad():
        target = 0.3 * v + 0.7 * u(z - d.unsqueeze(1) * v, r, t - d)
    error = (u(z, r, t) - torch.where((r == t).unsqueeze(1), v, target)).square().sum(1)
    weight = torch.where(r == t, torch.ones_like(t), 0.3)
    authors = (weight / error.detach() * error).sum()
    torch.testing.assert_close(mine, gradients(authors, u))


@pytest.mark.parametrize("bootstrap", ["field", "target"])
def test_the_shortcut_target_is_the_mean_of_two_half_steps(bootstrap: str) -> None:
    objective, seen = recorded(Shortcut(HALF, steps=8))
    net, x, draw = net_case(objective)
    average = MLP(3, width=16).double()
    batch = TrainingBatch(field=net, x=x, target=average if bootstrap == "target" else None)
    objective.loss(batch, draw)
    source = average if bootstrap == "target" else net
    z, v = LinearPath().point(x, draw.e, draw.t), draw.e - x
    lengths = set()
    for i in range(len(x)):
        r, t = draw.r[i].item(), draw.t[i].item()
        lengths.add(t - r)
        with torch.no_grad():
            if t == r:
                wanted = v[i]
            else:
                h = (t - r) / 2
                d = 0.0 if h == 1 / 8 else h
                row = z[i : i + 1]
                late = source(row, *torch.tensor([[t - d], [t]]).double())
                early = source(row - h * late, *torch.tensor([[t - h - d], [t - h]]).double())
                wanted = (late + early)[0] / 2
        torch.testing.assert_close(seen[0][1][i], wanted)
    assert lengths == {0.0, 1.0, 0.5, 0.25}


@each_objective
def test_the_gradient_is_that_of_a_constant_target(objective: Objective) -> None:
    objective, seen = recorded(objective)
    net, x, draw = net_case(objective)
    loss = objective.loss(TrainingBatch(field=net, x=x), draw)
    prediction, target = seen[0]
    assert not target.requires_grad
    torch.testing.assert_close(loss.per_sample, (prediction - target).square().mean(1))
    if isinstance(objective, ImprovedMeanFlow):  # V = u + a constant
        u = net(LinearPath().point(x, draw.e, draw.t), draw.r, draw.t)
        constant = (u + (prediction - u).detach() - target).square().mean(1)
        torch.testing.assert_close(
            gradients(loss.per_sample.sum(), net), gradients(constant.sum(), net)
        )


# Special cases.


@pytest.mark.parametrize("metric", [SquaredError(), AdaptiveSquaredError()], ids=str)
@pytest.mark.parametrize(
    "objective", [ImprovedMeanFlow(EQUAL), AlphaFlow(EQUAL), Shortcut(EQUAL)], **named
)
def test_with_all_rows_equal_they_are_flow_matching_bit_for_bit(
    objective: Objective, metric: SquaredError | AdaptiveSquaredError
) -> None:
    objective = replace(objective, metric=metric)
    net, x, draw = net_case(objective)
    assert torch.equal(draw.r, draw.t)
    fm = FlowMatching(metric=metric)
    mine, theirs = (o.loss(TrainingBatch(field=net, x=x), draw) for o in (objective, fm))
    assert torch.equal(mine.per_sample, theirs.per_sample)
    got, wanted = (gradients(loss.per_sample.sum(), net) for loss in (mine, theirs))
    assert torch.equal(got, wanted)


def test_alpha_flow_at_1_regresses_the_velocity_at_every_interval_bit_for_bit() -> None:
    objective, seen = recorded(AlphaFlow(HALF))
    net, x, draw = net_case(objective, progress=0.0)
    assert draw.ramp is not None
    assert (draw.ramp == 1).all()
    objective.loss(TrainingBatch(field=net, x=x), draw)
    assert torch.equal(seen[0][1], draw.e - x)
    assert torch.equal(seen[0][0], net(LinearPath().point(x, draw.e, draw.t), draw.r, draw.t))


def test_alpha_flow_at_0_is_meanflow_bit_for_bit_and_near_0_nearly() -> None:
    objective = AlphaFlow(HALF)
    net, x, draw = net_case(objective, progress=1.0)
    assert draw.ramp is None
    batch = TrainingBatch(field=net, x=x)
    theirs = MeanFlow(HALF).loss(batch, draw).per_sample
    assert torch.equal(objective.loss(batch, draw).per_sample, theirs)
    gaps = [
        (objective.loss(batch, at_alpha(draw, alpha)).per_sample - theirs).abs().max().item()
        for alpha in (1e-2, 1e-3, 1e-4)
    ]
    for coarse, fine in itertools.pairwise(gaps):
        assert coarse / fine == pytest.approx(10, rel=0.1)


def test_shortcut_is_split_meanflow_in_the_middle() -> None:
    net, x, _ = net_case(Shortcut())
    split = SplitMeanFlow(HALF)
    draw = split.draw(x, seeded())
    draw = replace(draw, s=(draw.r + draw.t) / 2)
    fine = Shortcut(HALF, steps=2**20)  # no interval is as short as 2 / steps
    mine, theirs = (o.loss(TrainingBatch(field=net, x=x), draw).per_sample for o in (fine, split))
    torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("pairs", [APART, EQUAL], ids=["apart", "equal"])
@each_objective
def test_a_batch_of_one_kind_of_rows_logs_finite_figures(
    objective: Objective, pairs: TimePairs
) -> None:
    loss = replace(objective, pairs=pairs)(TrainingBatch(field=TRUTHS[0], x=randn(5, 2)), seeded())
    assert loss.per_sample.isfinite().all()
    assert all(value.isfinite() for value in loss.logs.values())
