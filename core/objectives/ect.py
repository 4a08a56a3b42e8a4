"""ECT, Easy Consistency Tuning (Geng et al. 2024, arXiv 2406.14548)."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.flow_map import consistency_pair, intermediate_times
from oneleap.core.losses.metrics import Metric, PseudoHuber, masked_mean
from oneleap.core.paths.times import LogitNormal, Times
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like


@dataclass(frozen=True)
class EasyConsistencyTuning(Objective):
    """Consistency training in which the second time moves from the data toward the first time.

    For the current noise level ``sigma``, the second level is
    ``max(0, sigma (1 - q^-(stage + 1) (1 + k sigmoid(-sigma))))``. At stage 0, four of five rows
    are compared with the data themselves, which is denoising. A diffusion model is therefore a good
    start. The loss is ``L = d / (sigma - sigma_s)``, with a target without gradient and without
    moving average. Cost: 1 forward and backward pass, and 1 forward pass.

    Traps: see :class:`oneleap.core.objectives.ConsistencyDistillation`. ``progress`` advances the
    stage, so a short run has short stages.

    Deviation: the distance is pseudo-Huber with iCT's constant. The authors' code has the constant
    0, for which the root has no gradient at an error of 0.

    Attributes:
        times: Distribution of ``t``; a lognormal ``sigma`` is a logit-normal ``t``.
        stages: Number of stages of the run; the authors' code has 8 of 25 million images each.
        q: Factor by which the gap shrinks in each stage. 256 with one stage reaches the final gap
            at once.
        k: Relative increase of the gap near the data.
        metric: Distance between ``f(z_t, t)`` and ``f(z_s, s)``.
    """

    teacher: ClassVar[TeacherUse] = "none"

    times: Times = field(default_factory=lambda: LogitNormal(-1.1, 2.0))
    stages: int = 8
    q: float = 2.0
    k: float = 8.0
    metric: Metric = field(default_factory=PseudoHuber)

    def stage(self, progress: float) -> int:
        """Return the stage at a share of the training run, from 0."""
        return min(int(progress * self.stages), self.stages - 1)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, ``t``, and the earlier time ``s``; ``r = 0``."""
        e = noise_like(x, generator)
        t = self.times.sample((len(x),), x, generator).clamp(max=1 - 1e-4)  # finite sigma
        sigma = t / (1 - t)
        gap = self.q ** -(self.stage(progress) + 1) * (1 + self.k * torch.sigmoid(-sigma))
        sigma_s = sigma * (1 - gap).clamp(min=0)
        return Draw(e, torch.zeros_like(t), t, sigma_s / (1 + sigma_s))

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``d( f(z_t, t), sg f(z_s, s) ) / (sigma_t - sigma_s)``."""
        s, t = intermediate_times(draw, "EasyConsistencyTuning"), draw.t
        prediction, target = consistency_pair(batch, draw, s, batch.field)
        gap = (t - s) / ((1 - t) * (1 - s))  # difference of t / (1 - t)
        error = masked_mean((prediction - target).detach().square(), batch.mask).mean()
        return Loss(
            self.metric.for_batch(batch)(prediction, target, batch.mask) / gap,
            {"consistency_error": error},
        )
