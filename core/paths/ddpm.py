"""Discrete diffusion (Ho et al. 2020, arXiv 2006.11239) and its noise schedules."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.paths.base import GaussianPath


class DiscreteVPPath(GaussianPath):
    """Path ``x_k = sqrt(abar_k) x + sqrt(1 - abar_k) e`` in discrete steps ``k``.

    ``abar_k`` is the product of ``1 - beta`` over the first ``k`` steps. The path's own time is
    ``k``, a whole number in a float tensor: ``k = 0`` is the data and ``k = steps`` the noisiest
    state. Papers that count the steps from 0 write ``k - 1``.

    A discrete path has no time derivative. ``rates`` are the derivatives of ``x_k`` with respect to
    the angle whose cosine is ``sqrt(abar)``. With them, ``velocity`` is the ``v`` of Salimans & Ho
    (2022).

    The last state still holds a little of the data, ``sqrt(abar_steps)``; sampling replaces it by
    pure noise, as the original papers do. The linear path's ``t = 1`` therefore lies beyond the
    schedule. Short schedules only reach 0.93 (the five steps of Diffusion-QL) or 0.82 (the hundred
    of DiffSinger). A field that was trained on such a path alone gives poor samples in one step,
    ``e - u(e, 0, 1)``. Distill it, or train from data with another objective.
    """

    steps: int

    @abstractmethod
    def betas(self) -> NDArray[np.float64]:
        """Variance added by each step, (steps,)."""

    @cached_property
    def alphas_cumprod(self) -> tuple[float, ...]:
        """``abar_k`` for ``k`` from 0 to ``steps``: the share of the data's variance that is left.

        The values are plain numbers, so code traced by ``torch.compile`` treats them as constants
        once this property has been read.
        """
        return (1.0, *np.cumprod(1 - self.betas(), dtype=np.float64).tolist())

    def scales(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """``sqrt(abar)`` and ``sqrt(1 - abar)``."""
        table = torch.tensor(self.alphas_cumprod, dtype=torch.float64, device=tau.device)
        k = tau.round().long()
        a, b = (c.sqrt().to(tau.dtype)[k] for c in (table, 1 - table))
        return a, b

    def rates(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """``-sqrt(1 - abar)`` and ``sqrt(abar)``: derivatives per radian, not per step."""
        a, b = self.scales(tau)
        return -b, a

    def tau(self, t: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """The step whose time is nearest to ``t``."""
        nodes = self.time(torch.arange(self.steps + 1).to(t))
        midpoints = (nodes[1:] + nodes[:-1]) / 2
        return torch.searchsorted(midpoints, t.contiguous()).to(t)


@dataclass(frozen=True)
class LinearBetas(DiscreteVPPath):
    """Evenly spaced ``beta``, as in DDPM; DiffSinger takes ``last = 0.06`` over 100 steps.

    Attributes:
        steps: Number of noising steps.
        first: Smallest ``beta``.
        last: Largest ``beta``.
    """

    steps: int = 1000
    first: float = 1e-4
    last: float = 0.02

    def betas(self) -> NDArray[np.float64]:
        """See :meth:`DiscreteVPPath.betas`."""
        return np.linspace(self.first, self.last, self.steps)


@dataclass(frozen=True)
class CosineBetas(DiscreteVPPath):
    """Squared-cosine ``abar``, Nichol & Dhariwal 2021, Eq. (17), known as "squaredcos_cap_v2".

    Attributes:
        steps: Number of noising steps.
        offset: Offset that keeps the first ``beta`` from being too small.
        max_beta: Upper bound of ``beta``. Without it the last step would erase the data.
    """

    steps: int = 100
    offset: float = 0.008
    max_beta: float = 0.999

    def betas(self) -> NDArray[np.float64]:
        """See :meth:`DiscreteVPPath.betas`."""
        k = np.arange(self.steps + 1) / self.steps
        alphas = np.cos((k + self.offset) / (1 + self.offset) * np.pi / 2) ** 2
        betas: NDArray[np.float64] = np.minimum(1 - alphas[1:] / alphas[:-1], self.max_beta)
        return betas


@dataclass(frozen=True)
class VPBetas(DiscreteVPPath):
    """The variance-preserving SDE in ``steps`` steps, as in Xiao et al. 2022 and Diffusion-QL.

    Attributes:
        steps: Number of noising steps.
        low: ``beta`` of the SDE at the data.
        high: ``beta`` of the SDE at the noise.
    """

    steps: int = 5
    low: float = 0.1
    high: float = 10.0

    def betas(self) -> NDArray[np.float64]:
        """``1 - exp(-low / K - (high - low) (2k - 1) / (2 K^2))`` for ``k`` from 1 to ``K``."""
        k, n = np.arange(1, self.steps + 1), self.steps
        betas: NDArray[np.float64] = -np.expm1(
            -self.low / n - (self.high - self.low) * (2 * k - 1) / (2 * n**2)
        )
        return betas
