"""Closed-form solution: the mean velocity of Gaussian data on the linear path.

Data are ``N(m, s^2)`` in every element and noise is ``N(0, 1)``, so ``z_t`` is Gaussian with mean
``(1 - t) m`` and variance ``sigma_t^2 = (1 - t)^2 s^2 + t^2``. Along the probability-flow ODE, the
standardized state ``(z_t - (1 - t) m) / sigma_t`` is constant. This gives the flow map and the mean
velocity. The posterior means of data and noise given ``z_t`` give the velocity in a second way.

:func:`require_seen` checks that a test of such a truth is able to fail.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from oneleap.core.paths.base import expand
from oneleap.core.types import Draw, noise_like


@dataclass(frozen=True)
class Gaussian:
    """A field ``u(z, r, t)``, exact for data ``N(mean, std^2)``; ``std = 0`` is a point mass.

    It is smooth at ``r = t``, because nothing is divided by ``t - r``. Only ``t = 0`` of a point
    mass is singular, where the data reveal nothing about the noise.
    """

    mean: float = 0.7
    std: float = 0.5

    def sigma(self, t: Tensor) -> Tensor:
        """Standard deviation of ``z_t``."""
        return (((1 - t) * self.std).square() + t.square()).sqrt()

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Mean velocity over ``[r, t]``: ``(z_t - z_r) / (t - r)`` with ``t - r`` canceled.

        ``sigma_t - sigma_r = (sigma_t^2 - sigma_r^2) / (sigma_t + sigma_r)``, and the numerator is
        ``(t - r) [(t + r) - s^2 (2 - t - r)]``.
        """
        r, t = expand(r, z), expand(t, z)
        slope = (t + r) - self.std**2 * (2 - t - r)
        scale = self.sigma(t) * (self.sigma(t) + self.sigma(r))
        return (z - (1 - t) * self.mean) * slope / scale - self.mean

    def flow(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """``z_r`` on the trajectory through ``z_t``."""
        r, t = expand(r, z), expand(t, z)
        standard = (z - (1 - t) * self.mean) / self.sigma(t)
        return (1 - r) * self.mean + self.sigma(r) * standard

    def posterior(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """``E[x | z_t]`` and ``E[e | z_t]``, by linear regression.

        The straight path of this pair passes through ``z_t`` at ``t`` with exactly the marginal
        velocity. Given to an objective as data and noise, the pair turns the conditional velocity
        ``e - x`` into the marginal velocity, for which the identities hold.
        """
        w = expand(t, z)
        gain = (z - (1 - w) * self.mean) / self.sigma(w).square()
        return self.mean + (1 - w) * self.std**2 * gain, w * gain

    def velocity(self, z: Tensor, t: Tensor) -> Tensor:
        """Marginal velocity ``E[e - x | z_t]``, independent of the formula for ``u``."""
        x, e = self.posterior(z, t)
        return e - x

    def sample(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Draw data, float64."""
        return self.mean + self.std * noise_like(torch.empty(shape).double(), generator)


def on_trajectory(truth: Gaussian, z: Tensor, draw: Draw) -> tuple[Tensor, Draw]:
    """Return data and a draw whose path passes ``z`` at ``draw.t`` with the marginal velocity."""
    x, e = truth.posterior(z, draw.t)
    return x, Draw(e, draw.r, draw.t, draw.s)


def seeded(seed: int = 0) -> torch.Generator:
    """Make a generator."""
    return torch.Generator().manual_seed(seed)


Mutant = tuple[Any, str, Any, Callable[[], None]]
"""Where a name stands, the name, the mistaken value, and the test that must see it."""


def require_seen(patch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    """Check that a test passes, and fails under a mutant."""
    where, name, wrong, exactness = mutant
    exactness()
    patch.setattr(where, name, wrong)
    with pytest.raises(AssertionError):
        exactness()
