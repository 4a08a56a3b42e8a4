"""TwinFlow (Cheng et al. 2025, arXiv 2512.05150): the fake is the network at negative times."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.flow_map import require_teacher
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.objectives.flow_maps.rcgm import RCGM
from oneleap.core.objectives.matching.base import noise_of, noised
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.times import Times, Uniform
from oneleap.core.types import Draw, Loss, TrainingBatch, noise_like


@dataclass(frozen=True)
class TwinFlow(RCGM):
    """RCGM, and one step whose samples are matched with the data by the network itself.

    At a negative time the network learns the velocity of its own one-step samples
    ``x = e - u(e, 0, 1)``: ``u(z, -t, -t)`` regresses ``n - sg(x)`` at ``z = (1 - t) x + t n``. The
    gap ``u(z, -t, -t) - u(z, t, t)`` between both velocities then corrects the step:
    ``u(e, 0, 1)`` regresses ``sg(u - gap)``. That is the gradient of DMD with weight ``t``, without
    a second network or a teacher. A teacher's velocity replaces ``u(z, t, t)``. Cost: RCGM's, 2
    forward and backward passes and 2 forward passes.

    Traps: one network holds both velocities, so it must tell the sign of the time, as sines do, and
    needs the capacity. The correction follows the divergence only as far as both velocities are
    right: rows with ``r = t`` must not be few. Do not use dropout.

    Deviations: the last of the authors' terms, the recursion over the whole step, is one of the
    random intervals. All terms use the whole batch.

    Attributes:
        times: Distribution of the times at which samples are noised.
        fake_weight: Weight of the velocity at negative times.
        push_weight: Weight of the correction.
    """

    times: Times = field(default_factory=Uniform)
    fake_weight: float = 1.0
    push_weight: float = 1.0

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw as RCGM does, and noise and times of judging and of fitting."""
        draw, extra = super().draw(x, generator, progress), []
        for _ in range(2):
            n, t = noise_like(x, generator), self.times.sample((len(x),), x, generator)
            extra.append(Draw(n, t, t))
        return replace(draw, judging=extra[0], fitting=extra[1])

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """RCGM's loss, the velocity of the samples, and the correction of the step."""
        base, judging, fitting = super().loss(batch, draw), draw.judging, draw.fitting
        assert judging is not None
        assert fitting is not None
        real = batch.field
        if batch.teacher is not None:
            real = require_teacher(batch, "TwinFlow", "RCGM", self.guidance)
        one, t, s = torch.ones_like(draw.t), judging.t, fitting.t
        u = batch.field(draw.e, 0 * one, one)
        x = (draw.e - u).detach()

        fake = batch.field(noised(batch, x, fitting), -s, -s)
        velocity = LinearPath().velocity(x, noise_of(batch, x, fitting))
        fake_error = masked_mean((fake - velocity).square(), batch.mask)

        with torch.no_grad():
            z = noised(batch, x, judging)
            gap = batch.field(z, -t, -t) - real(z, t, t)
        push = masked_mean((u - (u - gap).detach()).square(), batch.mask)
        total = base.per_sample + self.fake_weight * fake_error + self.push_weight * push
        logs = {"fake_error": fake_error.detach().mean(), "gap": push.detach().mean()}
        return Loss(total, {**base.logs, **logs})
