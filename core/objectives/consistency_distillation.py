"""Consistency distillation (Song et al. 2023, arXiv 2303.01469; CoMoSpeech, arXiv 2305.06908)."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import require_decay
from oneleap.core.fields.flow_map import (
    consistency_function,
    integrate_teacher,
    intermediate_times,
    require_teacher,
)
from oneleap.core.fields.guidance import guide_teacher, with_guidance
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.edm import Karras
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like


@dataclass(frozen=True)
class ConsistencyDistillation(Objective):
    """Make ``f(z, t) = z - t u(z, 0, t)`` constant along a teacher's trajectories, Eq. (7).

    ``f(z_t, t)`` is regressed onto ``f(z_s, s)``, where one step of the teacher's solver leads from
    ``z_t`` to ``z_s`` at the neighboring node of a grid; the weight is 1. The target uses the
    moving average if the domain provides one. Cost: 1 forward and backward pass, 1 forward pass,
    and 1 pass of the teacher (2 with Heun).

    With ``guidance``, the student takes the scale as input. The scale is drawn for each row, and
    the teacher is guided at that scale, at twice its cost, as in DITTO-2 (arXiv 2405.20289). The
    teacher must be unguided, and its conditions must be droppable.

    Traps: only ``u(z, 0, t)`` is trained. For several steps use
    :func:`oneleap.core.sampling.consistency.consistency`, not ``sample``. Start the student from
    the teacher's weights. Do not use dropout, which differs between prediction and target.

    Deviations: the grid covers [0, 1], see :class:`oneleap.core.paths.edm.Karras`. Heun's step is
    taken in ``t``. The metric is the squared error instead of LPIPS. CoMoSpeech's first script adds
    the encoder's guess to the noise and takes Euler's step; its second takes noise of mean zero, as
    all fields here do, and Heun's step. ``heun=False`` is thus neither of them.

    Attributes:
        grid: Noise levels.
        nodes: Number of levels: 18 or 40 in CM, 50 in CoMoSpeech.
        heun: Whether to take Heun's step instead of Euler's.
        metric: Distance between ``f(z_t, t)`` and ``f(z_s, s)``.
        guidance: Smallest and largest guidance scale; ``None`` for a network without that input.
        target_ema: Decay of the moving average that gives the targets, 0.95 in CM and CoMoSpeech.
            ``None`` takes them from the average that generates samples.
    """

    teacher: ClassVar[TeacherUse] = "required"

    grid: Karras = field(default_factory=Karras)
    nodes: int = 40
    heun: bool = True
    metric: Metric = field(default_factory=SquaredError)
    guidance: tuple[float, float] | None = None
    target_ema: float | None = 0.95

    def __post_init__(self) -> None:
        """Reject a decay outside [0, 1)."""
        require_decay("target_ema", self.target_ema)

    def target_decay(self, progress: float) -> float | None:
        """See :meth:`Objective.target_decay`."""
        return self.target_ema

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, nodes ``s < t`` that are neighbors, and a scale if used; ``r = 0``."""
        e = noise_like(x, generator)
        nodes = self.grid.times(self.nodes, x)
        i = torch.randint(1, self.nodes, (len(x),), generator=generator, device=x.device)
        w = None
        if self.guidance is not None:
            low, high = self.guidance
            uniform = torch.rand(len(x), generator=generator, device=x.device, dtype=torch.float32)
            w = (low + (high - low) * uniform).to(x.dtype)
        return Draw(e, torch.zeros_like(nodes[i]), nodes[i], nodes[i - 1], w)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``d( f(z_t, t), sg f(z_s, s) )`` with ``z_s`` from the teacher."""
        s, t = intermediate_times(draw, "ConsistencyDistillation"), draw.t
        teacher = require_teacher(batch, "ConsistencyDistillation", "ImprovedConsistencyTraining")
        teacher = teacher if draw.w is None else guide_teacher(teacher, draw.w)
        student = with_guidance(batch.field, draw.w)
        source = student if batch.target is None else with_guidance(batch.target, draw.w)
        z = LinearPath().point(batch.x, draw.e, t)
        with torch.no_grad():
            z_s = integrate_teacher(teacher, z, s, t, heun=self.heun)
            target = consistency_function(source, z_s, s)
        prediction = consistency_function(student, z, t)
        error = masked_mean((prediction - target).detach().square(), batch.mask).mean()
        return Loss(
            self.metric.for_batch(batch)(prediction, target, batch.mask),
            {"consistency_error": error},
        )
