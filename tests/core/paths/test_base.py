"""The linear path, and the closed-form truth the other tests stand on."""

import pytest
import torch
from support.exact import Gaussian, seeded

from oneleap.core.paths.base import LinearPath, expand, jump

SHAPES = [(64,), (3, 5), (2, 4, 4)]
TRUTHS = [Gaussian(0.7, 0.5), Gaussian(-0.2, 1.3), Gaussian(1.5, 0.0)]


def pair(shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    g = seeded()
    return torch.randn(2, *shape, generator=g, dtype=torch.float64).unbind()


@pytest.mark.parametrize("shape", SHAPES)
def test_ends_of_the_path_are_data_and_noise(shape: tuple[int, ...]) -> None:
    x, e = pair(shape)
    path, zeros = LinearPath(), torch.zeros(shape[0], dtype=torch.float64)
    assert torch.equal(path.point(x, e, zeros), x)
    assert torch.equal(path.point(x, e, zeros + 1), e)


@pytest.mark.parametrize("shape", SHAPES)
def test_velocity_is_the_time_derivative_of_the_point(shape: tuple[int, ...]) -> None:
    x, e = pair(shape)
    t = torch.rand(shape[0], generator=seeded(), dtype=torch.float64)
    path, h = LinearPath(), 0.25  # the path is straight, so the difference quotient is exact
    slope = (path.point(x, e, t + h) - path.point(x, e, t - h)) / (2 * h)
    torch.testing.assert_close(path.velocity(x, e), slope)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_jump_along_the_velocity_stays_on_the_path(shape: tuple[int, ...]) -> None:
    x, e = pair(shape)
    r, t = torch.rand(2, shape[0], generator=seeded(), dtype=torch.float64).sort(0).values
    path = LinearPath()
    landed = jump(path.point(x, e, t), path.velocity(x, e), r, t)
    torch.testing.assert_close(landed, path.point(x, e, r))


def test_expand_broadcasts_over_every_axis_but_the_first() -> None:
    t = torch.tensor([1.0, 2.0])
    assert expand(t, torch.empty(2, 3, 4)).shape == (2, 1, 1)
    assert expand(t, torch.empty(2)).shape == (2,)


# The truth itself: were tests/support/exact.py wrong, every other test would prove nothing.


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_exact_velocity_is_the_limit_of_the_exact_mean_velocity(truth: Gaussian) -> None:
    z, t = torch.randn(9, 3).double(), torch.linspace(0.1, 1, 9).double()
    torch.testing.assert_close(truth(z, t, t), truth.velocity(z, t), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_exact_mean_velocity_is_the_chord_of_the_exact_flow(truth: Gaussian) -> None:
    z, t = torch.randn(9, 3).double(), torch.linspace(0.2, 1, 9).double()
    r = t * torch.linspace(0, 0.9, 9).double()
    torch.testing.assert_close(
        jump(z, truth(z, r, t), r, t), truth.flow(z, r, t), rtol=1e-13, atol=0
    )


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_exact_flow_solves_the_ordinary_differential_equation(truth: Gaussian) -> None:
    z, t = torch.randn(9, 3).double(), torch.linspace(0.3, 1, 9).double()
    r, h = t - 0.2, 1e-5
    slope = (truth.flow(z, r + h, t) - truth.flow(z, r - h, t)) / (2 * h)
    velocity = truth.velocity(truth.flow(z, r, t), r)
    torch.testing.assert_close(slope, velocity, rtol=1e-8, atol=1e-8)


def test_exact_posterior_agrees_with_a_regression_over_samples() -> None:
    truth, g = Gaussian(), seeded()
    x, e = truth.sample((400_000,), g), torch.randn(400_000, generator=g, dtype=torch.float64)
    t = torch.full_like(x, 0.4)
    z = LinearPath().point(x, e, t)
    for actual, mean in zip((x, e), truth.posterior(z, t), strict=True):
        residual = actual - mean
        assert abs(residual.mean()) < 5e-3
        assert abs((residual * z).mean()) < 5e-3
        assert residual.std() < 0.99 * actual.std()
