"""iMF, improved MeanFlow (Geng et al. 2025, arXiv 2512.02012): mean velocity by a velocity loss."""

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
class ImprovedMeanFlow(Objective):
    """Regress the velocity with ``V = u + (t - r) du/dt``, computed from the mean velocity.

    The target is that of flow matching, ``v = e - x``, and contains no network. ``du/dt`` is the
    derivative along the *predicted* velocity ``u(z, t, t)``, with tangents ``(u(z, t, t), 0, 1)``
    in ``(z, r, t)``, and carries no gradient. For a given ``du/dt`` the gradient equals MeanFlow's.
    MeanFlow, however, puts the sample's ``e - x`` into the derivative; it scatters about the
    velocity, and ``(t - r) d_z u`` amplifies the scatter. Cost: 1 forward and backward pass, and
    for the share ``1 - p_equal`` a forward tangent and 1 forward pass. Guidance adds 1 or 2 forward
    passes. A teacher's velocity, guided by ``guidance``, replaces ``e - x`` where one is given.

    Traps: the derivative is only as good as ``u(z, t, t)``, so keep ``p_equal`` at one half. For
    others see :class:`oneleap.core.objectives.MeanFlow`.

    Deviations: there is no second head for ``v`` and no second loss, because a network here is one
    field. The velocity is the network's own at ``r = t``, the paper's simpler variant, and the rows
    with ``r = t`` train it. A guidance scale can be an input (``guidance.scales``); the interval of
    guidance cannot. A row whose condition is dropped takes its derivative along the unconditional
    velocity. The authors' code takes the velocity under the condition that was dropped; it scatters
    about the unconditional one, which is its mean.

    Attributes:
        pairs: Distribution of ``(r, t)`` and the share of rows with ``r = t``.
        metric: Distance between ``V`` and the velocity; the paper uses ``AdaptiveSquaredError``.
        guidance: Classifier-free guidance of the target; ``None`` for none.
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
        """``|| u + (t - r) sg(du/dt) - v ||^2``."""
        r, t = draw.r, draw.t
        z = LinearPath().point(batch.x, draw.e, t)
        u_field, v = trained_velocity(batch, draw, z, self.guidance)
        n = self.pairs.n_equal(len(z))
        equal, unequal = slice(0, n), slice(n, None)
        parts = []
        if n > 0:
            parts.append(rows(u_field, equal)(z[equal], t[equal], t[equal]))
        if n < len(z):
            u_field = rows(u_field, unequal)
            with torch.no_grad():
                velocity_at_t = u_field(z[unequal], t[unequal], t[unequal])
            u, dudt = total_derivative(u_field, z[unequal], r[unequal], t[unequal], velocity_at_t)
            parts.append(u + expand(t[unequal] - r[unequal], u) * dudt)
        velocity = torch.cat(parts)
        error = masked_mean((velocity - v).detach().square(), batch.mask).mean()
        return Loss(self.metric(velocity, v, batch.mask), {"velocity_error": error})
