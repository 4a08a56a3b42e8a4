"""Annealed reflow (SlimFlow, Zhu et al. 2024, arXiv 2407.12718)."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import require_teacher, teacher_pairs
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.objectives.reflow import Reflow
from oneleap.core.paths.base import LinearPath, expand
from oneleap.core.types import Draw, Loss, TrainingBatch, noise_like


@dataclass(frozen=True)
class AnnealedReflow(Reflow):
    """Reflow whose pairs start independent: from flow matching to straight lines in one run.

    The teacher makes data ``ODE(e)`` from noise ``e``. The student's line starts at
    ``e' = sqrt(1 - b^2) e + b n`` with fresh noise ``n``, and ``b`` falls from 1 to 0. At ``b = 1``
    noise and data are independent, which is flow matching on the teacher's samples; at ``b = 0``
    they are Reflow's pairs. A smaller network than the teacher's, which cannot start from its
    weights, thus starts with an easy task. Cost: Reflow's.

    Traps: see :class:`oneleap.core.objectives.Reflow`. While ``b`` is above 0, several intervals
    ``r < t`` regress a velocity that is not their mean, and one step gives blurred samples; judge
    at the end of the run.

    Deviation: ``b`` falls linearly with the share of the run.

    Attributes:
        annealing: Share of the run over which ``b`` falls to 0.
    """

    annealing: float = 0.5

    def __post_init__(self) -> None:
        """Reject a solver without steps, and an annealing that does not fit into the run."""
        super().__post_init__()
        if not 0 < self.annealing <= 1:
            raise InputError(f"annealing must be in (0, 1], not {self.annealing}")

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw as Reflow does, fresh noise, and ``b`` as ``ramp``."""
        draw, b = super().draw(x, generator, progress), max(0.0, 1 - progress / self.annealing)
        fresh = noise_like(x, generator)
        return replace(draw, renoise=(fresh,), ramp=torch.full_like(draw.t, b))

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| u(z_t, r, t) - (e' - ODE(e)) ||^2`` on the line from ``ODE(e)`` to ``e'``."""
        if draw.ramp is None or draw.renoise is None:
            raise InputError("AnnealedReflow needs the fresh noise of its own draw()")
        teacher = require_teacher(batch, "AnnealedReflow", "MeanFlow", self.guidance)
        e, x = teacher_pairs(teacher, draw.e, steps=self.steps, heun=self.heun)
        b, path = expand(draw.ramp, e), LinearPath()
        e = (1 - b.square()).sqrt() * e + b * draw.renoise[0]
        u, v = batch.field(path.point(x, e, draw.t), draw.r, draw.t), path.velocity(x, e)
        error = masked_mean((u - v).detach().square(), batch.mask).mean()
        logs = {"velocity_error": error, "b": draw.ramp.mean()}
        return Loss(self.metric(u, v, batch.mask), logs)
