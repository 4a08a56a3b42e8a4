"""SANA-Sprint (Chen et al. 2025, arXiv 2503.09641): sCM's distillation and a judge."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.flow_map import consistency_function
from oneleap.core.objectives.matching.base import Matching, noised, second_networks
from oneleap.core.objectives.matching.judge import logit
from oneleap.core.objectives.scm import ContinuousConsistency
from oneleap.core.paths.times import LogitNormal, Times
from oneleap.core.types import Draw, Loss, TrainingBatch


@dataclass(frozen=True)
class SanaSprint(Matching):
    """sCM ties the student to the teacher's trajectories; a judge sharpens its one step.

    Student: sCM's loss ``- gan_weight logit(z)`` at its noised one-step sample. Judge: hinge loss
    of samples against data at equal noise, and, with ``mismatched``, against the data of another
    row, so that it looks at the conditions. Cost: ContinuousConsistency's, 1 forward and backward
    pass of the generator's step, 2 of the judge, and 1 forward and backward pass each for data and
    mismatched data.

    Traps: the judge overfits low-dimensional data such as actions; lower ``gan_weight``. Where
    conditions are equal in many rows, or padding differs between rows, turn ``mismatched`` off.

    Deviations: the second network of the skeleton is the judge, a copy of the whole teacher that
    trains, instead of heads on a frozen one; its logit is the mean of its output. The judge sees
    one-step samples from pure noise; half of the authors' are from the training times. sCM has no
    learned weight.

    Attributes:
        ratio: See the skeleton; both networks train in every step.
        times: Distribution of the noise at which the judge looks at samples.
        fake_times: Distribution of the times at which the judge is trained.
        consistency: Settings of sCM.
        gan_weight: Weight of the judge in the student's loss.
        mismatched: Weight of data under another row's conditions in the judge's loss.
    """

    ratio: int = 1
    times: Times = field(default_factory=lambda: LogitNormal(-0.6, 1.0))
    fake_times: Times = field(default_factory=lambda: LogitNormal(-0.6, 1.0))
    consistency: ContinuousConsistency = field(default_factory=ContinuousConsistency)
    gan_weight: float = 0.5
    mismatched: float = 0.0

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw as sCM does, and noise and times for the judge."""
        second = super().draw(x, generator, progress)
        own = self.consistency.draw(x, generator, progress)
        return replace(own, judging=second.judging, fitting=second.fitting)

    def leap(self, batch: TrainingBatch, draw: Draw) -> Float[Tensor, "b *d"]:
        """One step from pure noise."""
        return consistency_function(batch.field, draw.e, torch.ones_like(draw.t))

    def anchor(
        self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw
    ) -> Float[Tensor, "b"] | None:
        """SCM's loss."""
        return self.consistency.loss(batch, draw).per_sample

    def push(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """``-gan_weight logit(z)``."""
        judge = second_networks(batch).frozen_fake
        verdict = logit(judge, noised(batch, x, draw), draw.t, batch.mask)
        return Loss(-self.gan_weight * verdict, {"judged": verdict.detach().mean()})

    def fit(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """``max(0, 1 + logit(sample)) + max(0, 1 - logit(data))``."""
        judge, t = second_networks(batch).fake, draw.t

        def verdict(x: Tensor) -> Tensor:
            return logit(judge, noised(batch, x, draw), t, batch.mask)

        guess, truth = verdict(x), verdict(batch.x)
        loss = torch.relu(1 + guess) + torch.relu(1 - truth)
        if self.mismatched > 0:
            loss = loss + self.mismatched * torch.relu(1 + verdict(batch.x.roll(1, 0)))
        right = ((guess < 0).to(loss) + (truth > 0).to(loss)).detach() / 2
        return Loss(loss, {"judge_right": right.mean()})
