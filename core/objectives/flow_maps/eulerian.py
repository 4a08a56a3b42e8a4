"""Eulerian map distillation: Boffi et al. 2024, arXiv 2406.07507; 2025, arXiv 2505.18825."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.jvp import total_derivative
from oneleap.core.objectives.flow_maps.base import MapDistillation, MapFields
from oneleap.core.paths.base import expand
from oneleap.core.types import Draw


@dataclass(frozen=True)
class Eulerian(MapDistillation):
    """Along a trajectory, the end of the map stays where it is: ``d_t X + d_z X v = 0``.

    With ``X = z - (t - r) u`` this is ``u = v - (t - r) (v . d_z u + d_t u)``, MeanFlow's identity.
    ESD of arXiv 2505.18825 without a teacher: unlike MeanFlow's, its velocity is everywhere the
    field's own, and the sample's ``e - x`` only trains the rows with ``r = t``. With a teacher it
    is EMD of arXiv 2406.07507, and equals MeanFlow from that teacher. Cost: 1 forward and backward
    pass, a forward tangent and 1 further forward pass for the share ``1 - p_equal`` (1 pass of a
    teacher instead, 2 with guidance).

    Traps: the authors find it unstable without a teacher, because the derivative in ``z`` amplifies
    the errors of the velocity; prefer ``Lagrangian`` or ``ImprovedMeanFlow``. The derivative needs
    float32 and time features of low frequency.

    Deviations: the target carries no gradient, whereas the authors differentiate through ``d_t u``.
    There is no learned weight.
    """

    def interval(
        self, fields: MapFields, z: Float[Tensor, "b *d"], draw: Draw
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """``u`` and ``v - (t - r) du/dt``."""
        r, t = draw.r, draw.t
        with torch.no_grad():
            v = fields.velocity(z, t, t)
        u, dudt = total_derivative(fields.trained, z, r, t, v)
        return u, v - expand(t - r, z) * dudt
