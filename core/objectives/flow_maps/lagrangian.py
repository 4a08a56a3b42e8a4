"""Lagrangian map distillation: Boffi et al. 2024, arXiv 2406.07507; 2025, arXiv 2505.18825."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.jvp import jvp
from oneleap.core.objectives.flow_maps.base import MapDistillation, MapFields
from oneleap.core.paths.base import expand, jump
from oneleap.core.types import Draw


@dataclass(frozen=True)
class Lagrangian(MapDistillation):
    """Where the map ends, it moves with the velocity: ``d_r X = v(X, r)``.

    With ``X = z - (t - r) u`` this is ``u = v(X, r) + (t - r) d_r u``. LSD of arXiv 2505.18825
    without a teacher, LMD of arXiv 2406.07507 with one. The derivative is taken in ``r`` alone, so
    no tangent runs along the noisy velocity of a sample, and the network is asked for its velocity
    where its own samples are. The authors find it the best of the three equations. Cost: 1 forward
    and backward pass, a forward tangent and 1 further forward pass for the share ``1 - p_equal``
    (1 pass of a teacher instead, 2 with guidance).

    Traps: the derivative needs float32 and time features of low frequency. Without a teacher, the
    rows with ``r = t`` are all that ties the map to the data; keep them the majority. Do not let a
    gradient into ``v(X, r)``: the velocity would learn to follow the errors of the map.

    Deviations: the target carries no gradient, whereas the authors differentiate through ``d_r u``;
    torch's gradient of a derivative is silently wrong through its layer norm. The solution is the
    same, and errors still die out from short intervals to long ones. There is no learned weight.
    """

    def interval(
        self, fields: MapFields, z: Float[Tensor, "b *d"], draw: Draw
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """``u`` and ``v(X, r) + (t - r) d_r u``."""
        r, t = draw.r, draw.t
        u, slope = jvp(lambda r: fields.trained(z, r, t), (r,), (torch.ones_like(r),))
        with torch.no_grad():
            end = jump(z, u, r, t)
            return u, fields.velocity(end, r, r) + expand(t - r, z) * slope
