"""Reflow and direct distillation against flows known in closed form."""

import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from support.exact import Gaussian, seeded
from support.exact_paths import (
    Pointwise,
    Recorder,
    check_padding,
    check_per_sample,
    check_seeds,
    flipped,
    full,
    gradients,
    randn,
)
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import teacher_pairs
from oneleap.core.fields.guidance import GuidedField
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import DirectDistillation, FlowMatching, Reflow
from oneleap.core.objectives import direct_distillation as direct_module
from oneleap.core.objectives import reflow as reflow_module
from oneleap.core.paths.base import LinearPath, expand
from oneleap.core.sampling.ode import sample
from oneleap.core.types import Conditioned, Draw, Field, TrainingBatch

Patch = pytest.MonkeyPatch
Distils = Reflow | DirectDistillation
OBJECTIVES: list[Distils] = [Reflow(), Reflow(heun=False, steps=3), DirectDistillation()]
each_objective = pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: type(o).__name__)


@dataclass(frozen=True)
class Straight:
    """The field of the lines from ``mean + std e`` to ``e``: what reflow of a Gaussian ends in."""

    mean: float = 0.7
    std: float = 0.5

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        w = expand(t, z)
        e = (z - (1 - w) * self.mean) / ((1 - w) * self.std + w)
        return (1 - self.std) * e - self.mean


def loss_of(objective: Distils, field: Field, teacher: Field, x: Tensor) -> Tensor:
    return objective(TrainingBatch(field=field, x=x, teacher=teacher), seeded()).per_sample


# Exactness.


@pytest.mark.parametrize("shape", [(64,), (3, 5), (2, 4, 4)])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("heun", [False, True])
@pytest.mark.parametrize("cls", [Reflow, DirectDistillation])
def test_a_straight_teacher_is_its_own_student(
    cls: type[Distils], shape: tuple[int, ...], steps: int, heun: bool
) -> None:
    """Its ODE is solved in any number of steps, and the data never matter."""
    line = Straight()
    loss = loss_of(cls(steps=steps, heun=heun), line, line, randn(*shape, seed=1))
    assert loss.shape == shape[:1]
    assert loss.max() < 1e-20


@pytest.mark.parametrize(("heun", "order"), [(False, 1), (True, 2)])
@pytest.mark.parametrize(
    ("cls", "student"), [(Reflow, Straight()), (DirectDistillation, Gaussian())]
)
def test_the_loss_of_the_right_student_is_the_square_of_the_solvers_error(
    cls: type[Distils], student: Field, heun: bool, order: int
) -> None:
    x = randn(50, 2)
    roots = [
        loss_of(cls(steps=k, heun=heun), student, Gaussian(), x).mean().sqrt()
        for k in (16, 32, 64, 128)
    ]
    assert roots[-1] < 1e-2
    for coarse, fine in itertools.pairwise(roots):
        assert torch.log2(coarse / fine).item() == pytest.approx(order, abs=0.25)


def test_reflow_asks_for_another_field_than_the_bent_teachers_own() -> None:
    assert loss_of(Reflow(steps=64), Gaussian(), Gaussian(), randn(50, 2)).mean() > 1e-2


def test_a_straight_field_samples_the_teachers_pairs_in_any_number_of_steps() -> None:
    e, x = teacher_pairs(Gaussian(), randn(40, 2), steps=400)
    for steps in (1, 2, 5):
        torch.testing.assert_close(sample(Straight(), e, steps=steps), x, rtol=0, atol=1e-4)


# Special cases.


def test_reflow_on_kept_pairs_is_flow_matching() -> None:
    net, objective = Pointwise(3), Reflow(steps=4)
    draw = objective.draw(randn(20, 3), seeded())
    draw = replace(draw, r=draw.t)
    teacher = Pointwise(3, 1)
    e, x = teacher_pairs(teacher, draw.e, steps=4)
    assert e is draw.e
    assert not x.requires_grad
    mine = objective.loss(TrainingBatch(field=net, x=randn(20, 3), teacher=teacher), draw)
    kept = FlowMatching().loss(TrainingBatch(field=net, x=x), draw)
    torch.testing.assert_close(mine.per_sample, kept.per_sample, rtol=0, atol=0)


def test_reflow_at_pure_noise_is_direct_distillation() -> None:
    net, teacher, x = Pointwise(3), Pointwise(3, 1), randn(20, 3)
    batch = TrainingBatch(field=net, x=x, teacher=teacher)
    direct = DirectDistillation(steps=5)
    draw = direct.draw(x, seeded())
    losses = [o.loss(batch, draw).per_sample for o in (direct, Reflow(steps=5, heun=False))]
    torch.testing.assert_close(*losses)
    slopes = [gradients(loss.sum(), net) for loss in losses]
    torch.testing.assert_close(*slopes)


def test_fql_regresses_the_answer_of_eulers_steps_cut_to_the_range() -> None:
    net, x = Pointwise(2), randn(30, 2)
    objective = DirectDistillation(clip=1.0)
    draw = objective.draw(x, seeded())
    a = draw.e
    for k in range(10):  # Algorithm 1 of the paper, whose time is 1 - t
        t = full(30, 1 - k / 10)
        a = a - Gaussian()(a, t, t) / 10
    assert a.abs().max() > 1
    one_step = draw.e - net(draw.e, full(30, 0.0), full(30, 1.0))
    wanted = (one_step - a.clamp(-1, 1)).square().mean(1)
    got = objective.loss(TrainingBatch(field=net, x=x, teacher=Gaussian()), draw).per_sample
    torch.testing.assert_close(got, wanted)


@each_objective
def test_the_teacher_is_guided_if_a_scale_is_given(objective: Distils) -> None:
    torch.manual_seed(0)
    net, teacher = (MLP(2, 1, 16, 1, 8).double() for _ in range(2))
    cond, x = randn(12, 1), randn(12, 2)
    given = Conditioned(teacher, (cond,), (torch.zeros(1, 1).double(),))
    dropped = Conditioned(teacher, (0 * cond,))
    batch = TrainingBatch(field=Conditioned(net, (cond,)), x=x, teacher=given)
    by_hand = replace(batch, teacher=GuidedField(given, dropped, 1.5))
    guided = replace(objective, guidance=1.5)
    got, wanted, plain = (
        o(b, seeded()).per_sample
        for o, b in ((guided, batch), (objective, by_hand), (objective, batch))
    )
    torch.testing.assert_close(got, wanted)
    assert not torch.allclose(got, plain)
    with pytest.raises(InputError, match="conditions can be dropped"):
        guided(replace(batch, teacher=dropped), seeded())


# Mutants.


@each_objective
@pytest.mark.parametrize("spoil", ["student", "teacher"])
def test_wrong_maps_are_told_from_the_exact_one(objective: Distils, spoil: str) -> None:
    line, x = Straight(), randn(64, 2)
    students = {"student": flipped(line), "teacher": line}
    teachers = {"student": line, "teacher": flipped(line)}
    assert loss_of(objective, line, line, x).mean() < 1e-20
    assert loss_of(objective, students[spoil], teachers[spoil], x).mean() > 1e-3


def other_noise(field: Field, noise: Tensor, **solver: object) -> tuple[Tensor, Tensor]:
    """The mistake of a port of FQL: teacher and student draw noise of their own."""
    return noise, teacher_pairs(field, noise.flip(0), **solver)[1]


def whole_for_instant(field: Field, noise: Tensor, **solver: object) -> tuple[Tensor, Tensor]:
    """The teacher asked for its mean velocity, which a multi-step model does not know."""
    blind: Callable[..., Tensor] = lambda z, r, t: field(z, 0 * r, t)  # noqa: E731
    return teacher_pairs(blind, noise, **solver)


@pytest.mark.parametrize("mutant", [other_noise, whole_for_instant])
@pytest.mark.parametrize(
    ("cls", "module", "student"),
    [(Reflow, reflow_module, Straight()), (DirectDistillation, direct_module, Gaussian())],
)
def test_mistaken_pairs_show(
    monkeypatch: Patch,
    cls: type[Distils],
    module: object,
    student: Field,
    mutant: Callable[..., tuple[Tensor, Tensor]],
) -> None:
    objective, x = cls(steps=40, heun=True), randn(64, 2)
    assert loss_of(objective, student, Gaussian(), x).mean() < 1e-5
    monkeypatch.setattr(module, "teacher_pairs", mutant)
    assert loss_of(objective, student, Gaussian(), x).mean() > 1e-3


def test_mistaken_lines_show(monkeypatch: Patch) -> None:
    line, x, point = Straight(), randn(64, 2), LinearPath.point
    monkeypatch.setattr(LinearPath, "point", lambda self, x, e, t: point(self, e, x, t))
    assert loss_of(Reflow(), line, line, x).mean() > 1e-3


@each_objective
def test_the_gradient_is_that_of_a_constant_target(objective: Distils) -> None:
    net, teacher, x = Pointwise(3), Pointwise(3, 1), randn(20, 3)
    seen: list[tuple[Tensor, Tensor]] = []
    recording = replace(objective, metric=Recorder(objective.metric, seen))
    loss = recording(TrainingBatch(field=net, x=x, teacher=teacher), seeded())
    assert not seen[0][1].requires_grad
    loss.per_sample.sum().backward()
    assert all(p.grad is None for p in teacher.parameters())
    assert all(p.grad is not None for p in net.parameters())


# Refusals, padding, seeds, shapes.


@pytest.mark.parametrize("cls", [Reflow, DirectDistillation])
def test_what_makes_no_sense_is_refused(cls: type[Distils]) -> None:
    with pytest.raises(InputError, match=f"{cls.__name__} distills a teacher, and none was given"):
        cls()(TrainingBatch(field=Gaussian(), x=randn(4, 2)), seeded())
    with pytest.raises(InputError, match=f"steps of {cls.__name__} must be at least 1"):
        cls(steps=0)
    with pytest.raises(InputError, match="clip must be positive"):
        DirectDistillation(clip=0.0)


@each_objective
def test_padding_seeds_and_shapes(objective: Distils) -> None:
    check_padding(objective)
    for shape in ((64,), (3, 5), (2, 4, 4)):
        draw = check_per_sample(objective, Gaussian(), shape)
        assert ((draw.r >= 0) & (draw.r <= draw.t)).all()
    if isinstance(objective, Reflow):
        check_seeds(objective)
    else:
        draws = [objective.draw(randn(5, 2).float(), seeded(k)) for k in (1, 1, 2)]
        assert torch.equal(draws[0].e, draws[1].e)
        assert not torch.equal(draws[0].e, draws[2].e)
        assert all((d.r == 0).all() and (d.t == 1).all() for d in draws)


def test_reflow_draws_intervals_of_every_length() -> None:
    draw: Draw = Reflow().draw(torch.zeros(40_000, 1).double(), seeded())
    assert draw.t.mean() == pytest.approx(0.5, abs=0.01)
    share = draw.r / draw.t
    assert (share.mean(), share.std()) == pytest.approx((0.5, 12**-0.5), abs=0.01)
    assert torch.corrcoef(torch.stack([share, draw.t]))[0, 1].abs() < 0.02


COMPILED = """
import torch
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import DirectDistillation, Reflow
from oneleap.core.fields.guidance import GuidedField
from oneleap.core.types import Conditioned, TrainingBatch

torch.manual_seed(0)
net, teacher = MLP(3, cond_dim=2, width=8), MLP(3, cond_dim=2, width=8).requires_grad_(False)
x, cond = torch.randn(8, 3), torch.randn(8, 2)
for objective in (Reflow(steps=2, guidance=2.0), DirectDistillation(steps=2, clip=1.0)):
    def loss(x, draw):
        given = Conditioned(teacher, (cond,), (torch.zeros(1, 2),))
        if objective.guidance is None:
            given = GuidedField(given, Conditioned(teacher, (-cond,)), 2.0, (0.2, 0.8))
        batch = TrainingBatch(field=Conditioned(net, (cond,)), x=x, teacher=given)
        return objective.loss(batch, draw).per_sample.mean()

    draw, weights = objective.draw(x), list(net.parameters())
    compiled = torch.compile(loss, fullgraph=True, backend="{backend}")
    pairs = zip(*(torch.autograd.grad(f(x, draw), weights) for f in (loss, compiled)), strict=True)
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)
"""


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_both_compile_to_one_graph(backend: str) -> None:
    script = COMPILED.replace("{backend}", backend)
    subprocess.run([sys.executable, "-c", script], check=True, timeout=600)
