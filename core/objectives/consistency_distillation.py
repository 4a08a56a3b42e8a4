"""Consistency distillation (Song et al. 2023, arXiv 2303.01469; CoMoSpeech, arXiv 2305.06908)."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

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
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch, noise_like


@dataclass(frozen=True)
class ConsistencyDistillation(Objective):
    """Make ``f(z, t) = z - t u(z, 0, t)`` constant along a teacher's trajectories, Eq. (7).

    ``f(z_t, t)`` is drawn to ``f(z_s, s)``, where one step of the teacher's solver leads from
    ``z_t`` to ``z_s`` at the neighbouring node of a grid; the weight is 1. The right side is the
    moving average's where the domain keeps one: CM and CoMoSpeech average at a decay of 0.95.
    Cost: 1 forward and backward pass, 1 forward pass, and the teacher's 1 (2 with Heun).

    With ``guidance`` the student takes the scale as an input, drawn anew for each row, and the
    teacher, which must be unguided and droppable, is guided at that scale (twice its cost), as
    DITTO-2 does (arXiv 2405.20289).

    Traps: only ``u(z, 0, t)`` is trained, so take several steps by
    :func:`oneleap.core.sampling.consistency.consistency`, not by ``sample``. Start the student
    from the teacher's weights. Dropout falls differently on the two sides: leave it out.

    Deviations: the grid runs over [0, 1], see :class:`oneleap.core.paths.edm.Karras`; Heun's step is
    taken in ``t``; squared error instead of LPIPS.

    Attributes:
        grid: Noise levels.
        nodes: How many: CM 18 or 40, CoMoSpeech 50.
        heun: Heun's step, or else Euler's (CoMoSpeech).
        metric: Distance between the two ends.
        guidance: Least and greatest guidance scale; ``None`` for a network without that input.
    """

    grid: Karras = field(default_factory=Karras)
    nodes: int = 40
    heun: bool = True
    metric: Metric = field(default_factory=SquaredError)
    guidance: tuple[float, float] | None = None

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise, a node ``t``, the next ``s`` towards the data, perhaps a scale; ``r = 0``."""
        e = noise_like(x, generator)
        nodes = self.grid.times(self.nodes, x)
        i = torch.randint(1, self.nodes, (len(x),), generator=generator, device=x.device)
        w = None
        if self.guidance is not None:
            low, high = self.guidance
            share = torch.rand(len(x), generator=generator, device=x.device, dtype=torch.float32)
            w = (low + (high - low) * share).to(x.dtype)
        return Draw(e, torch.zeros_like(nodes[i]), nodes[i], nodes[i - 1], w)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``d( f(z_t, t), sg f(z_s, s) )``, ``z_s`` by the teacher."""
        s, t = intermediate_times(draw, "ConsistencyDistillation"), draw.t
        teacher = require_teacher(batch, "ConsistencyDistillation", "ImprovedConsistencyTraining")
        teacher = teacher if draw.w is None else guide_teacher(teacher, draw.w)
        student = with_guidance(batch.field, draw.w)
        source = student if batch.target is None else with_guidance(batch.target, draw.w)
        z = LinearPath().point(batch.x, draw.e, t)
        with torch.no_grad():
            target = consistency_function(
                source, integrate_teacher(teacher, z, s, t, heun=self.heun), s
            )
        prediction = consistency_function(student, z, t)
        error = masked_mean((prediction - target).detach().square(), batch.mask).mean()
        return Loss(self.metric(prediction, target, batch.mask), {"consistency_error": error})
