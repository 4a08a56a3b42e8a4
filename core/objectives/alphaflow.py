"""AlphaFlow (Zhang et al. 2025, arXiv 2510.20771): a curriculum from flow matching to MeanFlow."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import TargetGuidance
from oneleap.core.fields.targets import trained_velocity
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.core.paths.base import LinearPath, expand, jump
from oneleap.core.paths.times import TimePairs
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like, rows


@dataclass(frozen=True)
class AlphaFlow(Objective):
    """Regress ``u(z_t, r, t)`` onto ``alpha v + (1 - alpha) u(z_s, r, s)`` with falling alpha.

    The sample's velocity ``v`` leads to ``z_s = z_t - (t - s) v`` at ``s = t - alpha (t - r)``, and
    the target carries no gradient. ``alpha = 1`` regresses ``v`` at every ``r`` (trajectory flow
    matching). ``alpha -> 0`` is MeanFlow, approached without a Jacobian-vector product. MeanFlow's
    loss is the sum of both terms, and their gradients conflict; the curriculum trains one after the
    other: ``alpha = 1 - sigmoid(gamma (p - middle) / (end - start))`` at the share ``p`` of the
    run. Cost: 1 forward and backward pass, and 1 forward pass for the share ``1 - p_equal``; at
    alpha 0, MeanFlow's cost.

    The paper weights the squared error by ``1 / alpha``, because its gradient shrinks like alpha.
    Here the target is scaled instead, which gives the same gradient with any metric. The target is
    ``v - (1 - alpha) (t - r) du/dt``, with the difference quotient
    ``(u(z_t, r, t) - u(z_s, r, s)) / (t - s)`` for ``du/dt``. The logged error is then MeanFlow's.

    Traps: the quotient divides by alpha; below 0.1 it is rounding noise under bfloat16 autocast.
    For ``0 < alpha < 1`` the exact field is not a minimum where trajectories curve, so alpha must
    fall to 0. If the caller does not pass ``progress``, alpha stays at 1 and one step generates the
    mean of the data.

    Deviations: ``AdaptiveSquaredError`` weights by ``alpha / (L + c alpha^2)`` instead of
    ``alpha / (L + c)``, which would fade out the rows with ``r < t`` as alpha falls. The target is
    not clamped (the authors clamp it to 4 in their latent units).

    Attributes:
        pairs: Distribution of ``(r, t)`` and the share of rows with ``r = t``.
        metric: Distance between ``u`` and its target; the paper uses ``AdaptiveSquaredError``.
        start: Share of the run at which alpha begins to fall from 1.
        end: Share of the run at which alpha reaches 0.
        gamma: Steepness of the sigmoid.
        snap: Distance to 0 or 1 below which alpha is set to 0 or 1.
        jvp: Whether to end with MeanFlow's Jacobian-vector product at alpha 0. False stops at
            ``snap`` instead, for networks without a forward derivative.
        guidance: Classifier-free guidance of ``v``; ``None`` for none.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    pairs: TimePairs = field(default_factory=TimePairs)
    metric: Metric = field(default_factory=SquaredError)
    start: float = 0.0
    end: float = 1.0
    gamma: float = 25.0
    snap: float = 0.005
    jvp: bool = True
    guidance: TargetGuidance | None = None

    def __post_init__(self) -> None:
        """Reject an empty curriculum, a negative steepness, and a final alpha of 0 as divisor."""
        if not 0 <= self.start < self.end:
            raise InputError(f"end must be after start={self.start}, not {self.end}")
        if self.gamma < 0:
            raise InputError(f"gamma must not be negative, but is {self.gamma}")
        if not 0 < self.snap < 0.5:
            raise InputError(f"snap must be between 0 and 0.5, not {self.snap}")

    def alpha(self, progress: float) -> float:
        """Return alpha at a share of the training run."""
        share = (progress - self.start) / (self.end - self.start)
        alpha = (1 - math.tanh(self.gamma * (share - 0.5) / 2)) / 2  # 1 - sigmoid
        if share <= 0 or alpha > 1 - self.snap:
            return 1.0
        if share >= 1 or alpha < self.snap:
            return 0.0 if self.jvp else self.snap
        return alpha

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, ``r <= t`` with equal rows first, and alpha as ``ramp`` (``None`` for 0)."""
        e, alpha = noise_like(x, generator), self.alpha(progress)
        r, t = self.pairs.sample(len(x), x, generator)
        draw = Draw(e, r, t, ramp=torch.full_like(t, alpha) if alpha > 0 else None)
        return draw if self.guidance is None else self.guidance.draw(draw, generator)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| u - sg(v - (1 - alpha) (u(z_t, r, t) - u(z_s, r, s)) / alpha) ||^2``."""
        if draw.ramp is None:
            return MeanFlow(self.pairs, self.metric, self.guidance).loss(batch, draw)
        unequal = slice(self.pairs.n_equal(len(draw.t)), None)
        z = LinearPath().point(batch.x, draw.e, draw.t)
        u_field, v = trained_velocity(batch, draw, z, self.guidance)
        u = u_field(z, draw.r, draw.t)
        r, t, alpha = draw.r[unequal], draw.t[unequal], draw.ramp[unequal]
        s, alpha = r + (1 - alpha) * (t - r), expand(alpha, u[unequal])
        with torch.no_grad():
            u_s = rows(u_field, unequal)(jump(z[unequal], v[unequal], s, t), r, s)
            correction = (1 - alpha) / alpha * (u[unequal] - u_s)
            target = torch.cat([v[: unequal.start], v[unequal] - correction])
        error = masked_mean((u - target).detach().square(), batch.mask).mean()
        logs = {"alphaflow_error": error, "alpha": draw.ramp.mean()}
        return Loss(self.metric(u, target, batch.mask), logs)
