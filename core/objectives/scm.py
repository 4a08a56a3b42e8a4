"""sCM, consistency in continuous time (Lu & Song 2024, arXiv 2410.11081), on TrigFlow."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.jvp import total_derivative
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import expand
from oneleap.core.paths.times import LogitNormal, Times
from oneleap.core.paths.trigflow import TrigFlow
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch, noise_like


@dataclass(frozen=True)
class ContinuousConsistency(Objective):
    """sCM, Algorithm 1: make ``f = cos(tau) x - sin(tau) s F`` stand still along trajectories.

    ``F(x, tau)`` is our field in TrigFlow's clothes, with ``u(z, 0, t)`` for the field's value.
    Its target is ``F + g`` without gradient, where with ``c = cos(tau)``, ``n = sin(tau)``

        ``g = -c^2 (s F - dx/dtau) - ramp c n (x + s dF/dtau)``,

    which is ``c df/dtau`` once ``ramp`` is 1; ``g / (|g| + 0.1)`` is used, ``|g|`` the root mean
    square. ``dx/dtau`` is the teacher's where there is one (sCD), else the sample's (sCT).
    Cost: 1 forward and backward pass with a forward tangent, and 1 of the teacher.

    Traps: only ``u(z, 0, t)`` is trained, see
    :class:`oneleap.core.objectives.ConsistencyDistillation`. The logged error is of ``g`` before
    it is normalised: the loss itself stays near 1. The derivative wants float32 and low
    frequencies of the time features.

    Deviations: no adaptive weight, which is a second network for the log-variance of the loss (an
    objective holds no weights), and so no ``1 / sigma`` that it evens out; normalised ``g`` has
    the same size at every time. The warm-up is a share of the run, 10,000 steps in the paper.

    Attributes:
        times: Of ``t``; lognormal ``s tan(tau)`` is logit-normal ``t``. The paper's mean and
            standard deviation differ by data set.
        sigma_data: ``s``, standard deviation of the data.
        warmup: Share of the run over which the second term of ``g`` comes in.
        c: Added to the norm of ``g``.
        metric: Distance between ``F`` and its target.
    """

    times: Times = field(default_factory=lambda: LogitNormal(-1.0, 1.4))
    sigma_data: float = 0.5
    warmup: float = 0.05
    c: float = 0.1
    metric: Metric = field(default_factory=SquaredError)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise, ``t``, and how far the warm-up is; ``r = 0``."""
        e = noise_like(x, generator)
        t = self.times.sample((len(x),), x, generator)
        ramp = 1.0 if self.warmup <= progress else progress / self.warmup
        return Draw(e, torch.zeros_like(t), t, ramp=torch.full_like(t, ramp))

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| F - sg(F + g / (|g| + c)) ||^2``."""
        if draw.ramp is None:
            raise InputError("ContinuousConsistency needs the ramp of its own draw()")
        path, s = TrigFlow(self.sigma_data), self.sigma_data
        tau = path.tau(draw.t)
        x = path.point(batch.x, draw.e, tau)

        def network(x: Tensor, zero: Tensor, tau: Tensor) -> Tensor:
            z, t = path.to_linear(x, tau)
            return path.network_output(batch.field(z, zero, t), x, tau)

        with torch.no_grad():
            ends = (
                (batch.x, draw.e)
                if batch.teacher is None
                else path.posterior_means(batch.teacher, x, tau)
            )
            dx = path.velocity(*ends, tau)
        f, df = total_derivative(network, x, draw.r, tau, dx)
        cos, sin, ramp = expand(tau.cos(), x), expand(tau.sin(), x), expand(draw.ramp, x)
        g = -cos.square() * (s * f.detach() - dx) - ramp * cos * sin * (x + s * df)
        error = masked_mean(g.square(), batch.mask)
        target = f.detach() + g / (expand(error.sqrt(), g) + self.c)
        return Loss(self.metric(f, target, batch.mask), {"tangent_error": error.mean()})
