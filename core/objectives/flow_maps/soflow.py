"""SoFlow, solution flow models (Luo et al. 2025, arXiv 2512.15657)."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import TargetGuidance
from oneleap.core.losses.metrics import Metric, SquaredError
from oneleap.core.objectives.alphaflow import AlphaFlow
from oneleap.core.paths.pairs import ApartPairs
from oneleap.core.paths.times import LogitNormal
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like


def solution_pairs() -> ApartPairs:
    """The authors' law: 3/4 flow matching, and two laws for ``t`` and ``r``."""
    return ApartPairs(
        LogitNormal(-0.2, 1.0),
        p_equal=0.75,
        late=LogitNormal(0.2, 0.8),
        early=LogitNormal(-1.0, 0.8),
    )


@dataclass(frozen=True)
class SoFlow(Objective):
    """The solution map from ``t`` and from slightly later on the same line must agree.

    ``X(z_t, t, r)`` is compared with ``sg X(z_l, l, r)``, ``z_l = z_t - (t - l) v`` and
    ``l = t - rho (t - r)``. The quotient ``delta = [X(z_t, t, r) - X(z_l, l, r)] / (t - l)`` is
    ``(u_target - u) / rho`` with the target of :class:`oneleap.core.objectives.AlphaFlow` at
    ``alpha = rho``, so the loss is that objective's. What differs is ``rho``, which falls
    exponentially from a small value instead of from 1, and the law of times. No derivative is
    computed. Cost: 1 forward and backward pass, and 1 forward pass for the share ``1 - p_equal``. A
    teacher adds 1 pass, 2 with guidance.

    Traps: the quotient divides a difference of two outputs by ``rho``; it needs float32. For
    ``rho > 0`` the exact field is not a minimum where trajectories curve.

    Deviations: the default metric is the squared error; the authors' is ``AdaptiveSquaredError``.
    The gradient of ``|delta|^2`` is ``1 / rho`` times this one's. Their adaptive weight hides that;
    without it, the rows with ``r = t`` would not count.

    Attributes:
        pairs: Distribution of ``(r, t)`` and the share of rows with ``r = t``.
        metric: Distance between ``u`` and its target.
        first: ``rho`` at the start of training; 1 for CIFAR-10.
        last: ``rho`` at its end; 0.0003 for CIFAR-10.
        guidance: Classifier-free guidance of the velocity; ``None`` for none.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    pairs: ApartPairs = field(default_factory=solution_pairs)
    metric: Metric = field(default_factory=SquaredError)
    first: float = 0.1
    last: float = 0.002
    guidance: TargetGuidance | None = None

    def __post_init__(self) -> None:
        """Reject values of ``rho`` that do not fall within (0, 1]."""
        if not 0 < self.last <= self.first <= 1:
            raise InputError(
                f"first and last must fall within (0, 1], not {self.first} and {self.last}"
            )

    def rho(self, progress: float) -> float:
        """``first (last / first)^p`` at the share ``p`` of the training run."""
        return float(self.first * (self.last / self.first) ** progress)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, ``r <= t`` with equal rows first, and ``rho`` as ``ramp``."""
        e = noise_like(x, generator)
        r, t = self.pairs.sample(len(x), x, generator)
        draw = Draw(e, r, t, ramp=torch.full_like(t, self.rho(progress)))
        return draw if self.guidance is None else self.guidance.draw(draw, generator)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| delta ||^2``, with AlphaFlow's weight."""
        if draw.ramp is None:
            raise InputError("SoFlow needs the ramp of its own draw()")
        inner = AlphaFlow(self.pairs, self.metric, guidance=self.guidance).loss(batch, draw)
        logs = {"solution_error": inner.logs["alphaflow_error"], "rho": inner.logs["alpha"]}
        return Loss(inner.per_sample, logs)
