"""Consistency objectives against exact flow maps."""

import itertools
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from support.exact import Gaussian, seeded
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
from oneleap.core.fields.flow_map import consistency_function, flow_map, integrate_teacher
from oneleap.core.losses.metrics import PseudoHuber, SquaredError
from oneleap.core.objectives import (
    ConsistencyDistillation,
    ConsistencyTraining,
    ConsistencyTrajectory,
    Dispersed,
    EasyConsistencyTuning,
    ImprovedConsistencyTraining,
    MeanFlow,
)
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.edm import Karras
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


# Grids, laws and curricula.


def test_distillation_draws_neighbouring_nodes_evenly() -> None:
    objective = ConsistencyDistillation(nodes=6)
    draw = objective.draw(torch.zeros(50_000, 1).double(), seeded())
    nodes = Karras().times(6, draw.e)
    assert draw.s is not None
    upper = torch.searchsorted(nodes, draw.t)
    assert torch.equal(nodes[upper], draw.t)
    assert torch.equal(nodes[upper - 1], draw.s)
    assert (upper.bincount(minlength=6)[1:] / 10_000 - 1).abs().max() < 0.05


def test_the_grid_of_consistency_training_grows_as_in_the_paper() -> None:
    objective = ConsistencyTraining()
    assert [objective.nodes(p) for p in (0.0, 0.25, 0.5, 1.0)] == [2, 76, 107, 151]
    assert (objective.draw(torch.zeros(9, 1).double(), seeded(), 0.0).t == 1).all()


def test_the_decay_of_consistency_training_rises_with_its_grid() -> None:
    """``mu = exp(s0 ln mu0 / N)``: mu0 at first, and 0.99932 of 151 levels."""
    objective = ConsistencyTraining()
    assert objective.target_decay(0.0) == pytest.approx(0.95)
    assert objective.target_decay(1.0) == pytest.approx(0.95 ** (2 / 151))
    decays = [objective.target_decay(k / 20) or 0.0 for k in range(21)]
    assert decays == sorted(decays)
    assert ConsistencyTraining(mu0=0.9).target_decay(0.0) == pytest.approx(0.9)
    assert ConsistencyTraining(mu0=None).target_decay(0.5) is None


def test_the_decays_of_targets_are_those_of_the_sources() -> None:
    for objective, decay in (
        (ConsistencyDistillation(), 0.95),
        (ConsistencyTrajectory(), 0.999),
        (Dispersed(ConsistencyDistillation(target_ema=0.9)), 0.9),
        (ImprovedConsistencyTraining(), None),
        (MeanFlow(), None),
    ):
        assert objective.target_decay(0.3) == decay
    for build in (
        lambda: ConsistencyDistillation(target_ema=1.0),
        lambda: ConsistencyTrajectory(target_ema=-0.1),
        lambda: ConsistencyTraining(mu0=0.0),
    ):
        with pytest.raises(InputError, match="is not in"):
            build()


def test_the_grid_of_ict_doubles_at_equal_shares_of_training() -> None:
    objective = ImprovedConsistencyTraining()
    counts = [objective.nodes(k / 8) for k in range(9)]
    assert counts == [11, 21, 41, 81, 161, 321, 641, 1281, 1281]
    assert objective.nodes(1 / 8 - 1e-9) == 11
    assert ImprovedConsistencyTraining(first=10, last=50).nodes(1.0) == 41


def test_ict_draws_intervals_by_its_law_and_weights_them_by_their_width() -> None:
    objective = ImprovedConsistencyTraining(metric=SquaredError())
    x = torch.zeros(100_000, 1).double()
    draw = objective.draw(x, seeded(), 0.0)
    assert draw.s is not None
    sigmas = Karras().sigmas(11, x)
    nodes = Karras().times(11, x)
    index = torch.searchsorted(nodes, draw.t) - 1
    assert torch.equal(nodes[index], draw.s)
    share = index.bincount(minlength=10) / len(x)
    law = Karras().log_normal(sigmas, -1.1, 2.0)
    assert (share - law).abs().max() < 5e-3
    net, few = Pointwise(1), slice(0, 50)
    part = Draw(draw.e[few], draw.r[few], draw.t[few], draw.s[few])
    batch = TrainingBatch(field=net, x=x[few])
    plain = ConsistencyTraining(metric=SquaredError()).loss(batch, part).per_sample
    weight = 1 / sigmas.diff()[index[few]]
    torch.testing.assert_close(objective.loss(batch, part).per_sample, weight * plain)


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_ect_closes_in_by_its_rule(progress: float) -> None:
    objective = EasyConsistencyTuning()
    draw = objective.draw(torch.zeros(20_000, 1).double(), seeded(), progress)
    assert draw.s is not None
    sigma, near = (t / (1 - t) for t in (draw.t, draw.s))
    stage = {0.0: 0, 0.5: 4, 1.0: 7}[progress]
    wanted = sigma * (1 - 2.0 ** -(stage + 1) * (1 + 8 / (1 + sigma.exp())))
    torch.testing.assert_close(near, wanted.clamp(min=0))
    at_data = (draw.s == 0).double().mean()
    assert at_data == pytest.approx(0.81 if stage == 0 else 0.0, abs=0.01)
    net, few = Pointwise(1), slice(0, 50)
    part = Draw(draw.e[few], draw.r[few], draw.t[few], draw.s[few])
    batch = TrainingBatch(field=net, x=randn(50, 1))
    plain = ConsistencyTraining(metric=PseudoHuber()).loss(batch, part).per_sample
    gap = (sigma - near)[few]
    torch.testing.assert_close(objective.loss(batch, part).per_sample * gap, plain)


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
