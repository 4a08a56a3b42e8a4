"""Regression onto teacher samples: InstaFlow (arXiv 2309.06380) and FQL (arXiv 2502.02538)."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import consistency_function, require_teacher, teacher_pairs
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like


@dataclass(frozen=True)
class DirectDistillation(Objective):
    """Regress one step onto the solution of a teacher's ODE: ``e - u(e, 0, 1) -> ODE(e)``.

    Two methods use this formula. InstaFlow distills a straightened teacher, with LPIPS as the
    distance. FQL's one-step policy imitates a flow policy of 10 Euler steps, next to a value term
    (use this objective in ``OFQL`` for that). Only the shape and the conditions of the data are
    used. Cost: 1 forward and backward pass, and ``steps`` passes of the teacher (twice that with
    Heun, and twice that again under guidance).

    Traps: only ``u(z, 0, 1)`` is trained, so the student only samples in one step. A teacher with
    curved trajectories has a map that is hard to learn, and the student blurs. Straighten the
    teacher first (:class:`oneleap.core.objectives.Reflow`), and start from its weights. Student and
    teacher must see the same noise.

    Deviations: no LPIPS. The teacher is frozen, whereas FQL trains its teacher in the same run.

    Attributes:
        steps: Number of the teacher's solver steps from noise to data.
        heun: Whether to take Heun's steps instead of Euler's.
        clip: Bound on the magnitude of the teacher's samples; FQL clips to 1. ``None`` for none.
        guidance: Guidance scale for a teacher with droppable conditions; ``None`` leaves the
            teacher unchanged.
        metric: Distance between the samples of student and teacher.
    """

    teacher: ClassVar[TeacherUse] = "required"

    steps: int = 10
    heun: bool = False
    clip: float | None = None
    guidance: float | None = None
    metric: Metric = field(default_factory=SquaredError)

    def __post_init__(self) -> None:
        """Reject a solver without steps, and a bound that is not positive."""
        if self.steps < 1:
            raise InputError(f"steps of DirectDistillation must be at least 1, not {self.steps}")
        if self.clip is not None and self.clip <= 0:
            raise InputError(f"clip must be positive, not {self.clip}")

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise; ``r = 0`` and ``t = 1``."""
        e = noise_like(x, generator)
        return Draw(e, e.new_zeros(len(e)), e.new_ones(len(e)))

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``d( e - u(e, 0, 1), ODE(e) )``."""
        teacher = require_teacher(batch, "DirectDistillation", "MeanFlow", self.guidance)
        e, target = teacher_pairs(teacher, draw.e, steps=self.steps, heun=self.heun)
        if self.clip is not None:
            target = target.clamp(-self.clip, self.clip)
        prediction = consistency_function(batch.field, e, draw.t)
        error = masked_mean((prediction - target).detach().square(), batch.mask).mean()
        return Loss(
            self.metric.for_batch(batch)(prediction, target, batch.mask),
            {"distillation_error": error},
        )
