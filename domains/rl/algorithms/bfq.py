"""BFQ, Bootstrapped Flow Q-Learning (arXiv 2606.10613): OFQL with an objective without a JVP."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.objectives import SplitMeanFlow
from oneleap.core.paths.times import Uniform
from oneleap.core.types import Draw, Loss, TeacherUse, TrainingBatch


@dataclass(frozen=True)
class Bootstrap(SplitMeanFlow):
    """BFQ's interval splitting: on displacements, with short intervals learned from the velocity.

    Let ``pi(z, r, t) = z - (t - r) u(z, r, t)`` be the displaced point. The share ``p_equal`` of
    the batch, the boundary rows, regresses ``u(z_t, t - D, t)`` onto ``e - x``, with ``D`` uniform
    up to ``offset``. The other rows have the loss
    ``|| pi(z_t, r, t) - sg(pi(pi(z_t, s, t), r, s)) ||^2`` with uniform ``r < s < t``. This is the
    error of :class:`oneleap.core.SplitMeanFlow` times ``(t - r)^2``, from the latest weights.

    BFQ is :class:`oneleap.domains.rl.OFQL` with this objective; nothing else differs.

    Cost: 1 forward and backward pass, and 2 forward passes for the share ``1 - p_equal``.

    Deviation: the share of boundary rows is fixed, where the paper draws the kind of each row. This
    was written after a description of the paper, because its code is not public.

    Attributes:
        offset: Longest interval of a boundary row; 0 means ``r = t``.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    offset: float = 1e-3

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise and times ``r < s < t``; the boundary rows come first.

        Args:
            x: Data; only shape, dtype and device are used.
            generator: Source of all draws.
            progress: Share of the training run that is done.

        Returns:
            The draw.
        """
        draw, n = super().draw(x, generator, progress), self.pairs.n_equal(len(x))
        t = draw.t[:n]
        d = self.offset * Uniform().sample((n,), x, generator)
        return replace(draw, r=torch.cat([(t - d).clamp(min=0), draw.r[n:]]))

    def loss(self, bound: TrainingBatch, draw: Draw) -> Loss:
        """Squared error of velocities in the boundary rows, of displacements in the others."""
        loss, n = super().loss(replace(bound, target=None), draw), self.pairs.n_equal(len(draw.t))
        span = (draw.t - draw.r)[n:]
        weight = torch.cat([torch.ones_like(draw.t[:n]), span.square()])
        return Loss(weight * loss.per_sample, loss.logs)
