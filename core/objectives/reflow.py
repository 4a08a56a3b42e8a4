"""Reflow (Liu et al. 2022, arXiv 2209.03003; InstaFlow, arXiv 2309.06380): straighten a teacher."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import require_teacher, teacher_pairs
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.times import Times, Uniform
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch, noise_like


@dataclass(frozen=True)
class Reflow(Objective):
    """Flow matching on a teacher's own pairs, noise ``e`` and ``x = ODE(e)``: ``u -> e - x``.

    arXiv 2209.03003, Algorithm 1. The pair is deterministic, so its straight lines hardly cross,
    the field that regresses them bends little, and few steps follow it. At ``t = 1`` it is exact:
    ``z`` is ``e`` itself there, and ``e - u`` is ``ODE(e)``. The data are not looked at, only
    their shape and conditions. Cost: 1 forward and backward pass, and the teacher's ``steps``
    (twice that with Heun, twice again under guidance).

    Pairs made once (:func:`oneleap.core.fields.flow_map.teacher_pairs`) and kept as a data set spare the
    teacher: :class:`oneleap.core.objectives.FlowMatching` on them, with their noise for its
    ``draw.e``, is this objective.

    Traps: the student is no better than the teacher's solver, and each round of reflow adds its
    errors; make the field straight first and distil it then,
    :class:`oneleap.core.objectives.DirectDistillation`. Start from the teacher's weights.

    Deviation: the paper knows one time only. A straight field has the same mean velocity over
    every interval, so ``r`` is drawn uniformly below ``t`` and ``sample`` works, in any number of
    steps. No annealing from the teacher's own data (SlimFlow).

    Attributes:
        times: Distribution of ``t``.
        steps: Of the teacher's solver, from noise to data.
        heun: Heun's steps, or else Euler's.
        guidance: Scale at which a teacher whose conditions can be dropped is guided; ``None``
            takes it as it is.
        metric: Distance between field and velocity.
    """

    times: Times = field(default_factory=Uniform)
    steps: int = 10
    heun: bool = True
    guidance: float | None = None
    metric: Metric = field(default_factory=SquaredError)

    def __post_init__(self) -> None:
        """Refuse a solver that takes no step."""
        if self.steps < 1:
            raise InputError(f"steps of Reflow counts the teacher's, from 1 up, not {self.steps}")

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise, ``t``, and ``r`` uniform below it."""
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
