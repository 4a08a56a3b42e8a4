"""The Fréchet distance against closed forms and scipy."""

from pathlib import Path

import numpy as np
import pytest
import torch

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.musicnn import (
    Tagger,
)
from oneleap.domains.music.evaluation.frechet import (
    Gaussian,
    fit_gaussian,
    frechet_distance,
    musicnn_embeddings,
)


def gaussian(mean: float, variances: list[float], n: int = 100) -> Gaussian:
    covariance = torch.diag(torch.tensor(variances, dtype=torch.float64))
    return Gaussian(torch.full((len(variances),), mean, dtype=torch.float64), covariance, n)


def test_the_distance_of_gaussians_in_closed_form() -> None:
    a, b = gaussian(0.0, [1.0, 4.0, 9.0]), gaussian(2.0, [4.0, 4.0, 1.0])
    expected = 3 * 4 + sum((x - y) ** 2 for x, y in ((1, 2), (2, 2), (3, 1)))
    assert frechet_distance(a, b) == pytest.approx(expected)
    assert frechet_distance(b, a) == pytest.approx(expected)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_it_does_not_depend_on_the_axes() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(50, 6, generator=g, dtype=torch.float64)
    y = 2 * torch.randn(40, 6, generator=g, dtype=torch.float64) + 1
    turn, _ = torch.linalg.qr(torch.randn(6, 6, generator=g, dtype=torch.float64))
    plain = frechet_distance(fit_gaussian(x), fit_gaussian(y))
    assert frechet_distance(fit_gaussian(x @ turn), fit_gaussian(y @ turn)) == pytest.approx(plain)


def test_it_equals_the_matrix_square_root_of_scipy() -> None:
    import scipy.linalg

    g = torch.Generator().manual_seed(1)
    x, y = (torch.randn(60, 5, generator=g).double() @ torch.randn(5, 5).double() for _ in "ab")
    a, b = fit_gaussian(x), fit_gaussian(y)
    root = scipy.linalg.sqrtm(a.covariance.numpy() @ b.covariance.numpy()).real
    expected = (a.mean - b.mean).square().sum() + np.trace(
        a.covariance.numpy() + b.covariance.numpy() - 2 * root
    )
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-6)


def test_covariances_without_full_rank_are_exact() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(5, 30, generator=g)
    assert frechet_distance(fit_gaussian(x), fit_gaussian(x)) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(fit_gaussian(x), fit_gaussian(x + 1)) == pytest.approx(30, rel=1e-5)
    with pytest.raises(InputError, match="at least two clips"):
        fit_gaussian(x[:1])


def test_fewer_samples_give_a_larger_distance() -> None:
    """The bias that the docstring states."""
    g = torch.Generator().manual_seed(0)
    found = []
    for n in (50, 200, 2000):
        x, y = (torch.randn(n, 10, generator=g) for _ in "ab")
        found.append(frechet_distance(fit_gaussian(x), fit_gaussian(y)))
    assert found[0] > 3 * found[1] > 9 * found[2] > 0
    assert found[1] > 10 * 2 / 200 / 2


def test_embeddings_of_sounds(musicnn_weights: Path) -> None:
    g = torch.Generator().manual_seed(0)
    waves = [0.1 * torch.randn(2, 16_000, generator=g) for _ in range(2)]
    found = musicnn_embeddings(Tagger.load(musicnn_weights), waves, 16_000)
    assert found.shape == (4, 200)
    assert not found.requires_grad
