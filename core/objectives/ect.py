"""ECT, Easy Consistency Tuning (Geng et al. 2024, arXiv 2406.14548)."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.flow_map import consistency_pair, intermediate_times
from oneleap.core.losses.metrics import Metric, PseudoHuber, masked_mean
from oneleap.core.paths.times import LogitNormal, Times
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch, noise_like


@dataclass(frozen=True)
class EasyConsistencyTuning(Objective):
    """Consistency training whose second time starts at the data and closes in on the first.

    With ``sigma`` the current noise level, the other is
    ``max(0, sigma (1 - q^-(stage + 1) (1 + k sigmoid(-sigma))))``: at stage 0 four rows of
    five compare with the data themselves, which is denoising: a diffusion model is the start.
    ``L = d / (sigma - sigma_s)``, the right side without gradient and without an average.
    Cost: 1 forward and backward pass, 1 forward pass.

    Traps: see :class:`oneleap.core.objectives.ConsistencyDistillation`. ``progress`` raises the
    stage, so a short run has short stages.

    Deviation: the distance is pseudo-Huber with iCT's constant; the authors' code has 0 for it,
    whose root has no gradient at an error of 0.

    Attributes:
        times: Of ``t``; lognormal ``sigma`` is logit-normal ``t``.
        stages: How many the run is divided into; 8 of 25 million images each in the authors' code.
        q: The gap shrinks by this factor a stage; 256 and one stage goes there at once.
        k: How much wider the gap is near the data.
        metric: Distance between the two ends.
    """

    times: Times = field(default_factory=lambda: LogitNormal(-1.1, 2.0))
    stages: int = 8
    q: float = 2.0
    k: float = 8.0
    metric: Metric = field(default_factory=PseudoHuber)

    def stage(self, progress: float) -> int:
        """The stage at a share of the training run, from 0."""
        return min(int(progress * self.stages), self.stages - 1)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise, ``t``, and the nearer time ``s``; ``r = 0``."""
        e = noise_like(x, generator)
        t = self.times.sample((len(x),), x, generator).clamp(max=1 - 1e-4)  # sigma is finite
        sigma = t / (1 - t)
        gap = self.q ** -(self.stage(progress) + 1) * (1 + self.k * torch.sigmoid(-sigma))
        near = sigma * (1 - gap).clamp(min=0)
        return Draw(e, torch.zeros_like(t), t, near / (1 + near))

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``d( f(z_t, t), sg f(z_s, s) ) / (sigma_t - sigma_s)``."""
        s, t = intermediate_times(draw, "EasyConsistencyTuning"), draw.t
        prediction, target = consistency_pair(batch, draw, s, batch.field)
        gap = (t - s) / ((1 - t) * (1 - s))  # of t / (1 - t)
        error = masked_mean((prediction - target).detach().square(), batch.mask).mean()
        return Loss(self.metric(prediction, target, batch.mask) / gap, {"consistency_error": error})
