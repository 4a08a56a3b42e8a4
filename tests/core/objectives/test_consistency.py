"""Consistency objectives against exact flow maps."""

import itertools
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.exact import Gaussian, Mutant, require_seen, seeded
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
    posterior_nodes,
    randn,
    swapped,
    teacher_of,
)
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields import flow_map as flow_map_file
from oneleap.core.fields.flow_map import consistency_function, flow_map, integrate_teacher
from oneleap.core.losses.metrics import PseudoHuber, SquaredError
from oneleap.core.objectives import (
    ConsistencyDistillation,
    ConsistencyTraining,
    EasyConsistencyTuning,
    ImprovedConsistencyTraining,
)
from oneleap.core.objectives import consistency_distillation as distillation_file
from oneleap.core.paths.base import LinearPath, jump
from oneleap.core.types import Draw, Field, TrainingBatch

FromData = ConsistencyTraining | ImprovedConsistencyTraining | EasyConsistencyTuning
FROM_DATA: list[FromData] = [
    ConsistencyTraining(),
    ImprovedConsistencyTraining(),
    EasyConsistencyTuning(),
]
OBJECTIVES = [
    ConsistencyDistillation(),
    ConsistencyDistillation(nodes=50, heun=False),
    *FROM_DATA,
]
each_objective = pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: type(o).__name__)
each_from_data = pytest.mark.parametrize("objective", FROM_DATA, ids=lambda o: type(o).__name__)
Any_ = ConsistencyDistillation | FromData


# Along one trajectory.


@pytest.mark.parametrize("truth", [Gaussian(), Mixture()], ids=lambda t: type(t).__name__)
def test_steps_of_an_exact_field_end_where_its_flow_does(truth: Field) -> None:
    z, zero, one = randn(6, 2), full(6, 0.0), full(6, 1.0)
    middle = full(6, 0.4)
    through = flow_map(truth, flow_map(truth, z, middle, one), zero, middle)
    torch.testing.assert_close(consistency_function(truth, z, one), through, rtol=0, atol=1e-8)
    assert torch.equal(consistency_function(truth, z, zero), z)
    if isinstance(truth, Gaussian):
        torch.testing.assert_close(through, truth.flow(z, zero, one))


@pytest.mark.parametrize(("heun", "order"), [(False, 1), (True, 2)])
@pytest.mark.parametrize("truth", [Gaussian(), Mixture()], ids=lambda t: type(t).__name__)
def test_integrating_a_teacher_converges_at_the_order_of_its_solver(
    truth: Gaussian | Mixture, heun: bool, order: int
) -> None:
    z, r, t = randn(8, 2), torch.linspace(0.05, 0.4, 8).double(), full(8, 0.9)
    wanted = flow_map(truth, z, r, t)
    errors = [
        (integrate_teacher(teacher_of(truth), z, r, t, steps=k, heun=heun) - wanted).abs().max()
        for k in (16, 32, 64)
    ]
    for coarse, fine in itertools.pairwise(errors):
        assert torch.log2(coarse / fine).item() == pytest.approx(order, abs=0.25)


def test_a_teacher_is_not_evaluated_at_the_data() -> None:
    z, zero = randn(3, 2), full(3, 0.0)
    landed = integrate_teacher(Gaussian(0.7, 0.0), z, zero, full(3, 0.5))  # 0 / 0 at t = 0
    torch.testing.assert_close(landed, torch.full_like(z, 0.7))


# Distillation: the loss of the exact map is the square of the teacher's solver error.


@pytest.mark.parametrize(("heun", "order"), [(False, 2), (True, 3)])
@pytest.mark.parametrize("truth", [Gaussian(), Mixture()], ids=lambda t: type(t).__name__)
def test_distillation_of_the_exact_map_vanishes_at_the_local_order_of_the_solver(
    truth: Gaussian | Mixture, heun: bool, order: int
) -> None:
    x, t = randn(8, 2), full(8, 0.6)
    objective = ConsistencyDistillation(heun=heun)
    roots = []
    for h in (0.1, 0.05, 0.025):
        draw = Draw(randn(8, 2, seed=1), 0 * t, t, t - h)
        loss = objective.loss(TrainingBatch(field=truth, x=x, teacher=teacher_of(truth)), draw)
        roots.append(loss.per_sample.sqrt().mean())
    for coarse, fine in itertools.pairwise(roots):
        assert torch.log2(coarse / fine).item() == pytest.approx(order, abs=0.3)


def test_distillation_on_a_finer_grid_asks_less_of_the_solver() -> None:
    truth, x = Gaussian(), Gaussian().sample((400, 2), seeded(1))
    batch = TrainingBatch(field=truth, x=x, teacher=truth)
    means = [
        ConsistencyDistillation(nodes=n)(batch, seeded()).per_sample.mean().item()
        for n in (10, 40, 160)
    ]
    assert means[0] < 1e-4
    assert means[1] < means[0] / 100
    assert means[2] < means[1] / 100


@pytest.mark.parametrize("mutant", [flipped, swapped])
def test_wrong_maps_are_told_from_the_exact_one(mutant: type) -> None:
    truth, x = Gaussian(), randn(64, 2)
    objective = ConsistencyDistillation(nodes=160)
    draw = objective.draw(x, seeded())
    good = objective.loss(TrainingBatch(field=truth, x=x, teacher=truth), draw).per_sample.mean()
    bad = objective.loss(
        TrainingBatch(field=mutant(truth), x=x, teacher=truth), draw
    ).per_sample.mean()
    worse = objective.loss(
        TrainingBatch(field=truth, x=x, teacher=flipped(truth)), draw
    ).per_sample.mean()
    assert min(bad, worse) > 1e3 * good


def test_distillation_needs_a_teacher() -> None:
    x = randn(4, 2)
    with pytest.raises(InputError, match="set the model's teacher, or train from data with"):
        ConsistencyDistillation()(TrainingBatch(field=Gaussian(), x=x), seeded())


# From data: the target is exact for data at a point, and right on average for close times.


@each_from_data
@pytest.mark.parametrize("progress", [0.0, 0.6, 1.0])
def test_data_at_a_point_leave_no_loss(objective: FromData, progress: float) -> None:
    x = torch.full((40, 3), 0.7, dtype=torch.float64)
    draw = objective.draw(x, seeded(), progress)
    assert objective.loss(TrainingBatch(field=Point(0.7), x=x), draw).per_sample.max() < 1e-20
    bad = objective.loss(TrainingBatch(field=flipped(Point(0.7)), x=x), draw).per_sample
    assert bad.mean() > 1e-4  # with the grid at its finest, too


@each_from_data
def test_the_exact_map_is_stationary_on_average_as_the_times_close_in(objective: FromData) -> None:
    """Each halving of the gap quarters the mean gradient: the first order is the flow's own."""
    truth, z, t = Gaussian(), randn(12), torch.linspace(0.3, 0.8, 12).double()
    x, e, weights = posterior_nodes(truth, z, t)
    times = t.unsqueeze(1).expand_as(x).flatten()
    theta = torch.zeros(2, dtype=torch.float64, requires_grad=True)

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return truth(z, r, t) + theta @ torch.stack([torch.ones_like(z), torch.sin(z * t)])

    def slope(h: float) -> float:
        draw = Draw(e.flatten(), 0 * times, times, times - h)
        plain = ConsistencyTraining(metric=SquaredError())  # the weights of the others aside
        loss = plain.loss(TrainingBatch(field=field, x=x.flatten()), draw)
        risk = (weights.flatten() * loss.per_sample).sum()
        (gradient,) = torch.autograd.grad(risk, theta)
        return gradient.abs().max().item()

    slopes = [slope(h) for h in (0.02, 0.01, 0.005)]
    assert slopes[0] < 2e-2
    for coarse, fine in itertools.pairwise(slopes):
        assert coarse / fine == pytest.approx(4, rel=0.1)
    gaps = objective.draw(torch.zeros(1000, 1).double(), seeded(), 1.0)
    assert gaps.s is not None
    assert (gaps.t - gaps.s).max() < 0.1  # and at the end of training they have


@each_objective
def test_the_gradient_is_that_of_a_constant_target(objective: Any_) -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    recording = replace(objective, metric=Recorder(objective.metric, seen))
    net, average, x = Pointwise(3), Pointwise(3, 1), randn(20, 3)
    for target in (None, average):
        seen.clear()
        draw = recording.draw(x, seeded(), 0.3)
        loss = recording.loss(TrainingBatch(field=net, x=x, target=target, teacher=average), draw)
        assert not seen[0][1].requires_grad
        assert draw.s is not None
        z = LinearPath().point(x, draw.e, draw.t)
        if isinstance(objective, ConsistencyDistillation):
            near = integrate_teacher(average, z, draw.s, draw.t, heun=objective.heun)
        else:
            near = LinearPath().point(x, draw.e, draw.s)
        averaged = isinstance(objective, ConsistencyDistillation | ConsistencyTraining)
        source = average if target is not None and averaged else net
        with torch.no_grad():
            wanted = consistency_function(source, near, draw.s)
        torch.testing.assert_close(seen[0][1], wanted, rtol=0, atol=1e-12)
        weight = loss.per_sample.detach() / objective.metric(seen[0][0], wanted).detach()
        constant = (weight * objective.metric(consistency_function(net, z, draw.t), wanted)).sum()
        mine = gradients(loss.per_sample.sum(), net)
        torch.testing.assert_close(mine, gradients(constant, net))


# The distance of iCT.


def test_pseudo_huber_is_of_the_whole_vector_a_square_near_and_a_length_far() -> None:
    x, y = randn(5, 4, 3), randn(5, 4, 3, seed=1)
    c, length = 0.00054 * 12**0.5, (x - y).square().sum((1, 2)).sqrt()
    torch.testing.assert_close(PseudoHuber()(x, y), (length**2 + c**2).sqrt() - c)
    torch.testing.assert_close(PseudoHuber()(x, y), length, rtol=0, atol=c)
    near = x + 1e-6 * (y - x)
    torch.testing.assert_close(
        PseudoHuber()(x, near), (1e-6 * length) ** 2 / (2 * c), rtol=1e-3, atol=0
    )


def test_pseudo_huber_counts_no_padding_and_is_smooth_at_zero() -> None:
    x, y = randn(4, 6, 3).requires_grad_(), randn(4, 6, 3, seed=1)
    mask = (torch.arange(6) < torch.tensor([[6], [4], [1], [0]])).unsqueeze(2)
    masked = PseudoHuber(0.5)(x, torch.where(mask, y, 99.0), mask)
    for k, length in enumerate((6, 4, 1)):
        alone = PseudoHuber(0.5)(x[k : k + 1, :length], y[k : k + 1, :length])
        torch.testing.assert_close(masked[k], alone[0])
    assert masked[3] == 0
    (slope,) = torch.autograd.grad(masked.sum(), x)
    assert slope.isfinite().all()
    assert (slope[~mask.expand_as(slope)] == 0).all()
    (flat,) = torch.autograd.grad(PseudoHuber()(x, x.detach()).sum(), x)
    assert (flat == 0).all()
    with pytest.raises(InputError, match="c of PseudoHuber must be positive"):
        PseudoHuber(0.0)


# Draws.


@each_objective
def test_foreign_draws_are_refused(objective: Any_) -> None:
    x, t = randn(4, 2), full(4, 0.5)
    batch = TrainingBatch(field=Gaussian(), x=x, teacher=Gaussian())
    with pytest.raises(InputError, match=r"needs the intermediate times s of its own draw\(\)"):
        objective.loss(batch, Draw(x, t, t))


@each_objective
def test_padding_seeds_and_shapes(objective: Any_) -> None:
    check_padding(objective)
    check_seeds(objective)
    for shape in ((64,), (3, 5), (2, 4, 4)):
        check_per_sample(objective, Gaussian(), shape)


# Mutants: of the maps' calls, of the teacher's step, and of the constant target.


def exact_maps_agree() -> None:
    """Along one trajectory of the teacher, and for data at a point."""
    truth, x = Gaussian(), randn(64, 2)
    objective = ConsistencyDistillation(nodes=160)
    batch = TrainingBatch(field=truth, x=x, teacher=truth)
    assert objective.loss(batch, objective.draw(x, seeded())).per_sample.mean() < 1e-9


def targets_are_constant() -> None:
    for objective in OBJECTIVES:
        test_the_gradient_is_that_of_a_constant_target(objective)


def means_are_stationary() -> None:
    test_the_exact_map_is_stationary_on_average_as_the_times_close_in(FROM_DATA[0])


STEP, POINT = flow_map_file.integrate_teacher, LinearPath.point
CODE_MUTANTS: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "teacher-stands-still": (
        distillation_file,
        "integrate_teacher",
        lambda teacher, z, s, t, **rest: z,
        exact_maps_agree,
    ),
    "teacher-goes-back": (
        distillation_file,
        "integrate_teacher",
        lambda teacher, z, s, t, **rest: STEP(teacher, z, 2 * t - s, t, **rest),
        exact_maps_agree,
    ),
    "teacher-to-the-data": (
        distillation_file,
        "integrate_teacher",
        lambda teacher, z, s, t, **rest: STEP(teacher, z, 0 * s, t, **rest),
        exact_maps_agree,
    ),
    "velocity-for-the-map": (
        distillation_file,
        "consistency_function",
        lambda field, z, t: jump(z, field(z, t, t), 0 * t, t),
        exact_maps_agree,
    ),
    "noise-at-time-zero": (
        LinearPath,
        "point",
        lambda self, x, e, t: POINT(self, e, x, t),
        means_are_stationary,
    ),
    "other-noise": (
        LinearPath,
        "point",
        lambda self, x, e, t: POINT(self, x, e.flip(0), t),
        means_are_stationary,
    ),
    "to-half-of-the-way": (
        flow_map_file,
        "consistency_function",
        lambda field, z, t: jump(z, field(z, t / 2, t), t / 2, t),
        means_are_stationary,
    ),
    "no-stop-gradient": (
        flow_map_file,
        "torch",
        SimpleNamespace(**{**vars(torch), "no_grad": nullcontext}),
        targets_are_constant,
    ),
}


@pytest.mark.parametrize("mutant", CODE_MUTANTS.values(), ids=CODE_MUTANTS)
def test_a_mutant_of_the_code_is_seen(monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    require_seen(monkeypatch, mutant)


# Compilation; in a process of its own, for the shape checks of the tests are no graph.

COMPILED = """
import torch
from oneleap.core.paths.ddpm import VPBetas
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import (
    ConsistencyDistillation, ConsistencyTraining, ConsistencyTrajectory, ContinuousConsistency,
    Denoising, EasyConsistencyTuning, ImprovedConsistencyTraining, NoisePrediction,
)
from oneleap.core.types import Conditioned, TrainingBatch

torch.manual_seed(0)
net, average = MLP(3, cond_dim=2, width=8), MLP(3, cond_dim=2, width=8).requires_grad_(False)
x, cond = torch.randn(8, 3), torch.randn(8, 2)
for objective in (
    ConsistencyDistillation(), ConsistencyTraining(), ConsistencyTrajectory(),
    ContinuousConsistency(), Denoising(), EasyConsistencyTuning(), ImprovedConsistencyTraining(),
    NoisePrediction(VPBetas()),
):
    def loss(x, draw):
        u, frozen = Conditioned(net, (cond,)), Conditioned(average, (cond,))
        batch = TrainingBatch(field=u, x=x, target=frozen, teacher=frozen)
        return objective.loss(batch, draw).per_sample.mean()

    draw, weights = objective.draw(x), list(net.parameters())
    compiled = torch.compile(loss, fullgraph=True, backend="{backend}")
    pairs = zip(*(torch.autograd.grad(f(x, draw), weights) for f in (loss, compiled)), strict=True)
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)
"""


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_every_loss_compiles_to_one_graph(backend: str) -> None:
    script = COMPILED.replace("{backend}", backend)
    subprocess.run([sys.executable, "-c", script], check=True, timeout=600)
