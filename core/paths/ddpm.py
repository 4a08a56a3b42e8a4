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
    """``x_k = sqrt(abar_k) x + sqrt(1 - abar_k) e``, ``abar_k`` the product of ``1 - beta``.

    Its time is the number ``k`` of noising steps, a whole number in a float tensor: ``k = 0`` is
    data, ``k = steps`` the noisiest. Papers that number the steps from 0 mean ``k - 1``.

    A discrete path has no time derivative. ``rates`` are those of ``x_k`` in the angle whose
    cosine is ``sqrt(abar)``, so that ``velocity`` is the ``v`` of Salimans & Ho (2022).

    The last ``x_k`` holds a little data, ``sqrt(abar_steps)``; sampling takes pure noise for it,
    as its inventors do. The linear path's ``t = 1`` lies beyond: few steps reach only 0.93 (the
    five of Diffusion-QL) or 0.82 (the hundred of DiffSinger). A field that was trained on this
    path alone is asked for one step ``e - u(e, 0, 1)`` in vain; distil it, or train from data.
    """

    steps: int

    @abstractmethod
    def betas(self) -> NDArray[np.float64]:
        """Variance that each step adds, (steps,)."""

    @cached_property
    def alpha_bar(self) -> NDArray[np.float64]:
        """Share of the data's variance left after ``k`` steps, ``k`` from 0: (steps + 1,)."""
        alphas_cumprod = np.cumprod(1 - self.betas(), dtype=np.float64)
        return np.concatenate([np.ones(1), alphas_cumprod])

    @cached_property
    def alphas_cumprod(self) -> tuple[float, ...]:
        """The same as plain numbers: once asked for, traced code holds them for constants."""
        return tuple(self.alpha_bar.tolist())

    def scales(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """``sqrt(abar)`` and ``sqrt(1 - abar)``."""
        table = torch.tensor(self.alphas_cumprod, dtype=torch.float64, device=tau.device)
        k = tau.round().long()
        a, b = (c.sqrt().to(tau.dtype)[k] for c in (table, 1 - table))
        return a, b

    def rates(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """``-sqrt(1 - abar)`` and ``sqrt(abar)``: per radian, not per step."""
        a, b = self.scales(tau)
        return -b, a

    def tau(self, t: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """The step whose time is nearest."""
        nodes = self.time(torch.arange(self.steps + 1).to(t))
        between = (nodes[1:] + nodes[:-1]) / 2
        return torch.searchsorted(between, t.contiguous()).to(t)


@dataclass(frozen=True)
class LinearBetas(DiscreteVPPath):
    """``beta`` evenly spaced: DiscreteVPPath; DiffSinger with ``last = 0.06`` over 100 steps.

    Attributes:
        steps: Number of noising steps.
        first: Least ``beta``.
        last: Greatest ``beta``.
    """

    steps: int = 1000
    first: float = 1e-4
    last: float = 0.02

    def betas(self) -> NDArray[np.float64]:
        """See :meth:`DiscreteVPPath.betas`."""
        return np.linspace(self.first, self.last, self.steps)


@dataclass(frozen=True)
class CosineBetas(DiscreteVPPath):
    """``abar`` a squared cosine, Nichol & Dhariwal 2021, Eq. (17): "squaredcos_cap_v2".

    Attributes:
        steps: Number of noising steps.
        offset: Keeps the first ``beta`` from being too small.
        max_beta: Cap, without which the last step would erase the data.
    """

    steps: int = 100
    offset: float = 0.008
    max_beta: float = 0.999

    def betas(self) -> NDArray[np.float64]:
        """See :meth:`DiscreteVPPath.betas`."""
        k = np.arange(self.steps + 1) / self.steps
        share = np.cos((k + self.offset) / (1 + self.offset) * np.pi / 2) ** 2
        betas: NDArray[np.float64] = np.minimum(1 - share[1:] / share[:-1], self.max_beta)
        return betas


@dataclass(frozen=True)
class VPBetas(DiscreteVPPath):
    """The variance-preserving SDE in ``steps`` steps: Xiao et al. 2022, and Diffusion-QL.

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
