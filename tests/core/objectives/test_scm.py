"""Continuous-time consistency: its tangent against equations, its zero against exact maps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

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
    gradients,
    randn,
    swapped,
    teacher_of,
)
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import SquaredError, masked_mean
from oneleap.core.objectives import TBCM, ContinuousConsistency, scm
from oneleap.core.paths.base import expand
from oneleap.core.paths.trigflow import TrigFlow
from oneleap.core.types import Conditioned, Draw, Field, TrainingBatch

SHAPES = [(64,), (3, 5), (2, 4, 4)]
FINAL = ContinuousConsistency(warmup=0.0)


def trajectory(
    truth: Gaussian, objective: ContinuousConsistency, *shape: int
) -> tuple[Tensor, Draw]:
    z = randn(*shape)
    draw = objective.draw(z, seeded(), 1.0)
    x, paired = on_trajectory(truth, z, draw)
    return x, replace(draw, e=paired.e)


@pytest.mark.parametrize("sigma_data", [0.5, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("truth", [Gaussian(0.7, 0.5), Gaussian(-0.2, 1.3)], ids=str)
def test_the_exact_map_stands_still(
    truth: Gaussian, shape: tuple[int, ...], sigma_data: float
) -> None:
    objective = ContinuousConsistency(sigma_data=sigma_data, warmup=0.0)
    x, draw = trajectory(truth, objective, *shape)
    assert objective.loss(TrainingBatch(field=truth, x=x), draw).per_sample.max() < 1e-20
    distilled = objective.loss(TrainingBatch(field=truth, x=randn(*shape), teacher=truth), draw)
    assert distilled.per_sample.max() < 1e-20
    alone = objective.loss(TrainingBatch(field=truth, x=randn(*shape)), draw)
    assert alone.per_sample.max() > 1e-3  # a sample's own velocity scatters about the mean
    check_per_sample(objective, truth, shape)


def test_the_exact_map_of_a_mixture_stands_still() -> None:
    truth, x = Mixture(steps=32), randn(8, 2)
    draw = FINAL.draw(x, seeded())
    loss = FINAL.loss(TrainingBatch(field=truth, x=x, teacher=teacher_of(truth)), draw)
    assert loss.logs["tangent_error"].sqrt() < 1e-5


@pytest.mark.parametrize("mutant", [flipped, swapped])
def test_wrong_maps_do_not(mutant: Callable[[Field], Field]) -> None:
    truth = Gaussian()
    x, draw = trajectory(truth, FINAL, 64, 2)
    assert FINAL.loss(TrainingBatch(field=mutant(truth), x=x), draw).logs["tangent_error"] > 1e-2
    distilled = FINAL.loss(TrainingBatch(field=truth, x=x, teacher=flipped(truth)), draw)
    assert distilled.logs["tangent_error"] > 1e-2


def test_data_at_a_point_leave_no_loss() -> None:
    x = torch.full((40, 3), 0.7, dtype=torch.float64)
    assert FINAL(TrainingBatch(field=Point(0.7), x=x), seeded()).per_sample.max() < 1e-20


@pytest.mark.parametrize("sigma_data", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("progress", [0.0, 0.02, 1.0])
@pytest.mark.parametrize("distilled", [True, False])
def test_the_target_is_its_equation_by_central_differences(
    sigma_data: float, progress: float, distilled: bool
) -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    objective = ContinuousConsistency(
        sigma_data=sigma_data, warmup=0.05, metric=Recorder(SquaredError(), seen)
    )
    net, teacher, data = Pointwise(3), Pointwise(3, 1), randn(20, 3)
    draw = objective.draw(data, seeded(), progress)
    loss = objective.loss(
        TrainingBatch(field=net, x=data, teacher=teacher if distilled else None), draw
    )

    s, tau = sigma_data, torch.atan(draw.t / (sigma_data * (1 - draw.t)))
    cos, sin = tau.cos().unsqueeze(1), tau.sin().unsqueeze(1)
    x = cos * data + sin * s * draw.e

    def f(x: Tensor, tau: Tensor, net: Field, jump: bool) -> Tensor:
        cos, sin = tau.cos().unsqueeze(1), tau.sin().unsqueeze(1)
        t = (s * sin / (cos + s * sin)).squeeze(1)
        u = net(x / (cos + s * sin), 0 * t if jump else t, t)
        return ((cos - sin / s) * x + u) / (cos + s * sin)

    dx = s * f(x, tau, teacher, False) if distilled else cos * s * draw.e - sin * data
    h = 1e-5
    with torch.no_grad():
        value = f(x, tau, net, True)
        after, before = (f(x + k * dx, tau + k, net, True) for k in (h, -h))
        df = (after - before) / (2 * h)
        ramp = {0.0: 0.0, 0.02: 0.4, 1.0: 1.0}[progress]
        g = -(cos**2) * (s * value - dx) - ramp * cos * sin * (x + s * df)
        norm = g.square().mean(1, keepdim=True).sqrt()
    prediction, target = seen[0]
    torch.testing.assert_close(prediction, value)
    torch.testing.assert_close(target, value + g / (norm + 0.1), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(loss.logs["tangent_error"], g.square().mean(), rtol=1e-6, atol=0)


def test_the_gradient_is_that_of_a_constant_target() -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    objective, net, x = (
        replace(FINAL, metric=Recorder(SquaredError(), seen)),
        Pointwise(3),
        randn(9, 3),
    )
    draw = objective.draw(x, seeded())
    loss = objective.loss(TrainingBatch(field=net, x=x), draw).per_sample.sum()
    _, target = seen[0]
    assert not target.requires_grad
    path, tau = TrigFlow(), TrigFlow().tau(draw.t)
    point = path.point(x, draw.e, tau)
    z, t = path.to_linear(point, tau)
    again = path.network_output(net(z, 0 * t, t), point, tau)
    wanted = (again - target).square().mean(1).sum()
    torch.testing.assert_close(gradients(loss, net), gradients(wanted, net))


def test_the_tangent_of_padding_does_not_count_in_its_norm() -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    objective = replace(FINAL, metric=Recorder(SquaredError(), seen), c=0.0)
    x, mask = randn(4, 6, 3), (torch.arange(6) < torch.tensor([[6], [4], [2], [1]])).unsqueeze(2)
    objective.loss(TrainingBatch(field=Pointwise(3), x=x, mask=mask), objective.draw(x, seeded()))
    prediction, target = seen[0]
    size = masked_mean((target - prediction).square(), mask)
    torch.testing.assert_close(size, torch.ones(4).double())


def test_the_warm_up_is_a_share_of_the_run() -> None:
    x = torch.zeros(3, 2)
    shares = {}
    for progress in (0.0, 0.025, 0.05, 1.0):
        ramp = ContinuousConsistency().draw(x, seeded(), progress).ramp
        assert ramp is not None
        shares[progress] = ramp.unique().item()
    assert shares == pytest.approx({0.0: 0.0, 0.025: 0.5, 0.05: 1.0, 1.0: 1.0})
    assert (FINAL.draw(x, seeded(), 0.0).ramp == 1).all()


def test_times_are_those_of_lognormal_noise() -> None:
    draw = FINAL.draw(torch.zeros(100_000, 1).double(), seeded())
    log = (0.5 * TrigFlow(0.5).tau(draw.t).tan()).log()
    assert abs(log.mean() + 1.0) < 0.02
    assert abs(log.std() - 1.4) < 0.02
    assert expand(draw.r, draw.e).abs().max() == 0


def test_padding_seeds_and_foreign_draws() -> None:
    check_padding(FINAL)
    check_seeds(FINAL)
    x = randn(4, 2)
    with pytest.raises(InputError, match=r"needs the ramp of its own draw\(\)"):
        FINAL.loss(
            TrainingBatch(field=Gaussian(), x=x), Draw(x, torch.zeros(4).double(), x[:, 0].abs())
        )


# Guidance of the teacher: the guided law of two Gaussians of one spread is a third one.

NULL, COND, STD = -0.3, 0.6, 0.5


def shifted(scale: float | Tensor) -> Any:
    """A field of the guided mean, as a network that may take the scale as an input."""

    def net(z: Tensor, r: Tensor, t: Tensor, c: Tensor, guidance: Tensor | None = None) -> Tensor:
        w = expand(guidance, z) if guidance is not None else scale
        mean: Any = NULL + w * (COND - NULL) * expand(c[:, 0], z)
        return Gaussian(mean, STD)(z, r, t)

    return net


def guided(scale: float, objective: ContinuousConsistency) -> Tensor:
    c = torch.ones(32, 1).double()
    teacher = Conditioned(shifted(1.0), (c,), (torch.zeros_like(c),))
    field = Conditioned(shifted(scale), (c,), (torch.zeros_like(c),))
    x = randn(32, 2)
    draw = objective.draw(x, seeded(), 1.0)
    return objective.loss(TrainingBatch(field=field, x=x, teacher=teacher), draw).per_sample


@pytest.mark.parametrize(
    "objective",
    [
        ContinuousConsistency(sigma_data=1.0, warmup=0.0, guidance=2.0),
        TBCM(sigma_data=1.0, warmup=0.0, guidance=2.0),
    ],
    ids=lambda o: type(o).__name__,
)
def test_a_guided_teacher_is_baked_in(objective: ContinuousConsistency) -> None:
    assert guided(2.0, objective).max() < 1e-20
    for wrong in (1.0, 3.0):
        assert guided(wrong, objective).mean() > 1e-3
    assert objective.teacher_use() == "required"


@pytest.mark.parametrize("cls", [ContinuousConsistency, TBCM])
def test_drawn_scales_are_the_teachers_and_an_input_of_the_student(cls: Any) -> None:
    objective = cls(sigma_data=1.0, warmup=0.0, guidance=(1.0, 4.0))
    draw = objective.draw(randn(400, 2), seeded(), 1.0)
    assert draw.w is not None
    assert draw.w.min() >= 1.0
    assert draw.w.max() <= 4.0
    assert draw.w.std().item() == pytest.approx(3 / 12**0.5, rel=0.1)
    assert guided(99.0, objective).max() < 1e-20  # the student's scale is the drawn one
    with pytest.raises(InputError, match="two rising scales"):
        cls(guidance=(4.0, 1.0))


def test_guidance_without_a_teacher_is_told() -> None:
    x = randn(8, 2)
    for guidance in (2.0, (1.0, 2.0)):
        objective = ContinuousConsistency(guidance=guidance)
        field = Conditioned(shifted(1.0), (torch.ones(8, 1).double(),))
        with pytest.raises(InputError):
            objective.loss(TrainingBatch(field=field, x=x), objective.draw(x, seeded(), 1.0))


# Mutants of the tangent.


def still() -> None:
    test_the_exact_map_stands_still(Gaussian(0.7, 0.5), (64,), 1.0)


def equation() -> None:
    test_the_target_is_its_equation_by_central_differences(0.5, 0.02, distilled=True)


def at_rest(f: Field, x: Tensor, r: Tensor, t: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    return DERIVATIVE(lambda x, r, _: f(x, r, t), x, r, t, v)


DERIVATIVE, RATE = scm.total_derivative, TrigFlow.velocity
DRAW = ContinuousConsistency.draw
MUTANTS: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "without-time": (scm, "total_derivative", at_rest, still),
    "without-velocity": (
        scm,
        "total_derivative",
        lambda f, x, r, t, v: DERIVATIVE(f, x, r, t, 0 * v),
        still,
    ),
    "sign": (scm, "total_derivative", lambda f, x, r, t, v: DERIVATIVE(f, x, r, t, -v), still),
    "per-unit-of-noise": (
        TrigFlow,
        "velocity",
        lambda self, x, e, tau: RATE(self, x, e / self.sigma_data, tau),
        equation,
    ),
    "towards-data": (TrigFlow, "velocity", lambda self, x, e, tau: -RATE(self, x, e, tau), still),
    "negative-factors": (scm, "expand", lambda h, like: -expand(h, like), still),
    "warmed-up-at-once": (
        ContinuousConsistency,
        "draw",
        lambda self, *a: replace(DRAW(self, *a), ramp=torch.ones_like(DRAW(self, *a).t)),
        equation,
    ),
    "norm-of-the-sum": (
        scm,
        "masked_mean",
        lambda g, mask: g.flatten(1).sum(1),
        equation,
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_of_the_tangent_is_seen(monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    require_seen(monkeypatch, mutant)
