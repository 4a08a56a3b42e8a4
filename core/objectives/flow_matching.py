"""Flow matching (Lipman et al. 2023, arXiv 2210.02747; rectified flow, Liu et al. 2022)."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.times import Times, Uniform
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like


@dataclass(frozen=True)
class FlowMatching(Objective):
    """Regress the instantaneous velocity: ``u(z_t, t, t) -> v = e - x``.

    This is the multi-step reference for all other objectives, and the teacher for those that need
    one. Cost: 1 forward and backward pass.

    Attributes:
        times: Distribution of ``t``.
        metric: Distance between field and velocity.
    """

    teacher: ClassVar[TeacherUse] = "none"

    times: Times = field(default_factory=Uniform)
    metric: Metric = field(default_factory=SquaredError)

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
        """``|| u(z_t, t, t) - (e - x) ||^2``."""
        path = LinearPath()
        z = path.point(batch.x, draw.e, draw.t)
        v = path.velocity(batch.x, draw.e)
        u = batch.field(z, draw.t, draw.t)
        error = masked_mean((u - v).detach().square(), batch.mask).mean()
        return Loss(self.metric(u, v, batch.mask), {"velocity_error": error})
