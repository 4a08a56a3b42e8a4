"""Distances of data that consist of two modalities."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import Metric, SquaredError


@dataclass(frozen=True)
class PartsError(Metric):
    """Squared error of two modalities, ``weight`` times that of the first (2506.10634).

    Attributes:
        read: Number of last channels of the second modality.
        weight: Weight of the first modality; the second has ``1 - weight``.
    """

    read: int = 1
    weight: float = 0.5

    def __post_init__(self) -> None:
        """Reject a weight outside [0, 1]."""
        if not 0 <= self.weight <= 1 or self.read < 1:
            raise InputError(
                f"PartsError: weight {self.weight} must lie in [0, 1], read {self.read} be positive"
            )

    def __call__(
        self,
        prediction: Float[Tensor, "b *d"],
        target: Float[Tensor, "b *d"],
        mask: Bool[Tensor, "b *#d"] | None = None,
    ) -> Float[Tensor, "b"]:
        """See :meth:`Metric.__call__`."""
        n = prediction.shape[1] - self.read
        whole = None if mask is None else mask.expand_as(prediction)
        parts = [slice(0, n), slice(n, None)]
        first, second = (
            SquaredError()(prediction[:, s], target[:, s], None if whole is None else whole[:, s])
            for s in parts
        )
        return self.weight * first + (1 - self.weight) * second
