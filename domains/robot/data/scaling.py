"""Normalization of observations and actions: a shift and a scale per dimension."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

MIN_SCALE = 1e-3
"""Smaller scales are noise about a constant; dividing by them would amplify that noise."""


class Scaling(ABC):
    """Normalization ``(x - shift) / scale``; subclasses are frozen dataclasses."""

    @abstractmethod
    def fit(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
        """Compute shift and scale from data; a constant has the scale 1."""


@dataclass(frozen=True)
class MinMax(Scaling):
    """Map the range of the data to [-1, 1], as Diffusion Policy, DPPO and DM1 do."""

    def fit(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
        """See :meth:`Scaling.fit`."""
        low, high = x.double().amin(0), x.double().amax(0)
        return _float32((low + high) / 2, (high - low) / 2)


@dataclass(frozen=True)
class ZScore(Scaling):
    """Map the data to mean 0 and standard deviation 1, as robomimic does."""

    def fit(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
        """See :meth:`Scaling.fit`."""
        return _float32(x.double().mean(0), x.double().std(0, correction=0))


@dataclass(frozen=True)
class NoScaling(Scaling):
    """Leave the data in their own units."""

    def fit(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
        """See :meth:`Scaling.fit`."""
        return torch.zeros(x.shape[1]), torch.ones(x.shape[1])


def _float32(shift: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Convert to float32 and replace scales below :data:`MIN_SCALE` by 1."""
    return shift.float(), torch.where(scale < MIN_SCALE, 1.0, scale).float()
