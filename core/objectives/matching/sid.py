"""SiD (Zhou et al. 2024, arXiv 2404.04057) and SIM (Luo et al. 2024, 2410.16794)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.objectives.matching.base import (
    Matching,
    data_mean,
    noised,
    path_times,
    relative_scale,
    second_networks,
    teacher_of,
)
from oneleap.core.types import Draw, Loss, TrainingBatch


@dataclass(frozen=True)
class ScoreIdentity(Matching):
    """Score identity distillation: descend the Fisher divergence ``F_t = E_q|s_f - s_r|^2``.

    ``L = w (D_r - D_f) . [(D_r - x) - alpha (D_r - D_f)]``; gradients flow through teacher and fake
    to ``z``, and so to ``x``, while their weights are constant. With ``w`` a function of time, and
    ``A``, ``B`` the gradients of ``F_t`` through the samples and through the fake's weights, the
    gradient is proportional to ``B / 2 + (1 - alpha) A``. So ``alpha = 1/2`` is half the exact
    gradient, ``alpha = 1`` is SIM, where the law of the samples is frozen, and 1.2, SiD's default,
    goes against the term through the samples. All agree to first order near the optimum.

    SIM's pseudo-Huber distance divides by ``sqrt(|D_r - D_f|^2 + c^2)``; the quotient keeps its
    gradient. It belongs to ``alpha = 1``. Cost: DiffInstruct's, and 1 backward pass of teacher and
    fake to their input. It needs no data but the shape.

    Traps: the normalizer of SiD depends on the sample, which breaks the identity slightly.

    Deviations: a loss that is no number stops the run instead of being zeroed. The generator's
    noise is the path's end, where SiD has ``sigma = 2.5``, that is ``t = 0.83``.

    Attributes:
        ratio: See the skeleton; both networks train in every step.
        alpha: 1.2 in SiD, 1 in SIM and the safe choice, 1/2 for the exact gradient.
        huber: ``c`` of SIM's pseudo-Huber distance, in units of the root mean square of the gap,
            for example 0.03; ``None`` for the squared distance.
        exact: Whether to weight by ``2 (1 - t) / t^3`` instead of ``1 / mean|x - D_r|``. At uniform
            times and ``alpha = 1/2`` the loss then follows the Kullback-Leibler divergence of the
            data, ``KL(q_0 | p_0) = int t / (1 - t) F_t dt``.
    """

    ratio: int = 1
    alpha: float = 1.0
    huber: float | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        """Reject a distance without a smooth start."""
        super().__post_init__()
        if self.huber is not None and self.huber <= 0:
            raise InputError(f"huber of {type(self).__name__} must be positive, not {self.huber}")

    def push(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """``w (D_r - D_f) . [(D_r - x) - alpha (D_r - D_f)]``."""
        mask, z = batch.mask, noised(batch, x, draw)
        d_f = data_mean(second_networks(batch).frozen_fake, z, draw.t)
        d_r = data_mean(teacher_of(batch), z, draw.t)
        gap = d_r - d_f
        inner = masked_mean(gap * ((d_r - x) - self.alpha * gap), mask)
        square = masked_mean(gap.square(), mask)
        if self.huber is not None:
            inner = inner / (square + self.huber**2).sqrt()
        if self.exact:
            t = path_times(batch, draw, x).flatten()
            inner = inner * 2 * (1 - t) / t**3 * (self.t_max - self.t_min)
        else:
            inner = inner * relative_scale(x, d_r, mask).flatten()
        return Loss(inner, {"gap": square.detach().mean()})
