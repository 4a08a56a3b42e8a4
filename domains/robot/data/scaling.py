"""How observations and actions are normalised: shift and scale per number, kept with the model."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

SMALL = 1e-3
"""Ranges below it are noise about a constant: scaled up they would drown the rest."""


class Scaling(ABC):
    """``(x - shift) / scale``; subclasses are frozen dataclasses."""

    @abstractmethod
    def fit(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
        """Shift and scale for data; the scale of a constant is 1."""


@dataclass(frozen=True)
class MinMax(Scaling):
    """The range of the data becomes [-1, 1]: Diffusion Policy, DPPO, DM1."""

    def fit(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
        """See :meth:`Scaling.fit`."""
        low, high = x.double().amin(0), x.double().amax(0)
        return _usable((low + high) / 2, (high - low) / 2)


@dataclass(frozen=True)
class ZScore(Scaling):
    """Mean 0 and standard deviation 1: robomimic."""

    def fit(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
        """See :meth:`Scaling.fit`."""
        return _usable(x.double().mean(0), x.double().std(0, correction=0))


@dataclass(frozen=True)
class AsIs(Scaling):
    """No normalisation."""

    def fit(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
        """See :meth:`Scaling.fit`."""
        return torch.zeros(x.shape[1]), torch.ones(x.shape[1])


def _usable(shift: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    return shift.float(), torch.where(scale < SMALL, 1.0, scale).float()
