"""BFQ, Bootstrapped Flow Q-Learning (arXiv 2606.10613): OFQL with an objective without a JVP."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.objectives import SplitMeanFlow
from oneleap.core.paths.times import Uniform
from oneleap.core.types import Draw, Loss, TrainingBatch


@dataclass(frozen=True)
class Bootstrap(SplitMeanFlow):
    """Interval splitting as BFQ has it: on displacements, short ones learnt from the velocity.

    With the displaced point ``pi(z, r, t) = z - (t - r) u(z, r, t)``, the share ``p_equal`` of the
    batch regresses ``u(z_t, t - D, t)`` to ``e - x``, ``D`` uniform up to ``offset``; the rest
    ``|| pi(z_t, r, t) - sg(pi(pi(z_t, s, t), r, s)) ||^2`` with ``r < s < t`` uniform. The latter
    is :class:`SplitMeanFlow`'s error times ``(t - r)^2``, from the latest weights. As the objective
    of :class:`oneleap.domains.rl.algorithms.ofql.OFQL` this is BFQ; nothing else of the algorithm differs.
    Cost: 1 forward and backward pass, and 2 forward passes for the share ``1 - p_equal``.

    Deviation: the share of boundary rows is fixed, where the paper draws each row's kind. Written
    after a description of the paper; its code is not public.

    Attributes:
        offset: Longest interval of a boundary row; 0 is ``r = t``.
    """

    offset: float = 1e-3

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise, ``r < s < t``, and the boundary rows first."""
        draw, n = super().draw(x, generator, progress), self.pairs.n_equal(len(x))
        t = draw.t[:n]
        d = self.offset * Uniform().sample((n,), x, generator)
        return replace(draw, r=torch.cat([(t - d).clamp(min=0), draw.r[n:]]))

    def loss(self, bound: TrainingBatch, draw: Draw) -> Loss:
        """Squared error of velocities on the boundary, of displacements elsewhere."""
        loss, n = super().loss(replace(bound, target=None), draw), self.pairs.n_equal(len(draw.t))
        span = (draw.t - draw.r)[n:]
        weight = torch.cat([torch.ones_like(draw.t[:n]), span.square()])
        return Loss(weight * loss.per_sample, loss.logs)
