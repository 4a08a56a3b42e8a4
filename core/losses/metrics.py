"""Distances between prediction and target, one number per sample."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.types import TrainingBatch


def masked_sum(
    values: Float[Tensor, "b *d"], mask: Bool[Tensor, "b *#d"] | None = None
) -> Float[Tensor, "b"]:
    """Sum over all axes but the first, without padding."""
    if mask is not None:
        values = values.masked_fill(~mask, 0.0)
    return values.unsqueeze(-1).flatten(1).sum(1)  # also works for a batch of scalars


def masked_mean(
    values: Float[Tensor, "b *d"], mask: Bool[Tensor, "b *#d"] | None = None
) -> Float[Tensor, "b"]:
    """Mean over all axes but the first, without padding; 0 for a sample of padding only."""
    if mask is None:
        return values.unsqueeze(-1).flatten(1).mean(1)
    count = mask.expand_as(values).unsqueeze(-1).flatten(1).sum(1)
    return masked_sum(values, mask) / count.clamp(min=1)


class Metric(ABC):
    """A distance between prediction and target; subclasses are frozen dataclasses."""

    @abstractmethod
    def __call__(
        self,
        prediction: Float[Tensor, "b *d"],
        target: Float[Tensor, "b *d"],
        mask: Bool[Tensor, "b *#d"] | None = None,
    ) -> Float[Tensor, "b"]:
        """Compute one distance per sample.

        The caller decides where gradients flow; a target is usually detached.

        Args:
            prediction: Prediction, (b, *d).
            target: Target, (b, *d).
            mask: True where the sample is data, False at padding; broadcasts against ``target``.

        Returns:
            Distances, (b,).
        """

    def for_batch(self, batch: TrainingBatch) -> "Metric":
        """Return the metric for samples of a batch; objectives that compare samples call it."""
        return self


@dataclass(frozen=True)
class SquaredError(Metric):
    """Mean squared error over the dimensions of a sample."""

    def __call__(
        self,
        prediction: Float[Tensor, "b *d"],
        target: Float[Tensor, "b *d"],
        mask: Bool[Tensor, "b *#d"] | None = None,
    ) -> Float[Tensor, "b"]:
        """See :meth:`Metric.__call__`."""
        return masked_mean((prediction - target).square(), mask)


@dataclass(frozen=True)
class AbsoluteError(Metric):
    """Mean absolute error over the dimensions of a sample."""

    def __call__(
        self,
        prediction: Float[Tensor, "b *d"],
        target: Float[Tensor, "b *d"],
        mask: Bool[Tensor, "b *#d"] | None = None,
    ) -> Float[Tensor, "b"]:
        """See :meth:`Metric.__call__`."""
        return masked_mean((prediction - target).abs(), mask)


@dataclass(frozen=True)
class PseudoHuber(Metric):
    """``sqrt(||prediction - target||^2 + C^2) - C`` with ``C = c sqrt(D)``, iCT Sec. 3.3.

    The norm is over the whole sample, and ``D`` counts its dimensions without padding
    (arXiv 2310.14189). The distance grows with the square of small errors and linearly with large
    ones.

    Attributes:
        c: Root-mean-square error at the transition between both.
    """

    c: float = 0.00054

    def __post_init__(self) -> None:
        """Reject a constant of 0, for which the root has no gradient at an error of 0."""
        if self.c <= 0:
            raise InputError(f"c of PseudoHuber must be positive, not {self.c}")

    def __call__(
        self,
        prediction: Float[Tensor, "b *d"],
        target: Float[Tensor, "b *d"],
        mask: Bool[Tensor, "b *#d"] | None = None,
    ) -> Float[Tensor, "b"]:
        """See :meth:`Metric.__call__`."""
        error = masked_sum((prediction - target).square(), mask)
        offset = self.c**2 * masked_sum(torch.ones_like(prediction), mask).clamp(min=1)
        return (error + offset).sqrt() - offset.sqrt()


@dataclass(frozen=True)
class AdaptiveSquaredError(Metric):
    """Adaptively weighted squared error, MeanFlow (arXiv 2505.13447) Eq. (22).

    With ``L`` the squared error *summed* over dimensions, the loss is ``sg(1 / (L + c)^power) L``.
    Its value carries little information (it is about 1 everywhere for ``power = 1``). Watch the
    logged raw error instead.

    Attributes:
        power: 0 gives the plain sum, 0.5 is close to pseudo-Huber, 1 is MeanFlow's default.
        c: Constant that keeps the weight finite, in units of the summed error.
    """

    power: float = 1.0
    c: float = 1e-2

    def __call__(
        self,
        prediction: Float[Tensor, "b *d"],
        target: Float[Tensor, "b *d"],
        mask: Bool[Tensor, "b *#d"] | None = None,
    ) -> Float[Tensor, "b"]:
        """See :meth:`Metric.__call__`."""
        error = masked_sum((prediction - target).square(), mask)
        weight = (error.detach() + self.c).pow(-self.power)
        return weight * error
