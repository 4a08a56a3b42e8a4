"""A teacher's answers, learnt by heart: InstaFlow (arXiv 2309.06380) and FQL (arXiv 2502.02538)."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import consistency_function, require_teacher, teacher_pairs
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch, noise_like


@dataclass(frozen=True)
class DirectDistillation(Objective):
    """Regress a teacher's whole ODE in one leap: ``e - u(e, 0, 1) -> ODE(e)``.

    One formula under two names. InstaFlow distils a straightened teacher so, with LPIPS for the
    distance at the end; FQL's one-step policy imitates a flow policy so, by 10 of Euler's steps,
    beside its value (put the objective into ``OFQL`` for that). The data are not looked at, only
    their shape and conditions. Cost: 1 forward and backward pass, and the teacher's ``steps``
    (twice that with Heun, twice again under guidance).

    Traps: only ``u(z, 0, 1)`` is trained, so one step is all there is. The map of a teacher that
    bends is hard to learn and blurs: straighten it first
    (:class:`oneleap.core.objectives.Reflow`), and start from the teacher's weights. Both sides
    must see the same noise.

    Deviations: no LPIPS; the teacher is frozen, where FQL trains its own in the same run.

    Attributes:
        steps: Of the teacher's solver, from noise to data.
        heun: Heun's steps, or else Euler's.
        clip: Greatest magnitude of the data, to which the teacher's answer is cut, as FQL does
            to 1; ``None`` for none.
        guidance: Scale at which a teacher whose conditions can be dropped is guided; ``None``
            takes it as it is.
        metric: Distance between student's and teacher's answer.
    """

    steps: int = 10
    heun: bool = False
    clip: float | None = None
    guidance: float | None = None
    metric: Metric = field(default_factory=SquaredError)

    def __post_init__(self) -> None:
        """Refuse a solver that takes no step, and a range that holds no data."""
        if self.steps < 1:
            raise InputError(
                f"steps of DirectDistillation counts the teacher's, from 1 up, not {self.steps}"
            )
        if self.clip is not None and self.clip <= 0:
            raise InputError(f"clip is the greatest magnitude of the data, not {self.clip}")

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise; ``r = 0`` and ``t = 1``."""
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
        return Loss(self.metric(prediction, target, batch.mask), {"distillation_error": error})
