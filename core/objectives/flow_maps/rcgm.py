"""RCGM, recursive consistent generation: the any-step loss of TwinFlow (arXiv 2512.05150)."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError, require_decay
from oneleap.core.fields.targets import boundary_velocity
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath, expand, jump
from oneleap.core.paths.pairs import BelowPairs
from oneleap.core.types import (
    Draw,
    Field,
    Loss,
    Objective,
    TeacherUse,
    TrainingBatch,
    noise_like,
)


@dataclass(frozen=True)
class RCGM(Objective):
    """One long step equals a short one along the velocity and ``substeps`` of the average.

    ``(t - r) u(z, r, t) = h v + z' - X_N(z', t - h, r)`` with ``z' = z - h v``, where ``X_N`` takes
    ``N`` equal steps of the moving average. The residual, divided by ``h``, is clamped to +-1; the
    target is ``u`` minus it. Where ``t - r < h``, the residual is ``u - v``. No derivative is
    computed. With a teacher, ``v`` is its velocity. Cost: 1 forward and backward pass and
    ``substeps`` forward passes; 1 pass of a teacher, 2 with guidance.

    Traps: the residual is divided by ``h``, so it needs float32. Its error is multiplied by
    ``(t - r) / h``; the clamp makes the loss an absolute error there, whose minimum is the median
    of the targets where their mean is meant. A teacher's velocity does not scatter. Errors of the
    average accumulate over the recursion.

    Attributes:
        pairs: Distribution of ``(r, t)`` and the share of rows with ``r = t``.
        metric: Distance between ``u`` and its target.
        step: Length ``h`` of the short step.
        substeps: Steps ``N`` of the average over the rest.
        clamp: Bound of the residual.
        target_ema: Decay of the moving average that gives the targets. ``None`` takes them from the
            average that generates samples.
        guidance: Guidance scale for a teacher with droppable conditions; ``None`` leaves the
            teacher unchanged.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    pairs: BelowPairs = field(default_factory=BelowPairs)
    metric: Metric = field(default_factory=SquaredError)
    step: float = 0.01
    substeps: int = 2
    clamp: float = 1.0
    target_ema: float | None = 0.99
    guidance: float | None = None

    def __post_init__(self) -> None:
        """Reject a step or a bound that is not positive, and no substeps."""
        if not 0 < self.step < 1:
            raise InputError(f"step must be in (0, 1), not {self.step}")
        if self.substeps < 1:
            raise InputError(f"substeps must be at least 1, not {self.substeps}")
        if self.clamp <= 0:
            raise InputError(f"clamp must be positive, not {self.clamp}")
        require_decay("target_ema", self.target_ema)

    def teacher_use(self) -> TeacherUse:
        """Return ``required`` if there is guidance, because it is the teacher that is guided."""
        return "optional" if self.guidance is None else "required"

    def target_decay(self, progress: float) -> float | None:
        """``target_ema``."""
        return self.target_ema

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise and ``r <= t``, the rows with ``r = t`` first."""
        e = noise_like(x, generator)
        return Draw(e, *self.pairs.sample(len(x), x, generator))

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| u - sg(u - clamp(residual)) ||^2``."""
        z, (r, t) = LinearPath().point(batch.x, draw.e, draw.t), (draw.r, draw.t)
        v = boundary_velocity(batch, draw, z, slice(None), self.guidance, type(self).__name__)
        u = batch.field(z, r, t)
        with torch.no_grad():
            later = torch.maximum(t - self.step, r)
            near = jump(z, v, later, t)
            average = batch.field if batch.target is None else batch.target
            rest = near - self._recursion(average, near, r, later)
            long = (expand(t - r, z) * u - rest) / self.step - v
            residual = torch.where(expand(t - r < self.step, z), u - v, long)
            target = u - residual.clamp(-self.clamp, self.clamp)
        error = masked_mean(residual.square(), batch.mask).mean()
        return Loss(self.metric(u, target, batch.mask), {"residual_error": error})

    def _recursion(self, average: Field, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """State after ``substeps`` equal steps of the average from ``t`` to ``r``."""
        for k in range(self.substeps):
            now, end = (t + (r - t) * (i / self.substeps) for i in (k, k + 1))
            z = jump(z, average(z, end, now), end, now)
        return z
