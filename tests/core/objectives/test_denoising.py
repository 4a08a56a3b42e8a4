"""The losses of diffusion on a field, against the same losses written in their own terms."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.exact import Gaussian, on_trajectory, seeded
from support.exact_paths import (
    Point,
    Pointwise,
    Recorder,
    check_padding,
    check_per_sample,
    check_seeds,
    flipped,
    posterior_nodes,
    randn,
)

from oneleap.core.losses.metrics import AbsoluteError, SquaredError
from oneleap.core.objectives import Denoising, NoisePrediction, denoising
from oneleap.core.paths.base import expand
from oneleap.core.paths.ddpm import CosineBetas, LinearBetas, VPBetas
from oneleap.core.paths.edm import EDM
from oneleap.core.paths.times import LogitNormal
from oneleap.core.types import TrainingBatch

OBJECTIVES = [
    Denoising(),
    Denoising(LogitNormal(), 1.0),
    NoisePrediction(),
    NoisePrediction(VPBetas(), AbsoluteError()),
]
each_objective = pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
Objective = Denoising | NoisePrediction


@pytest.mark.parametrize("sigma_data", [0.5, 1.0, 2.0])
def test_denoising_is_the_weighted_error_of_edm(sigma_data: float) -> None:
    objective, net, x = Denoising(sigma_data=sigma_data), Pointwise(3), randn(20, 3)
    draw, path = objective.draw(x, seeded()), EDM(sigma_data)
    sigma = path.tau(draw.t)
    noisy = path.point(x, draw.e, sigma)
    data, _ = path.posterior_means(net, noisy, sigma)
    weight = (sigma.square() + sigma_data**2) / (sigma * sigma_data).square()
    wanted = weight * (data - x).square().mean(1)
    torch.testing.assert_close(
        objective.loss(TrainingBatch(field=net, x=x), draw).per_sample, wanted
    )


def test_denoising_measures_the_output_of_the_preconditioned_network() -> None:
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    objective, net, x = Denoising(metric=Recorder(SquaredError(), seen)), Pointwise(3), randn(9, 3)
    draw, path = objective.draw(x, seeded()), EDM()
    objective.loss(TrainingBatch(field=net, x=x), draw)
    sigma = path.tau(draw.t)
    noisy = path.point(x, draw.e, sigma)
    data, _ = path.posterior_means(net, noisy, sigma)
    apart = path.network_output(data, noisy, sigma) - path.network_output(x, noisy, sigma)
    torch.testing.assert_close(seen[0][1] - seen[0][0], apart)


@pytest.mark.parametrize("schedule", [LinearBetas(), CosineBetas(), VPBetas()], ids=str)
@pytest.mark.parametrize("power", [1, 2])
def test_noise_prediction_is_the_error_of_the_noise(
    schedule: LinearBetas | CosineBetas | VPBetas, power: int
) -> None:
    metric = AbsoluteError() if power == 1 else SquaredError()
    objective, net, x = NoisePrediction(schedule, metric), Pointwise(3), randn(20, 3)
    draw = objective.draw(x, seeded())
    k = schedule.tau(draw.t)
    assert ((k >= 1) & (k <= schedule.steps)).all()
    _, noise = schedule.posterior_means(net, schedule.point(x, draw.e, k), k)
    wanted = (noise - draw.e).abs().pow(power).mean(1)
    torch.testing.assert_close(
        objective.loss(TrainingBatch(field=net, x=x), draw).per_sample, wanted
    )


def test_every_noising_step_is_drawn_equally_often() -> None:
    objective = NoisePrediction(VPBetas(5))
    draw = objective.draw(torch.zeros(50_000, 1).double(), seeded())
    counts = objective.schedule.tau(draw.t).long().bincount(minlength=6)
    assert counts[0] == 0
    assert (counts[1:] / 10_000 - 1).abs().max() < 0.05


@each_objective
@pytest.mark.parametrize("shape", [(64,), (3, 5), (2, 4, 4)])
def test_the_exact_field_has_zero_loss_where_data_reveal_the_noise(
    objective: Objective, shape: tuple[int, ...]
) -> None:
    truth, z = Gaussian(), randn(*shape)
    x, draw = on_trajectory(truth, z, objective.draw(z, seeded()))
    assert objective.loss(TrainingBatch(field=truth, x=x), draw).per_sample.max() < 1e-14
    assert objective.loss(TrainingBatch(field=flipped(truth), x=x), draw).per_sample.max() > 1e-2
    point = torch.full_like(z, 0.7)
    assert objective(TrainingBatch(field=Point(0.7), x=point), seeded()).per_sample.max() < 1e-14
    check_per_sample(objective, truth, shape)


@pytest.mark.parametrize("objective", [Denoising(), NoisePrediction(VPBetas())], ids=str)
def test_the_exact_field_is_a_stationary_point(objective: Objective) -> None:
    """The expectation over data given the point, by quadrature: exact for a squared error."""
    truth, z = Gaussian(), randn(10)
    draw = objective.draw(z, seeded())
    x, e, weights = posterior_nodes(truth, z, draw.t)
    theta = torch.zeros(2, dtype=torch.float64, requires_grad=True)

    def field(z: torch.Tensor, r: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return truth(z, r, t) + theta @ torch.stack([torch.ones_like(z), torch.sin(z * t)])

    t = draw.t.unsqueeze(1).expand_as(x).flatten()
    spread = type(draw)(e.flatten(), t, t)
    risk = (
        weights.flatten()
        * objective.loss(TrainingBatch(field=field, x=x.flatten()), spread).per_sample
    )
    assert risk.sum() > 0.1  # single samples scatter
    (slope,) = torch.autograd.grad(risk.sum(), theta)
    assert slope.abs().max() < 1e-12


@each_objective
def test_padding_and_seeds(objective: Objective) -> None:
    check_padding(objective)
    check_seeds(objective)


def test_edm_times_are_lognormal_noise() -> None:
    draw = Denoising().draw(torch.zeros(100_000, 1).double(), seeded())
    sigma = EDM().tau(draw.t).log()
    assert abs(sigma.mean() + 1.2) < 0.02
    assert abs(sigma.std() - 1.2) < 0.02
    assert torch.equal(expand(draw.r, draw.e), expand(draw.t, draw.e))


def weighed_edm() -> None:
    test_denoising_is_the_weighted_error_of_edm(0.5)


def weighed_noise() -> None:
    test_noise_prediction_is_the_error_of_the_noise(LinearBetas(), 2)


@pytest.mark.parametrize(
    ("name", "mutant", "exactness"),
    [
        ("hypot", lambda a, b: a + b, weighed_edm),
        ("hypot", lambda a, b: torch.hypot(a, 1 - b), weighed_edm),
        ("where", lambda now, a, b: torch.ones_like(a), weighed_noise),
        ("where", lambda now, a, b: a.square(), weighed_noise),
    ],
)
def test_a_mutant_of_the_weight_is_seen(
    monkeypatch: pytest.MonkeyPatch, name: str, mutant: Any, exactness: Callable[[], None]
) -> None:
    exactness()
    wrong = SimpleNamespace(**{**vars(torch), name: mutant})
    monkeypatch.setattr(denoising, "torch", wrong)
    with pytest.raises(AssertionError):
        exactness()
