"""Consistency trajectory models (Kim et al. 2024, arXiv 2310.02279), without the GAN.

DITTO-2 (arXiv 2405.20289) calls this kind of distillation CTD.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import require_decay
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
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like


@dataclass(frozen=True)
class ConsistencyTrajectory(Objective):
    """Train the flow map between any two times, ``G(z, t, r) = z - (t - r) u(z, r, t)``.

    For ``r <= s < t``, the student's step ``t -> r`` is regressed onto a few steps of the teacher
    ``t -> s``, followed by the student's own step ``s -> r`` without gradient. Both results are
    mapped to data by a step ``r -> 0`` of the moving average and compared there. The gradient
    passes through this step to the prediction. If the domain has no moving average, they are
    compared at ``r``. A denoising term regresses ``u(z_t, t, t)`` onto the velocity of the data.
    Without a teacher, the moving average (or the field itself) takes the step ``t -> s``. Cost: 2
    forward and backward passes, 1 more through the average's step, 2 forward passes, and ``2
    solver_steps`` passes of the teacher (1 more if the denoising term regresses it).

    With ``guidance``, the student takes the scale as input. The scale is drawn for each row, and
    the teacher is guided at that scale, at twice its cost. The teacher must be unguided, and its
    conditions must be droppable. The denoising term then regresses the guided teacher at every
    setting of ``denoise_to``, because data have no guidance.

    Deviations: no GAN. The metric is the squared error instead of LPIPS. The weight of the
    denoising term is constant instead of a ratio of gradients. At most ``solver_steps`` intervals
    lie between ``t`` and ``s``, instead of 17 or 39. The denoising term uses the times ``t`` of the
    steps, and with ``guidance`` the teacher. The grid covers [0, 1], see
    :class:`oneleap.core.paths.edm.Karras`. Heun's step is taken in ``t``.

    Attributes:
        grid: Noise levels.
        nodes: Number of levels: 18 for CIFAR-10, 40 for ImageNet.
        solver_steps: Number of the teacher's Heun steps from ``t`` to ``s``, which are at most as
            many intervals apart.
        denoising: Weight of the denoising term.
        guidance: Smallest and largest guidance scale; ``None`` for a network without that input.
        metric: Distance of both terms.
        denoise_to: What the denoising term regresses: the velocity of the ``data``, as the authors
            do, or of the ``teacher``, whose targets scatter less but keep its errors.
        target_ema: Decay of the moving average that gives the targets, 0.999 in the authors' code.
            ``None`` takes them from the average that generates samples.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    grid: Karras = field(default_factory=Karras)
    nodes: int = 40
    solver_steps: int = 2
    denoising: float = 1.0
    guidance: tuple[float, float] | None = None
    metric: Metric = field(default_factory=SquaredError)
    denoise_to: Literal["data", "teacher"] = "data"
    target_ema: float | None = 0.999

    def __post_init__(self) -> None:
        """Reject a decay outside [0, 1)."""
        require_decay("target_ema", self.target_ema)

    def target_decay(self, progress: float) -> float | None:
        """See :meth:`Objective.target_decay`."""
        return self.target_ema

    def teacher_use(self) -> TeacherUse:
        """Return ``required`` if there is guidance, because it is the teacher that is guided."""
        return "optional" if self.guidance is None else "required"

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, nodes ``r <= s < t``, and a guidance scale if used."""
        e, nodes = noise_like(x, generator), self.grid.times(self.nodes, x)
        uniform = torch.rand((4, len(x)), generator=generator, device=x.device, dtype=torch.float32)
        t = 1 + (uniform[0] * (self.nodes - 1)).long()
        s = (t - 1 - (uniform[1] * self.solver_steps).long()).clamp(min=0)
        r = (uniform[2] * (s + 1)).long()
        w = None
        if self.guidance is not None:
            low, high = self.guidance
            w = (low + (high - low) * uniform[3]).to(x.dtype)
        return Draw(e, nodes[r], nodes[t], nodes[s], w)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``d(f(G(z_t, t, r), r), f(sg G(z_s, s, r), r)) + denoising d(u(z_t, t, t), v)``."""
        r, s, t = draw.r, intermediate_times(draw, "ConsistencyTrajectory"), draw.t
        student = with_guidance(batch.field, draw.w)
        average = None if batch.target is None else with_guidance(batch.target, draw.w)
        teacher = batch.teacher if draw.w is None else guide_teacher(batch.teacher, draw.w)
        z = LinearPath().point(batch.x, draw.e, t)
        with torch.no_grad():
            v = LinearPath().velocity(batch.x, draw.e)
            if teacher is None:
                z_s = flow_map(student if average is None else average, z, s, t)
            else:
                if draw.w is not None or self.denoise_to == "teacher":
                    v = teacher(z, t, t)
                z_s = integrate_teacher(teacher, z, s, t, steps=self.solver_steps)
            target = flow_map(student, z_s, r, s)
        prediction = flow_map(student, z, r, t)
        if average is not None:
            prediction = consistency_function(average, prediction, r)
            target = consistency_function(average, target, r).detach()
        u = student(z, t, t)
        consistency = self.metric.for_batch(batch)(prediction, target, batch.mask)
        denoising = self.metric(u, v, batch.mask)
        error = masked_mean((prediction - target).detach().square(), batch.mask).mean()
        logs = {
            "consistency_error": error,
            "velocity_error": masked_mean((u - v).detach().square(), batch.mask).mean(),
        }
        return Loss(consistency + self.denoising * denoising, logs)
