"""TDM, trajectory distribution matching (Luo et al. 2025, arXiv 2503.06674)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.objectives.matching.phased import SegmentMatching, within
from oneleap.core.types import Draw


@dataclass(frozen=True)
class TDM(SegmentMatching):
    """Match the states that a generator of ``K`` steps passes, each within its own interval.

    A row trains one of the steps, from ``(k + 1) / K`` to ``k / K``, on the state that the steps
    before reach without gradient. The state ``x_s`` at the end ``s = k / K`` is noised to ``t``
    between both ends only, and the gap is taken there. No interval is shared by two steps, so one
    fake knows them all. With ``K = 1`` this is DMD without regression, up to the fake's weight
    ``(1 - t)^2``. Sample with ``FlowMapSampler`` in ``K`` steps. It needs no data but the shape.
    Cost: DiffInstruct's, and ``generator_steps - 1`` forward passes.

    Deviations: the fake regresses the noise between ``x_s`` and ``z``, which is exact, instead of
    data estimates under importance weights. The gradient is taken at ``x_s``; it is that at the
    paper's data estimate times ``1 - s / t``. No pseudo-Huber distance.

    Attributes:
        ratio: See the skeleton; both networks train in every step.
        fake_lr: 5 in the paper.
        generator_steps: Number of steps ``K``.
    """

    fake_lr: float = 5.0
    generator_steps: int = 4

    def __post_init__(self) -> None:
        """Reject a generator without steps."""
        super().__post_init__()
        if self.generator_steps < 1:
            raise InputError(f"generator_steps must be at least 1, not {self.generator_steps}")

    def ends_of_steps(self) -> tuple[float, ...]:
        """``(K - 1) / K, ..., 1 / K, 0``."""
        return tuple(k / self.generator_steps for k in reversed(range(self.generator_steps)))

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw as the skeleton does, and each row's step; times lie between its ends."""
        draw, k = super().draw(x, generator, progress), self.generator_steps
        index = torch.randint(k, (len(x),), generator=generator, device=x.device).to(x.dtype)
        return within(draw, index / k, (index + 1) / k, (index + 1) / k)
