"""Normalization of observations and actions: a shift and a scale per dimension."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Statistics = tuple[Float[Tensor, "d"], Float[Tensor, "d"]]
"""Shift and scale of each dimension."""

MIN_SCALE = 1e-3
"""Smaller scales of observations are noise about a constant, which dividing would amplify."""

MIN_RELATIVE = 1e-6
"""Ranges below this share of the values' magnitude are rounding: the dimension is constant."""


class Scaling(ABC):
    """Normalization ``(x - shift) / scale``; subclasses are frozen dataclasses."""

    @abstractmethod
    def fit(self, x: Float[Tensor, "n d"]) -> Statistics:
        """Compute shift and scale of observations; a constant has the scale 1."""

    def fit_actions(self, x: Float[Tensor, "n d"]) -> Statistics:
        """Compute shift and scale of actions; a constant has the scale 0.

        What a policy generates is multiplied by the scale: a constant is reproduced exactly, and
        small ranges, as of actions in meters, keep their own scale.
        """
        return hold_constants(x, *self.fit(x))


@dataclass(frozen=True)
class MinMax(Scaling):
    """Map the range of the data to [-1, 1], as Diffusion Policy, DPPO and DM1 do."""

    def fit(self, x: Float[Tensor, "n d"]) -> Statistics:
        """See :meth:`Scaling.fit`."""
        shift, scale = self._range(x)
        return shift, floored(scale)

    def fit_actions(self, x: Float[Tensor, "n d"]) -> Statistics:
        """See :meth:`Scaling.fit_actions`."""
        return hold_constants(x, *self._range(x))

    def _range(self, x: Float[Tensor, "n d"]) -> Statistics:
        low, high = x.double().amin(0), x.double().amax(0)
        return ((low + high) / 2).float(), ((high - low) / 2).float()


@dataclass(frozen=True)
class ZScore(Scaling):
    """Map the data to mean 0 and standard deviation 1, as robomimic does."""

    def fit(self, x: Float[Tensor, "n d"]) -> Statistics:
        """See :meth:`Scaling.fit`."""
        shift, scale = self._moments(x)
        return shift, floored(scale)

    def fit_actions(self, x: Float[Tensor, "n d"]) -> Statistics:
        """See :meth:`Scaling.fit_actions`."""
        return hold_constants(x, *self._moments(x))

    def _moments(self, x: Float[Tensor, "n d"]) -> Statistics:
        return x.double().mean(0).float(), x.double().std(0, correction=0).float()


@dataclass(frozen=True)
class NoScaling(Scaling):
    """Leave the data in their own units."""

    def fit(self, x: Float[Tensor, "n d"]) -> Statistics:
        """See :meth:`Scaling.fit`."""
        return torch.zeros(x.shape[1]), torch.ones(x.shape[1])


def floored(scale: Float[Tensor, "d"]) -> Float[Tensor, "d"]:
    """Replace scales below :data:`MIN_SCALE` by 1."""
    return torch.where(scale < MIN_SCALE, 1.0, scale)


def hold_constants(
    x: Float[Tensor, "n d"], shift: Float[Tensor, "d"], scale: Float[Tensor, "d"]
) -> Statistics:
    """Give constants their own value as shift, and the scale 0."""
    low, high = x.amin(0).double(), x.amax(0).double()
    tiny = torch.finfo(torch.float32).tiny
    constant = high - low <= MIN_RELATIVE * torch.maximum(low.abs(), high.abs()) + tiny
    value = torch.where(low == high, low, (low + high) / 2).float()
    return torch.where(constant, value, shift), torch.where(constant, 0.0, scale)


def divisor(scale: Float[Tensor, "d"]) -> Float[Tensor, "d"]:
    """Return what to divide by: the scale, or 1 for a constant."""
    return torch.where(scale == 0, 1.0, scale)
