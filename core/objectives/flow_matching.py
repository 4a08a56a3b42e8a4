"""Flow matching (Lipman et al. 2023, arXiv 2210.02747; rectified flow, Liu et al. 2022)."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.targets import boundary_velocity
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.times import Times, Uniform
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like


@dataclass(frozen=True)
class FlowMatching(Objective):
    """Regress the instantaneous velocity: ``u(z_t, t, t) -> v = e - x``.

    This is the multi-step reference for all other objectives, and the teacher for those that need
    one. With a teacher, ``v`` is the teacher's velocity ``u(z_t, t, t)``; a student thus takes over
    its guidance, at half the cost of sampling. Cost: 1 forward and backward pass, and 1 pass of the
    teacher (2 with guidance).

    Attributes:
        times: Distribution of ``t``.
        metric: Distance between field and velocity.
        guidance: Guidance scale for a teacher with droppable conditions; ``None`` leaves the
            teacher unchanged.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    times: Times = field(default_factory=Uniform)
    metric: Metric = field(default_factory=SquaredError)
    guidance: float | None = None

    def teacher_use(self) -> TeacherUse:
        """Return ``required`` if there is guidance, because it is the teacher that is guided."""
        return "optional" if self.guidance is None else "required"

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise and ``r = t``."""
        e = noise_like(x, generator)
        t = self.times.sample((len(x),), x, generator)
        return Draw(e, t, t)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| u(z_t, t, t) - (e - x) ||^2``, or the teacher's velocity in place of ``e - x``."""
        z = LinearPath().point(batch.x, draw.e, draw.t)
        v = boundary_velocity(batch, draw, z, slice(None), self.guidance, "FlowMatching")
        u = batch.field(z, draw.t, draw.t)
        error = masked_mean((u - v).detach().square(), batch.mask).mean()
        return Loss(self.metric(u, v, batch.mask), {"velocity_error": error})
