"""Consistency trajectory models (Kim et al. 2024, arXiv 2310.02279), without the GAN.

DITTO-2 (arXiv 2405.20289) calls such distillation CTD.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.flow_map import (
    consistency_function,
    flow_map,
    integrate_teacher,
    intermediate_times,
)
from oneleap.core.fields.guidance import guide_teacher, with_guidance
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.edm import Karras
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch, noise_like


@dataclass(frozen=True)
class ConsistencyTrajectory(Objective):
    """Train leaps between any two times, ``G(z, t, r) = z - (t - r) u(z, r, t)``.

    For ``r <= s < t`` the student's leap ``t -> r`` is drawn to the teacher's few steps
    ``t -> s`` and its own leap ``s -> r`` without gradient. Both are compared as data, after a
    leap ``r -> 0`` of the moving average, through which the gradient passes to the former. Where
    the domain keeps no average they are compared at ``r``. A denoising term holds
    ``u(z_t, t, t)`` to the velocity: of the teacher, its guidance included, or else of the data.
    Without a teacher the average (or the field) itself leaps ``t -> s``.
    Cost: 2 forward and backward passes, and one through the average's leap, 2 forward passes, and
    the teacher's ``2 solver_steps + 1``.

    With ``guidance`` the student takes the scale as an input, drawn anew for each row, and the
    teacher, which must be unguided and droppable, is guided at that scale (twice the cost).

    Deviations: no GAN; squared error instead of LPIPS; a constant weight of the denoising term
    instead of a ratio of gradients; at most ``solver_steps`` intervals between ``t`` and ``s``
    instead of 17 or 39; the denoising term takes the times of the leaps; the grid runs over
    [0, 1], see :class:`oneleap.core.paths.edm.Karras`; Heun's step is taken in ``t``.

    Attributes:
        grid: Noise levels.
        nodes: How many: 18 for CIFAR-10, 40 for ImageNet.
        solver_steps: Heun steps of the teacher, and the most intervals they cover.
        denoising: Weight of the denoising term.
        guidance: Least and greatest guidance scale; ``None`` for a network without that input.
        metric: Distance, of both terms.
    """

    grid: Karras = field(default_factory=Karras)
    nodes: int = 40
    solver_steps: int = 2
    denoising: float = 1.0
    guidance: tuple[float, float] | None = None
    metric: Metric = field(default_factory=SquaredError)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise, nodes ``r <= s < t``, and a guidance scale if there is a range of them."""
        e, nodes = noise_like(x, generator), self.grid.times(self.nodes, x)
        share = torch.rand((4, len(x)), generator=generator, device=x.device, dtype=torch.float32)
        t = 1 + (share[0] * (self.nodes - 1)).long()
        s = (t - 1 - (share[1] * self.solver_steps).long()).clamp(min=0)
        r = (share[2] * (s + 1)).long()
        w = None
        if self.guidance is not None:
            low, high = self.guidance
            w = (low + (high - low) * share[3]).to(x.dtype)
        return Draw(e, nodes[r], nodes[t], nodes[s], w)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``d(f(G(z_t, t, r), r), f(sg G(z_s, s, r), r)) + denoising d(u(z_t, t, t), v)``."""
        r, s, t = draw.r, intermediate_times(draw, "ConsistencyTrajectory"), draw.t
        student = with_guidance(batch.field, draw.w)
        average = None if batch.target is None else with_guidance(batch.target, draw.w)
        teacher = batch.teacher if draw.w is None else guide_teacher(batch.teacher, draw.w)
        z = LinearPath().point(batch.x, draw.e, t)
        with torch.no_grad():
            if teacher is None:
                v = LinearPath().velocity(batch.x, draw.e)
                near = flow_map(student if average is None else average, z, s, t)
            else:
                v = teacher(z, t, t)
                near = integrate_teacher(teacher, z, s, t, steps=self.solver_steps)
            target = flow_map(student, near, r, s)
        leap = flow_map(student, z, r, t)
        if average is not None:
            leap, target = (
                consistency_function(average, leap, r),
                consistency_function(average, target, r).detach(),
            )
        u = student(z, t, t)
        consistency = self.metric(leap, target, batch.mask)
        denoising = self.metric(u, v, batch.mask)
        logs = {
            "consistency_error": masked_mean((leap - target).detach().square(), batch.mask).mean(),
            "velocity_error": masked_mean((u - v).detach().square(), batch.mask).mean(),
        }
        return Loss(consistency + self.denoising * denoising, logs)
