"""DMD2 (Yin et al. 2024, arXiv 2405.14867): a judge for the regression, and several steps."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import consistency_function
from oneleap.core.objectives.matching.base import noised
from oneleap.core.objectives.matching.dmd import DMD
from oneleap.core.objectives.matching.judge import convict, deceive
from oneleap.core.paths.base import expand
from oneleap.core.types import Draw, Loss, TrainingBatch, noise_like


@dataclass(frozen=True)
class DMD2(DMD):
    """DMD without regression; a judge compares samples with data; a generator of several steps.

    Generator: the normalized gap ``+ gan_weight softplus(-logit(z))``. Second networks: flow
    matching on samples ``+ judge_weight [softplus(logit(z)) + softplus(-logit(z_data))]``.

    With ``generator_steps`` K above 1 the generator maps any of the times 1, 1 - 1/K, ..., 1/K to
    data, ``x = z - t u(z, 0, t)``, and goes back to the next time with fresh noise: sample with
    ``ConsistencySampler``. Training simulates that (Sec. 4.5, backward simulation): a row starts
    from pure noise, takes its first steps without gradient, and trains the step that it reaches.
    Cost: that of DMD without regression; generator and judge 1 forward and backward pass each, the
    judge 1 more forward and backward pass for data, and ``generator_steps - 1`` forward passes.

    Traps: the judge overfits low-dimensional data such as actions at once; raise ``r1``, or set
    ``gan_weight`` to 0. Few-step samples of ``sample`` are untrained.

    Deviations: the judge is a network of its own, a third copy of the domain's, instead of a head
    on the fake's features; its logit is the mean of its output. The generator is judged at the
    noise of its gap. Every row has its own step of the simulation. Times of judging are uniform,
    not Karras-spaced.

    Attributes:
        ratio: Steps of the fake for each of the generator; 5 in the paper, 10 for SD 1.5.
        regression: 0: the judge replaces it.
        generator_steps: Number of steps ``K`` of the generator.
        gan_weight: Weight of the judge in the generator's loss.
        judge_weight: Weight of the judge's own loss.
        r1: Weight of the judge's gradient penalty.
    """

    judged: ClassVar[bool] = True

    ratio: int = 5
    regression: float = 0.0
    generator_steps: int = 1
    gan_weight: float = 3e-3
    judge_weight: float = 1e-2
    r1: float = 0.0

    def __post_init__(self) -> None:
        """Reject a generator without steps."""
        super().__post_init__()
        if self.generator_steps < 1:
            name, steps = type(self).__name__, self.generator_steps
            raise InputError(f"generator_steps of {name} must be at least 1, not {steps}")

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw as the skeleton does, then each row's step and the noise between the steps."""
        draw, k = super().draw(x, generator, progress), self.generator_steps
        if k == 1:
            return draw
        index = torch.randint(k, (len(x),), generator=generator, device=x.device)
        renoise = tuple(noise_like(x, generator) for _ in range(k - 1))
        return replace(draw, t=1 - index.to(x.dtype) / k, renoise=renoise)

    def leap(self, batch: TrainingBatch, draw: Draw) -> Float[Tensor, "b *d"]:
        """``x = z - t u(z, 0, t)`` from the state that backward simulation reaches at ``t``."""
        z = simulated(batch, draw, self.generator_steps)
        return consistency_function(batch.field, z, draw.t)

    def push(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """DMD's, and ``gan_weight softplus(-logit)``."""
        loss = super().push(batch, x, draw)
        if self.gan_weight == 0:
            return loss
        adversarial = deceive(batch, x, draw)
        logs = {**loss.logs, "adversarial": adversarial.detach().mean()}
        return Loss(loss.per_sample + self.gan_weight * adversarial, logs)

    def fit(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """Flow matching of the fake, and the judge's classification."""
        loss = super().fit(batch, x, draw)
        judged, right = convict(batch, x, draw, self.r1)
        logs = {**loss.logs, "judge_right": right.mean()}
        return Loss(loss.per_sample + self.judge_weight * judged, logs)


@torch.no_grad()
def simulated(batch: TrainingBatch, draw: Draw, steps: int) -> Float[Tensor, "b *d"]:
    """State at which each row's trained step starts: pure noise, or re-noised earlier samples.

    Args:
        batch: Batch with the generator's field.
        draw: Noise ``e``, each row's time ``t = 1 - k / steps``, and the noise between steps.
        steps: Number of steps of the generator.
    """
    z, field = draw.e, batch.field
    for k, n in enumerate(draw.renoise or (), start=1):
        now, later = torch.full_like(draw.t, 1 - (k - 1) / steps), 1 - k / steps
        x = consistency_function(field, z, now)
        onward = noised(batch, x, Draw(n, draw.r, torch.full_like(draw.t, later)))
        z = torch.where(expand(draw.t < 1 - (k - 0.5) / steps, z), onward, z)
    return z
