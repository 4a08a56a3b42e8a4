"""Sliced Wasserstein distance where it is known."""

import pytest
import torch
from support.exact import seeded

from oneleap.core.bench.distance import sliced_wasserstein


def cloud(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=seeded(seed), dtype=torch.float64)


def test_it_is_zero_for_the_same_set_in_any_order() -> None:
    x = cloud(100, 3)
    assert sliced_wasserstein(x, x[torch.randperm(100)], generator=seeded()) < 1e-15


def test_in_one_dimension_it_is_the_wasserstein_distance() -> None:
    x, y = torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([[6.0], [0.0], [3.0]])
    wanted = ((0 - 0) ** 2 + (1 - 3) ** 2 + (5 - 6) ** 2) / 3
    assert sliced_wasserstein(x, y).item() == pytest.approx(wanted**0.5)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_translation_costs_its_length_over_the_root_of_the_dimension(d: int) -> None:
    x, c = cloud(50, d), cloud(1, d, seed=1)
    got = sliced_wasserstein(x, x + c, projections=200_000, generator=seeded())
    assert got.item() == pytest.approx(c.norm().item() / d**0.5, rel=0.01)


def test_widths_of_gaussians_differ_by_their_standard_deviations() -> None:
    got = sliced_wasserstein(cloud(100_000, 2), 3 * cloud(100_000, 2, seed=1), generator=seeded())
    assert got.item() == pytest.approx(2.0, rel=0.01)


def test_it_is_symmetric_reproducible_and_differentiable() -> None:
    x, y = cloud(64, 2).requires_grad_(), cloud(64, 2, seed=1)
    there, back = (sliced_wasserstein(*p, generator=seeded()) for p in ((x, y), (y, x)))
    assert torch.equal(there, back)
    assert torch.autograd.grad(there, x)[0].norm() > 0
