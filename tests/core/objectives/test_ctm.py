"""Consistency trajectories against exact flow maps."""

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch
from support.exact import Gaussian, Mutant, on_trajectory, require_seen, seeded
from support.exact_paths import (
    Mixture,
    Point,
    Pointwise,
    Recorder,
    check_padding,
    check_per_sample,
    check_seeds,
    flipped,
    full,
    gradients,
    randn,
    swapped,
    teacher_of,
)
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import consistency_function, flow_map, integrate_teacher
from oneleap.core.losses.metrics import SquaredError
from oneleap.core.objectives import ConsistencyTrajectory, ctm
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.edm import Karras
from oneleap.core.types import Conditioned, Draw, Field, TrainingBatch


def teach(truth: Gaussian | Mixture, x: Tensor, **others: Field) -> TrainingBatch:
    return TrainingBatch(field=truth, x=x, teacher=teacher_of(truth), **others)


@pytest.mark.parametrize("truth", [Gaussian(), Mixture()], ids=lambda t: type(t).__name__)
def test_distillation_of_the_exact_map_vanishes_at_the_local_order_of_heun(
    truth: Gaussian | Mixture,
) -> None:
    """Local error of the third order in ``t - s``, through two exact leaps; the loss its square."""
    x, t, r = randn(8, 2), full(8, 0.7), full(8, 0.2)
    objective, roots = ConsistencyTrajectory(solver_steps=1, denoise_to="teacher"), []
    for h in (0.1, 0.05, 0.025):
        draw = Draw(randn(8, 2, seed=1), r, t, t - h)
        loss = objective.loss(teach(truth, x, target=truth), draw)
        assert loss.logs["velocity_error"] < 1e-20
        roots.append(loss.per_sample.sqrt().mean())
    for coarse, fine in itertools.pairwise(roots):
        assert torch.log2(coarse / fine).item() == pytest.approx(3, abs=0.3)


@pytest.mark.parametrize("mutant", [flipped, swapped])
def test_wrong_maps_are_told_from_the_exact_one(mutant: Callable[[Field], Field]) -> None:
    truth, objective = Gaussian(), ConsistencyTrajectory(denoising=0.0, nodes=80)
    x = Gaussian().sample((64, 2), seeded(1))
    draw = objective.draw(x, seeded())
    good = objective.loss(teach(truth, x), draw).per_sample.mean()
    assert good < 1e-6
    bad = objective.loss(
        TrainingBatch(field=mutant(truth), x=x, teacher=truth), draw
    ).per_sample.mean()
    assert bad > 100 * good
    wrong = objective.loss(
        TrainingBatch(field=truth, x=x, teacher=flipped(truth)), draw
    ).per_sample.mean()
    assert wrong > 100 * good


@pytest.mark.parametrize("shape", [(64,), (3, 5), (2, 4, 4)])
def test_without_a_teacher_the_exact_map_teaches_itself(shape: tuple[int, ...]) -> None:
    truth, z, objective = Gaussian(), randn(*shape), ConsistencyTrajectory()
    x, draw = on_trajectory(truth, z, objective.draw(z, seeded()))
    for target in (None, truth):
        loss = objective.loss(TrainingBatch(field=truth, x=x, target=target), draw)
        assert loss.per_sample.max() < 1e-20
        bad = objective.loss(TrainingBatch(field=flipped(truth), x=x, target=target), draw)
        assert bad.per_sample.max() > 1e-2
    point = TrainingBatch(field=Point(0.7), x=torch.full_like(z, 0.7))
    assert objective(point, seeded()).per_sample.max() < 1e-20
    check_per_sample(objective, truth, shape)


@pytest.mark.parametrize("averaged", [True, False])
@pytest.mark.parametrize("distilled", [True, False])
@pytest.mark.parametrize("denoise_to", ["data", "teacher"])
def test_the_gradient_is_that_of_constant_targets_and_a_constant_outer_step(
    averaged: bool, distilled: bool, denoise_to: Literal["data", "teacher"]
) -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    metric = Recorder(SquaredError(), seen)
    objective = ConsistencyTrajectory(denoising=0.5, metric=metric, denoise_to=denoise_to)
    net, average, teacher, x = Pointwise(3), Pointwise(3, 1), Pointwise(3, 2), randn(20, 3)
    draw = objective.draw(x, seeded())
    batch = TrainingBatch(
        field=net,
        x=x,
        target=average if averaged else None,
        teacher=teacher if distilled else None,
    )
    loss = objective.loss(batch, draw).per_sample.sum()
    assert not any(target.requires_grad for _, target in seen)
    r, s, t, z = draw.r, draw.s, draw.t, LinearPath().point(x, draw.e, draw.t)
    assert s is not None
    source = average if averaged else net
    with torch.no_grad():
        near = (
            integrate_teacher(teacher, z, s, t, steps=2) if distilled else flow_map(source, z, s, t)
        )
        v = teacher(z, t, t) if distilled and denoise_to == "teacher" else draw.e - x
        target = flow_map(net, near, r, s)
    average.requires_grad_(False)

    def outer(z: Tensor) -> Tensor:
        return consistency_function(average, z, r) if averaged else z

    far = (outer(flow_map(net, z, r, t)) - outer(target)).square().mean(1)
    wanted = (far + 0.5 * (net(z, t, t) - v).square().mean(1)).sum()
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(gradients(loss, net), gradients(wanted, net))


def test_the_denoising_term_corrects_a_teacher_that_is_wrong() -> None:
    """Of the true field, the term's gradient vanishes on average, whatever the teacher says."""
    truth, wrong, x = Gaussian(), Gaussian(-2.0), randn(64, 2)
    draw = ConsistencyTrajectory().draw(x, seeded())
    x, at = on_trajectory(truth, x, draw)
    batch = TrainingBatch(field=truth, x=x, teacher=wrong)
    to_data, to_teacher = ConsistencyTrajectory(), ConsistencyTrajectory(denoise_to="teacher")
    assert to_data.loss(batch, at).logs["velocity_error"] < 1e-20
    assert to_teacher.loss(batch, at).logs["velocity_error"] > 0.1


def test_times_are_nodes_in_order_with_few_intervals_for_the_teacher() -> None:
    objective = ConsistencyTrajectory(nodes=10, solver_steps=3)
    draw = objective.draw(torch.zeros(50_000, 1).double(), seeded())
    nodes = Karras().times(10, draw.e)
    assert draw.s is not None
    r, s, t = (torch.searchsorted(nodes, h) for h in (draw.r, draw.s, draw.t))
    for index, h in ((r, draw.r), (s, draw.s), (t, draw.t)):
        assert torch.equal(nodes[index], h)
    assert ((r <= s) & (s < t)).all()
    assert ((t - s)[t >= 3].bincount(minlength=4)[1:] > 10_000).all()
    assert (t - s).max() == 3
    assert (t.bincount(minlength=10)[1:] / 5_555 - 1).abs().max() < 0.06
    assert (r == 0).double().mean() > 0.2  # leaps to the data, which are what is deployed
    assert draw.w is None


# Guidance as an input.


class Guidable(nn.Module):
    """A network of ``(z, r, t, condition)`` that takes a guidance scale, if it is given one."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.inner = Pointwise(3, seed)

    def forward(
        self, z: Tensor, r: Tensor, t: Tensor, c: Tensor, guidance: Tensor | None = None
    ) -> Tensor:
        scale = torch.zeros_like(t) if guidance is None else guidance
        out: Tensor = self.inner(z + c, r, t) * (1 + scale).unsqueeze(1)
        return out


def test_the_scale_reaches_the_student_and_guides_the_teacher() -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    objective = ConsistencyTrajectory(guidance=(1.0, 5.0), metric=Recorder(SquaredError(), seen))
    cond, null, x = randn(20, 3, seed=4), torch.zeros(1, 3).double(), randn(20, 3)
    net, teacher = Guidable(), Guidable(1)
    draw = objective.draw(x, seeded())
    w = draw.w
    assert w is not None
    assert w.dtype == x.dtype
    assert ((w >= 1) & (w <= 5)).all()
    assert w.std() > 0.5
    batch = TrainingBatch(
        field=Conditioned(net, (cond,)),
        x=x,
        target=Conditioned(net, (cond,)),
        teacher=Conditioned(teacher, (cond,), (null,)),
    )
    objective.loss(batch, draw)
    z, t = LinearPath().point(x, draw.e, draw.t), draw.t
    u, v = seen[1]
    torch.testing.assert_close(u, net(z, t, t, cond, w))
    base = teacher(z, t, t, torch.zeros_like(cond))
    wanted = base + w.unsqueeze(1) * (teacher(z, t, t, cond) - base)
    torch.testing.assert_close(v, wanted)


def test_guidance_as_an_input_needs_fields_that_can_take_it() -> None:
    objective, x = ConsistencyTrajectory(guidance=(1.0, 5.0)), randn(4, 3)
    cond = randn(4, 3, seed=4)
    student = Conditioned(Guidable(), (cond,))
    with pytest.raises(InputError, match="network that accepts guidance=w"):
        objective(TrainingBatch(field=Gaussian(), x=x), seeded())
    with pytest.raises(InputError, match="unguided teacher whose conditions can be dropped"):
        objective(TrainingBatch(field=student, x=x, teacher=Gaussian()), seeded())
    for teacher in (student, None):
        with pytest.raises(InputError, match="unguided teacher whose conditions can be dropped"):
            objective(TrainingBatch(field=student, x=x, teacher=teacher), seeded())


def test_a_field_at_a_scale_keeps_it_by_rows_and_by_dropping() -> None:
    cond, null, w = randn(6, 3), torch.zeros(1, 3).double(), torch.linspace(1, 2, 6).double()
    field = Conditioned(Guidable(), (cond,), (null,)).with_guidance(w)
    z, r, t = randn(6, 3, seed=2), full(6, 0.2), full(6, 0.9)
    part = slice(2, 5)
    torch.testing.assert_close(field.rows(part)(z[part], r[part], t[part]), field(z, r, t)[part])
    dropped = torch.tensor([True, False] * 3)
    wanted = Guidable()(z, r, t, torch.where(dropped.unsqueeze(1), null, cond), w)
    torch.testing.assert_close(field.drop(dropped)(z, r, t), wanted)


def test_padding_seeds_and_foreign_draws() -> None:
    check_padding(ConsistencyTrajectory())
    check_padding(ConsistencyTrajectory(denoising=0.0))
    check_seeds(ConsistencyTrajectory(guidance=(1.0, 4.0)))
    draw = ConsistencyTrajectory().draw(randn(4, 2), seeded())
    with pytest.raises(InputError, match=r"needs the intermediate times s of its own draw\(\)"):
        ConsistencyTrajectory().loss(
            TrainingBatch(field=Gaussian(), x=randn(4, 2)), replace(draw, s=None)
        )


# Mutants.


def maps_agree() -> None:
    truth, objective = Gaussian(), ConsistencyTrajectory(denoising=0.0, nodes=80)
    x = Gaussian().sample((64, 2), seeded(1))
    loss = objective.loss(teach(truth, x), objective.draw(x, seeded()))
    assert loss.per_sample.mean() < 1e-6


def teaches_itself() -> None:
    test_without_a_teacher_the_exact_map_teaches_itself((3, 5))


def targets_are_constant() -> None:
    for averaged in (True, False):
        test_the_gradient_is_that_of_constant_targets_and_a_constant_outer_step(
            averaged=averaged, distilled=True, denoise_to="data"
        )


STEP, MAP, POINT = ctm.integrate_teacher, ctm.flow_map, LinearPath.point
MUTANTS: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "teacher-stands-still": (ctm, "integrate_teacher", lambda f, z, s, t, **_: z, maps_agree),
    "teacher-goes-back": (
        ctm,
        "integrate_teacher",
        lambda f, z, s, t, **rest: STEP(f, z, 2 * t - s, t, **rest),
        maps_agree,
    ),
    "always-to-data": (ctm, "flow_map", lambda f, z, r, t: MAP(f, z, 0 * r, t), teaches_itself),
    "times-swapped": (ctm, "flow_map", lambda f, z, r, t: MAP(f, z, t, r), teaches_itself),
    "no-outer-step": (ctm, "consistency_function", lambda f, z, r: z, targets_are_constant),
    "noise-at-time-zero": (
        LinearPath,
        "point",
        lambda self, x, e, t: POINT(self, e, x, t),
        teaches_itself,
    ),
    "no-stop-gradient": (
        ctm,
        "torch",
        SimpleNamespace(**{**vars(torch), "no_grad": nullcontext}),
        targets_are_constant,
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_of_the_trajectories_is_seen(
    monkeypatch: pytest.MonkeyPatch, mutant: Mutant
) -> None:
    require_seen(monkeypatch, mutant)
