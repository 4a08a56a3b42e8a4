"""Objectives that learn along a teacher's trajectories: TBCM, SANA-Sprint, annealed reflow."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.exact import Gaussian, seeded
from support.exact_paths import gradients, randn, teacher_of
from support.matching.bench import Bench, product_nodes
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import (
    TBCM,
    AnnealedReflow,
    ContinuousConsistency,
    Reflow,
    SanaSprint,
)
from oneleap.core.objectives.flow_maps import annealed_reflow, sana_sprint, tbcm
from oneleap.core.paths.base import expand, jump
from oneleap.core.types import Draw, SecondNetworks, TrainingBatch

POINT, TRUTH = Gaussian(0.7, 0.0), Gaussian(0.7, 0.5)


def net(seed: int = 0) -> MLP:
    torch.manual_seed(seed)
    return MLP(3, width=16).double()


# TBCM.


def test_tbcm_of_the_exact_map_has_no_tangent_and_of_a_wrong_one_has() -> None:
    """At any state, whatever the errors of the route."""
    x, objective = randn(60, 2), TBCM(route=5, warmup=1e-9)
    draw = objective.draw(x, seeded(), 1.0)
    batch = TrainingBatch(field=TRUTH, x=x, teacher=teacher_of(TRUTH))
    loss = objective.loss(batch, draw)
    assert loss.logs["tangent_error"] < 1e-20
    assert loss.per_sample.max() < 1e-20
    for wrong in (Gaussian(0.7, 0.1), Gaussian(0.7, 0.8), lambda z, r, t: TRUTH(z, t, t)):
        assert objective.loss(replace(batch, field=wrong), draw).per_sample.mean() > 1e-3


def test_the_states_of_tbcm_lie_on_the_teachers_trajectory() -> None:
    """A point's trajectories are straight, so Euler's steps are exact."""
    x, objective = randn(60, 2), TBCM()
    draw = objective.draw(x, seeded())
    wanted = POINT.flow(draw.e, draw.t, torch.ones_like(draw.t))
    torch.testing.assert_close(objective.visited(teacher_of(POINT), draw), wanted)
    fine = TBCM(route=200)
    draw = replace(fine.draw(x[:4], seeded()), t=torch.tensor([0.9, 0.5, 0.2, 0.05]).double())
    found = fine.visited(teacher_of(TRUTH), draw)
    wanted = TRUTH.flow(draw.e, draw.t, torch.ones_like(draw.t))
    torch.testing.assert_close(found, wanted, rtol=0, atol=2e-2)


def test_the_times_of_tbcm_are_one_in_each_interval_but_the_first() -> None:
    objective = TBCM(route=4, shift=2.0)
    draw = objective.draw(randn(4000, 1), seeded())
    grid = [2 * k / (1 + k) for k in (0.75, 0.5, 0.25, 0.0)]
    inside = [
        ((low < draw.t) & (draw.t <= high)).float().mean() for high, low in itertools.pairwise(grid)
    ]
    assert inside == pytest.approx([1 / 3] * 3, abs=0.03)
    assert draw.t.max() <= grid[0]
    assert (draw.r == 0).all()


def test_tbcm_is_scm_at_the_state_with_the_teachers_velocity() -> None:
    student, teacher, x = net(), net(1), randn(16, 3)
    objective = TBCM(route=6)
    draw = objective.draw(x, seeded(), 0.02)
    mine = objective.loss(TrainingBatch(field=student, x=x, teacher=teacher), draw).per_sample
    with torch.no_grad():
        z = objective.visited(teacher, draw)
    # any line through the state will do, if the teacher gives the velocity
    line = randn(16, 3, seed=5)
    e = (z - (1 - draw.t).unsqueeze(1) * line) / draw.t.unsqueeze(1)
    batch = TrainingBatch(field=student, x=line, teacher=teacher)
    theirs = ContinuousConsistency().loss(batch, replace(draw, e=e)).per_sample
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(gradients(mine.sum(), student), gradients(theirs.sum(), student))


def test_tbcm_looks_at_the_shape_of_the_data_only() -> None:
    x, batch = randn(8, 3), TrainingBatch(field=net(), x=randn(8, 3), teacher=net(1))
    draw = TBCM(route=3).draw(x, seeded())
    losses = [TBCM(route=3).loss(replace(batch, x=data), draw).per_sample for data in (x, 0 * x)]
    assert torch.equal(*losses)


@pytest.mark.parametrize("mutant", [lambda z, u, r, t: z, lambda z, u, r, t: jump(z, u, t, r)])
def test_a_mutant_of_the_route_leaves_the_trajectory(
    monkeypatch: pytest.MonkeyPatch, mutant: Any
) -> None:
    draw = TBCM().draw(randn(60, 2), seeded())
    monkeypatch.setattr(tbcm, "jump", mutant)
    found = TBCM().visited(teacher_of(POINT), draw)
    wanted = POINT.flow(draw.e, draw.t, torch.ones_like(draw.t))
    assert (found - wanted).square().mean() > 1e-3


@pytest.mark.parametrize("bad", [{"route": 1}, {"shift": 0.0}], ids=str)
def test_a_route_that_makes_no_sense_is_told(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        TBCM(**bad)


# SANA-Sprint.


def sprint_batch(student: Any, judge: Any, x: Tensor) -> TrainingBatch:
    return TrainingBatch(
        field=student,
        x=x,
        teacher=net(1),
        second=SecondNetworks(fake=judge, frozen_fake=lambda z, r, t: judge(z, r, t)),
    )


def test_without_a_judge_the_student_is_that_of_scm() -> None:
    student, judge, x = net(), net(2), randn(16, 3)
    objective = SanaSprint(gan_weight=0.0)
    draw = objective.draw(x, seeded(), 0.02)
    batch = sprint_batch(student, judge, x)
    mine = objective.loss(batch, draw).per_sample.sum()
    wanted = gradients(ContinuousConsistency().loss(batch, draw).per_sample.sum(), student)
    torch.testing.assert_close(gradients(mine, student), wanted)
    judged = SanaSprint(gan_weight=0.5).loss(batch, draw).per_sample.sum()
    assert (gradients(judged, student) - wanted).norm() > 1e-3


def test_the_judges_loss_is_the_hinge_of_samples_data_and_mismatched_data() -> None:
    student, judge, x = net(), net(2), randn(16, 3)
    objective = SanaSprint(mismatched=0.3)
    draw = objective.draw(x, seeded())
    assert draw.fitting is not None
    n, t = draw.fitting.e, draw.fitting.t
    sample = randn(16, 3, seed=7)

    def verdict(x: Tensor) -> Tensor:
        w = t.unsqueeze(1)
        return 3 * judge((1 - w) * x + w * n, t, t).mean(1)

    batch = sprint_batch(student, lambda z, r, t: 3 * judge(z, r, t), x)
    found = objective.fit(batch, sample, draw.fitting).per_sample
    hinge = (1 + verdict(sample)).clamp(min=0) + (1 - verdict(x)).clamp(min=0)
    other = (1 + verdict(torch.cat([x[-1:], x[:-1]]))).clamp(min=0)
    torch.testing.assert_close(found, hinge + 0.3 * other)


def test_the_student_climbs_the_judge_on_the_bench() -> None:
    """With the exact log-ratio as judge, the gradient is that of the divergence."""
    bench, t = Bench(), 0.6
    a, b = bench.parameters()
    e, n, weights = product_nodes()
    same = torch.full_like(e, t)
    objective = SanaSprint()
    draw = Draw(e, 0 * e, 0 * e + 1)
    full = bench.batch(a, b, e)
    assert full.second is not None
    second = replace(full.second, frozen_fake=full.second.frozen_judge)
    batch = replace(full, second=second)
    x = objective.leap(batch, draw)
    loss = objective.push(batch, x, Draw(n, same, same)).per_sample
    found = torch.stack(torch.autograd.grad((weights * loss).sum(), [a, b]))
    v_q, v_p = ((1 - t) * bench.a) ** 2 + t**2, ((1 - t) * bench.s) ** 2 + t**2
    k = 1 / v_p - 1 / v_q
    kl = (1 - t) ** 2 * torch.tensor([bench.a * k, (bench.b - bench.m) / v_p]).double()
    torch.testing.assert_close(found, 0.5 * kl, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "exactness",
    [
        test_the_judges_loss_is_the_hinge_of_samples_data_and_mismatched_data,
        test_the_student_climbs_the_judge_on_the_bench,
    ],
)
def test_a_verdict_of_the_wrong_sign_is_seen(
    monkeypatch: pytest.MonkeyPatch, exactness: Any
) -> None:
    right = sana_sprint.logit
    monkeypatch.setattr(sana_sprint, "logit", lambda *a: -right(*a))
    with pytest.raises(AssertionError):
        exactness()


# Annealed reflow.


def test_at_the_end_annealed_reflow_is_reflow() -> None:
    student, teacher, x = net(), net(1), randn(16, 3)
    draw = AnnealedReflow().draw(x, seeded(), 0.6)
    batch = TrainingBatch(field=student, x=x, teacher=teacher)
    mine, theirs = (o.loss(batch, draw).per_sample for o in (AnnealedReflow(), Reflow()))
    assert torch.equal(mine, theirs)


@pytest.mark.parametrize(("progress", "b"), [(0.0, 1.0), (0.25, 0.5), (0.5, 0.0), (1.0, 0.0)])
def test_the_noise_stays_normal_and_forgets_its_data(progress: float, b: float) -> None:
    seen: list[Tensor] = []

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        seen.append(z)
        return 0 * z

    x, objective = randn(20000, 1), AnnealedReflow(steps=1)
    draw = objective.draw(x, seeded(), progress)
    assert draw.ramp is not None
    assert (draw.ramp == b).all()
    batch = TrainingBatch(field=field, x=x, teacher=teacher_of(POINT))
    objective.loss(batch, replace(draw, t=torch.ones_like(draw.t)))
    e, start = draw.e[:, 0], seen[0][:, 0]  # at t = 1 the state is the noise
    assert start.square().mean().item() == pytest.approx(1, abs=0.05)
    assert (start * e).mean().item() == pytest.approx((1 - b**2) ** 0.5, abs=0.05)


def test_annealed_reflow_of_a_points_map_has_no_loss_and_of_a_wrong_one_has() -> None:
    x, objective = randn(40, 2), AnnealedReflow(steps=2)
    for progress in (0.0, 0.2, 1.0):
        draw = objective.draw(x, seeded(), progress)
        batch = TrainingBatch(field=POINT, x=x, teacher=teacher_of(POINT))
        assert objective.loss(batch, draw).per_sample.max() < 1e-20
        assert objective.loss(replace(batch, field=TRUTH), draw).per_sample.mean() > 1e-3


def test_a_mutant_of_the_annealing_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annealed_reflow, "expand", lambda b, e: 1 - expand(b, e))
    with pytest.raises(AssertionError):
        test_the_noise_stays_normal_and_forgets_its_data(0.0, 1.0)


def test_an_annealing_that_makes_no_sense_is_told() -> None:
    with pytest.raises(InputError, match="annealing"):
        AnnealedReflow(annealing=0.0)
