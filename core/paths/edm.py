"""The path of EDM (Karras et al. 2022, arXiv 2206.00364), which adds noise to unscaled data."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.paths.base import GaussianPath, expand


class Preconditioning(NamedTuple):
    """Coefficients of ``D(x, sigma) = c_skip x + c_out F(c_in x, c_noise)``, each (b,)."""

    c_skip: Float[Tensor, "b"]
    c_out: Float[Tensor, "b"]
    c_in: Float[Tensor, "b"]
    c_noise: Float[Tensor, "b"]


@dataclass(frozen=True)
class EDM(GaussianPath):
    """Path ``x_sigma = x + sigma e``; its own time is ``sigma``, and ``t = sigma / (1 + sigma)``.

    ``sigma / (1 + sigma)`` is the logistic function of ``ln sigma``. A lognormal ``sigma`` is
    therefore a logit-normal ``t`` with the same mean and standard deviation, see
    :class:`oneleap.core.paths.times.LogitNormal`. At ``t = 1`` ``sigma`` is infinite: ``x_sigma``
    is undefined there, and ``z`` is pure noise.

    Attributes:
        sigma_data: Standard deviation of the data; only the preconditioning uses it.
        boundary: The ``sigma`` at which ``D(x) = x``: 0 for EDM, 0.002 for consistency models.
    """

    sigma_data: float = 0.5
    boundary: float = 0.0

    def scales(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """1 and ``sigma``."""
        return torch.ones_like(tau), tau

    def rates(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """0 and 1."""
        return torch.zeros_like(tau), torch.ones_like(tau)

    def tau(self, t: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """``sigma = t / (1 - t)``."""
        return t / (1 - t)

    def precondition(self, sigma: Float[Tensor, "b"]) -> Preconditioning:
        """Coefficients of Table 1; with a boundary, those of App. C of arXiv 2303.01469."""
        scale = (sigma.square() + self.sigma_data**2).sqrt()
        above = sigma - self.boundary
        return Preconditioning(
            c_skip=self.sigma_data**2 / (above.square() + self.sigma_data**2),
            c_out=self.sigma_data * above / scale,
            c_in=1 / scale,
            c_noise=sigma.log() / 4,
        )

    def denoised(
        self, f: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], sigma: Float[Tensor, "b"]
    ) -> Float[Tensor, "b *d"]:
        """Posterior mean of the data from a preconditioned network's output, Eq. (7).

        Args:
            f: Output ``F`` of the network, (b, *d).
            point: State ``x_sigma``, (b, *d).
            sigma: Noise levels, (b,).

        Returns:
            Mean of the data, (b, *d).
        """
        c = self.precondition(sigma)
        return expand(c.c_skip, point) * point + expand(c.c_out, point) * f

    def network_output(
        self, data: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], sigma: Float[Tensor, "b"]
    ) -> Float[Tensor, "b *d"]:
        """Output of a preconditioned network that predicts a mean; inverse of :meth:`denoised`.

        Args:
            data: Posterior mean of the data, (b, *d).
            point: State ``x_sigma``, (b, *d).
            sigma: Noise levels, (b,).

        Returns:
            Output ``F``, (b, *d). It is affine in the field.
        """
        c = self.precondition(sigma)
        return (data - expand(c.c_skip, point) * point) / expand(c.c_out, point)


@dataclass(frozen=True)
class Karras:
    """Noise levels evenly spaced in ``sigma^(1/rho)``, EDM Eq. (5), and their linear times.

    EDM's time ``sigma / (1 + sigma)`` runs from 0.002 to 0.988 over these levels. Here it is
    stretched to [0, 1]. The grid then contains exactly the noise and the data between which one
    step ``x = e - u(e, 0, 1)`` moves, and the boundary condition ``f(z, 0) = z`` needs no
    ``sigma_min``. The stretch changes the signal at the noisy end, where there was little: 1/80
    becomes 0.

    Attributes:
        sigma_min: Smallest noise level.
        sigma_max: Largest noise level.
        rho: Exponent; larger values put more levels near the data.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0

    def sigmas(self, n: int, like: Tensor) -> Float[Tensor, "n"]:
        """``n`` levels from ``sigma_min`` up to ``sigma_max``; for ``n = 1`` only ``sigma_max``."""
        high, low = (math.pow(sigma, 1 / self.rho) for sigma in (self.sigma_max, self.sigma_min))
        return torch.linspace(high, low, n, dtype=torch.float64).pow(self.rho).flip(0).to(like)

    def times(self, n: int, like: Tensor) -> Float[Tensor, "n"]:
        """Linear times of ``n`` levels, from exactly 0 to exactly 1.

        Raises:
            InputError: If ``n`` is less than 2.
        """
        if n < 2:
            raise InputError(f"a grid needs at least 2 nodes, not {n}")
        t = self.time(self.sigmas(n, torch.empty(0, dtype=torch.float64)))
        t[0], t[-1] = 0.0, 1.0
        return t.to(like)

    def time(self, sigma: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """``sigma / (1 + sigma)``, stretched from the range of the levels to [0, 1]."""
        low, span = self._range()
        return (sigma / (1 + sigma) - low) / span

    def sigma(self, t: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Noise level at a stretched time; inverse of :meth:`time`."""
        low, span = self._range()
        h = low + span * t
        return h / (1 - h)

    def log_normal(
        self, sigmas: Float[Tensor, "n"], mean: float, std: float
    ) -> Float[Tensor, "intervals"]:
        """Probability of each interval between levels under ``ln sigma ~ N(mean, std^2)``.

        Args:
            sigmas: Noise levels in rising order, (n,).
            mean: Mean of ``ln sigma``.
            std: Standard deviation of ``ln sigma``.

        Returns:
            Probabilities that sum to 1, (n - 1,).
        """
        mass = torch.erf((sigmas.log() - mean) / (std * math.sqrt(2))).diff()
        return mass / mass.sum()

    def _range(self) -> tuple[float, float]:
        low, high = (sigma / (1 + sigma) for sigma in (self.sigma_min, self.sigma_max))
        return low, high - low
