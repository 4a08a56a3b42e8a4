"""Reflow (Liu et al. 2022, arXiv 2209.03003; InstaFlow, arXiv 2309.06380): straighten a teacher."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import require_teacher, teacher_pairs
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.times import Times, Uniform
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like


@dataclass(frozen=True)
class Reflow(Objective):
    """Flow matching on a teacher's pairs of noise ``e`` and data ``ODE(e)``: ``u -> e - ODE(e)``.

    See arXiv 2209.03003, Algorithm 1. The pairs are deterministic, so the straight lines between
    them hardly cross. The field that regresses them bends little, and few steps suffice to sample
    it. At ``t = 1`` the field is exact: ``z`` equals ``e`` there, and ``e - u`` is ``ODE(e)``. Only
    the shape and the conditions of the data are used. Cost: 1 forward and backward pass, and
    ``steps`` passes of the teacher (twice that with Heun, and twice that again under guidance).

    Pairs that are stored as a dataset (:func:`oneleap.core.fields.flow_map.teacher_pairs`) save the
    teacher's passes. :class:`oneleap.core.objectives.FlowMatching` on them, with their noise as
    ``draw.e``, is this objective.

    Traps: the student is at best as good as the teacher's solver, and each round of reflow adds
    errors. Straighten the field first, then distill it
    (:class:`oneleap.core.objectives.DirectDistillation`). Start from the teacher's weights.

    Deviation: the paper's field has one time. A straight field has the same mean velocity over
    every interval, so here ``r`` is drawn uniformly below ``t``, and ``sample`` works with any
    number of steps. For annealing, see :class:`oneleap.core.objectives.AnnealedReflow`.

    Attributes:
        times: Distribution of ``t``.
        steps: Number of the teacher's solver steps from noise to data.
        heun: Whether to take Heun's steps instead of Euler's.
        guidance: Guidance scale for a teacher with droppable conditions; ``None`` leaves the
            teacher unchanged.
        metric: Distance between field and velocity.
    """

    teacher: ClassVar[TeacherUse] = "required"

    times: Times = field(default_factory=Uniform)
    steps: int = 10
    heun: bool = True
    guidance: float | None = None
    metric: Metric = field(default_factory=SquaredError)

    def __post_init__(self) -> None:
        """Reject a solver without steps."""
        if self.steps < 1:
            raise InputError(f"steps of Reflow must be at least 1, not {self.steps}")

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, ``t``, and ``r`` uniformly below ``t``."""
        e = noise_like(x, generator)
        t = self.times.sample((len(x),), x, generator)
        return Draw(e, t * Uniform().sample((len(x),), x, generator), t)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| u(z_t, r, t) - (e - ODE(e)) ||^2`` on the line from ``ODE(e)`` to ``e``."""
        teacher = require_teacher(batch, "Reflow", "MeanFlow", self.guidance)
        e, x = teacher_pairs(teacher, draw.e, steps=self.steps, heun=self.heun)
        path = LinearPath()
        u, v = batch.field(path.point(x, e, draw.t), draw.r, draw.t), path.velocity(x, e)
        error = masked_mean((u - v).detach().square(), batch.mask).mean()
        return Loss(self.metric(u, v, batch.mask), {"velocity_error": error})
