"""MeanFlow (Geng et al. 2025, arXiv 2505.13447): mean velocity by a Jacobian-vector product."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.guidance import TargetGuidance
from oneleap.core.fields.jvp import total_derivative
from oneleap.core.fields.targets import trained_velocity
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath, expand
from oneleap.core.paths.times import TimePairs
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like, rows


@dataclass(frozen=True)
class MeanFlow(Objective):
    """Train ``u`` with the MeanFlow identity, Eq. (6): ``u = v - (t - r) du/dt``.

    ``du/dt = v . d_z u + d_t u`` is one Jacobian-vector product with tangents ``(v, 0, 1)`` in
    ``(z, r, t)``, Eq. (8). The target carries no gradient, Eq. (10). For ``r = t`` the identity is
    flow matching, and no product is computed. With ``guidance``, ``v`` is the guided velocity
    throughout, and one step samples from the guided model. Cost: 1 forward and backward pass, and a
    forward tangent for the share ``1 - p_equal`` of the batch. Guidance adds 1 or 2 forward passes.

    With a teacher, ``v`` is the teacher's velocity at ``(z_t, t)``, guided by ``guidance``, in the
    target and in the tangent alike; up to its weight this is Align Your Flow's Eulerian map
    distillation (arXiv 2506.14603). Nothing scatters about the velocity then: at the exact field
    each row's loss is 0. Cost: 1 pass of the teacher, 2 with guidance.

    Traps: the target contains the network, so the loss may not fall while samples improve. The
    derivative needs float32 and time features of low frequency. Attention uses its plain kernel
    there, with memory quadratic in length, see :func:`oneleap.core.fields.jvp.jvp`.

    Deviations: half of the rows have ``r = t``, where the authors' code has 3/4 for ImageNet (and
    1/4 for CIFAR-10). One half is the share of OFQL and of DM1's code, and it was best on toy data
    (docs/notes/core.md). The default metric is the plain squared error, see ``metric``.

    Attributes:
        pairs: Distribution of ``(r, t)`` and the share of rows with ``r = t``.
        metric: Distance between ``u`` and its target. The paper uses ``AdaptiveSquaredError``;
            plain ``SquaredError`` is better for low-dimensional actions (OFQL, DM1).
        guidance: Classifier-free guidance of the target, Sec. 4.2; ``None`` for none.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    pairs: TimePairs = field(default_factory=TimePairs)
    metric: Metric = field(default_factory=SquaredError)
    guidance: TargetGuidance | None = None

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise and ``r <= t``, the rows with ``r = t`` first."""
        e = noise_like(x, generator)
        r, t = self.pairs.sample(len(x), x, generator)
        draw = Draw(e, r, t)
        return draw if self.guidance is None else self.guidance.draw(draw, generator)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| u - sg(v - (t - r) du/dt) ||^2``."""
        r, t = draw.r, draw.t
        z = LinearPath().point(batch.x, draw.e, t)
        u_field, v = trained_velocity(batch, draw, z, self.guidance)
        n = self.pairs.n_equal(len(z))
        equal, unequal = slice(0, n), slice(n, None)
        parts, targets = [], []
        if n > 0:
            parts.append(rows(u_field, equal)(z[equal], t[equal], t[equal]))
            targets.append(v[equal])
        if n < len(z):
            u, dudt = total_derivative(
                rows(u_field, unequal), z[unequal], r[unequal], t[unequal], v[unequal]
            )
            parts.append(u)
            targets.append(v[unequal] - expand(t[unequal] - r[unequal], u) * dudt)
        u, target = torch.cat(parts), torch.cat(targets).detach()
        error = masked_mean((u - target).detach().square(), batch.mask).mean()
        return Loss(self.metric(u, target, batch.mask), {"meanflow_error": error})
