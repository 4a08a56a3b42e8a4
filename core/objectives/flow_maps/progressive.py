"""Progressive self-distillation of a flow map (Boffi et al. 2025, arXiv 2505.18825)."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.flow_map import intermediate_times
from oneleap.core.objectives.flow_maps.base import MapDistillation
from oneleap.core.paths.base import expand, jump
from oneleap.core.paths.times import Uniform
from oneleap.core.types import Draw, Field


@dataclass(frozen=True)
class Progressive(MapDistillation):
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

    midpoint: bool = False

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, ``r <= t`` with equal rows first, and ``s`` between them."""
        draw = super().draw(x, generator, progress)
        share = Uniform().sample((len(x),), x, generator)
        if self.midpoint:
            share = torch.full_like(share, 0.5)
        return replace(draw, s=draw.t - share * (draw.t - draw.r))

    def interval(
        self, u_field: Field, velocity: Field, z: Float[Tensor, "b *d"], draw: Draw
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """``u`` and ``[(t - s) u(z, s, t) + (s - r) u(z_s, r, s)] / (t - r)``."""
        r, s, t = draw.r, intermediate_times(draw, "Progressive"), draw.t
        with torch.no_grad():
            late = u_field(z, s, t)
            early = u_field(jump(z, late, s, t), r, s)
            share = expand((t - s) / (t - r).clamp(min=1e-6), z)
            target = share * late + (1 - share) * early
        return u_field(z, r, t), target
