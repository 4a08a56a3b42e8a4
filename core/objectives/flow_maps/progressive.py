"""Progressive self-distillation of a flow map (Boffi et al. 2025, arXiv 2505.18825)."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.objectives.splitmeanflow import SplitMeanFlow
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.types import Draw, Field, TrainingBatch


@dataclass(frozen=True)
class Progressive(SplitMeanFlow):
    """Two steps make one: ``X(z, t, r) = X(X(z, t, s), s, r)`` for ``r <= s <= t``.

    PSD of arXiv 2505.18825. The identity is SplitMeanFlow's; the target comes from the weights
    themselves, the rows with ``r = t`` are the majority, and ``s`` is uniform or in the middle. No
    derivative is computed. With a teacher, the rows with ``r = t`` learn its velocity. Cost: 1
    forward and backward pass, and 2 forward passes for the share ``1 - p_equal``. A teacher adds 1
    pass for the share ``p_equal``, or 2 with guidance.

    Traps: ``u = 0`` satisfies the identity, so only the rows with ``r = t`` hold the map to the
    data. A long interval is right only after its halves are.

    Deviation: there is no learned weight.

    Attributes:
        midpoint: Whether ``s`` is in the middle, where the target's errors are smallest, instead of
            uniform.
    """

    error_name: ClassVar[str] = "map_error"

    pairs: TimePairs = field(default_factory=lambda: TimePairs(Uniform(), p_equal=0.75))
    midpoint: bool = False

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, ``r <= t`` with equal rows first, and ``s`` between them."""
        draw = super().draw(x, generator, progress)
        return replace(draw, s=(draw.r + draw.t) / 2) if self.midpoint else draw

    def own_field(self, batch: TrainingBatch) -> Field:
        """The field itself, without an average."""
        return batch.field
