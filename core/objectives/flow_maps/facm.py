"""FACM, flow-anchored consistency models (Peng et al. 2025, arXiv 2507.03738)."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.guidance import TargetGuidance
from oneleap.core.fields.jvp import total_derivative
from oneleap.core.fields.targets import trained_velocity
from oneleap.core.losses.metrics import AdaptiveSquaredError, Metric, masked_mean, masked_sum
from oneleap.core.paths.base import LinearPath, expand
from oneleap.core.paths.pairs import ToDataPairs
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like, rows


@dataclass(frozen=True)
class FlowAnchoredConsistency(Objective):
    """Continuous consistency at ``r = 0``, held in place by flow matching at ``r = t``.

    The residual ``g = u - v + (t - r) du/dt`` of MeanFlow's identity is clamped to +-1, and the
    target ``u - alpha g`` follows it by ``alpha = 1 - sqrt(1 - t)``: not at all near the data. The
    weight is ``sin(pi t / 2)``. The rows with ``r = t`` are the anchor. Their loss has a second
    term, ``1 - cos(u, v)``, which acts on directions where velocities are small. With a teacher,
    ``v`` is its velocity. Cost: 1 forward and backward pass, and a forward tangent for the share
    ``1 - p_equal``; 1 pass of a teacher, 2 with guidance.

    Traps: the identity without the anchor collapses; keep ``p_equal`` at a half. The derivative
    needs float32 and time features of low frequency. Only ``u(z, 0, t)`` and ``u(z, t, t)`` are
    trained, so sample in one step, or with ``ConsistencySampler``.

    Deviations: the anchor has rows of its own; the authors evaluate both losses on each row. The
    cosine is over the whole sample. Distances are sums over dimensions.

    Attributes:
        pairs: Distribution of ``(r, t)`` and the share of rows with ``r = t``.
        metric: Distance between ``u`` and its target where ``r < t``.
        cosine: Weight of the cosine in the anchor's loss.
        guidance: Classifier-free guidance of the velocity; ``None`` for none.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    pairs: ToDataPairs = field(default_factory=ToDataPairs)
    metric: Metric = field(default_factory=lambda: AdaptiveSquaredError(0.5, 1e-3))
    cosine: float = 1.0
    guidance: TargetGuidance | None = None

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise and times, the rows with ``r = t`` first."""
        e = noise_like(x, generator)
        draw = Draw(e, *self.pairs.sample(len(x), x, generator))
        return draw if self.guidance is None else self.guidance.draw(draw, generator)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``w d(u, sg(u - alpha clamp(g, -1, 1)))``, and the anchor's ``||u - v||^2 + 1 - cos``."""
        n, mask = self.pairs.n_equal(len(draw.t)), batch.mask
        z = LinearPath().point(batch.x, draw.e, draw.t)
        u_field, v = trained_velocity(batch, draw, z, self.guidance)
        losses, logs, zero = [], {}, draw.t.new_zeros(())
        logs["anchor_error"] = logs["consistency_error"] = zero
        if n > 0:
            t, part = draw.t[:n], None if mask is None else mask[:n]
            u = rows(u_field, slice(0, n))(z[:n], t, t)
            error = masked_mean((u - v[:n]).square(), part)
            losses.append(error + self.cosine * (1 - cosine_similarity(u, v[:n], part)))
            logs["anchor_error"] = error.detach().mean()
        if n < len(z):
            r, t, part = draw.r[n:], draw.t[n:], None if mask is None else mask[n:]
            u, dudt = total_derivative(rows(u_field, slice(n, None)), z[n:], r, t, v[n:])
            g = u.detach() - v[n:] + expand(t - r, u) * dudt
            alpha = 1 - (1 - t).clamp(min=0).sqrt()
            target = u.detach() - expand(alpha, u) * g.clamp(-1.0, 1.0)
            losses.append(torch.sin(math.pi / 2 * t) * self.metric(u, target, part))
            logs["consistency_error"] = masked_mean(g.square(), part).mean()
        return Loss(torch.cat(losses), logs)


def cosine_similarity(
    a: Float[Tensor, "n *d"], b: Float[Tensor, "n *d"], mask: Tensor | None
) -> Float[Tensor, "n"]:
    """Cosine of the angle between samples, over all axes but the first, without padding."""
    norms = masked_sum(a.square(), mask) * masked_sum(b.square(), mask)
    return masked_sum(a * b, mask) * norms.clamp(min=1e-24).rsqrt()
