"""Diff-Instruct (Luo et al. 2023, arXiv 2305.18455) and DMD (Yin et al. 2024, 2311.18828)."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import teacher_pairs
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.objectives.matching.base import (
    Matching,
    data_mean,
    half_square,
    noised,
    relative_scale,
    second_networks,
    teacher_of,
)
from oneleap.core.paths.times import LogitNormal, Times, Uniform
from oneleap.core.types import Draw, Field, Loss, TrainingBatch


@dataclass(frozen=True)
class DiffInstruct(Matching):
    """Move samples along the score gap: the gradient of an integral of ``KL(q_t | p_t)``.

    The gradient in ``x`` is ``g = w (D_f - D_r)`` at ``z = (1 - t) x + t n``; nothing flows through
    the networks. Since ``E[(1 - t)^2 / t^2 (D_f - D_r) dx] = d KL(q_t | p_t)``, Diff-Instruct's
    ``w = 1`` follows ``int t^2 / (1 - t)^2 KL_t dt`` under the law of ``t``. For skeleton and cost
    see :class:`oneleap.core.objectives.matching.base.Matching`.

    Attributes:
        ratio: See the skeleton; both networks train in every step.
        times: Distribution of ``t``; the authors' lognormal noise levels (-1.2, 1.2) for data of
            standard deviation 0.5, brought to unit variance.
    """

    ratio: int = 1
    times: Times = field(default_factory=lambda: LogitNormal(-0.507, 1.2))

    def state(
        self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw
    ) -> Float[Tensor, "b *d"]:
        """State ``z_t`` at which samples are judged."""
        return noised(batch, x, draw)

    def gap(
        self, batch: TrainingBatch, z: Float[Tensor, "b *d"], draw: Draw
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Data means ``D_f`` and ``D_r``, without gradient."""
        fake: Field = second_networks(batch).fake
        return data_mean(fake, z, draw.t), data_mean(teacher_of(batch), z, draw.t)

    def weight(
        self, batch: TrainingBatch, x: Tensor, z: Tensor, d_r: Tensor, draw: Draw
    ) -> Tensor | float:
        """Factor ``w`` of the gap, a number or (b, *ones), without gradient."""
        return 1.0

    def push(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """``1/2 |x - sg(x - w (D_f - D_r))|^2``."""
        with torch.no_grad():
            z = self.state(batch, x, draw)
            d_f, d_r = self.gap(batch, z, draw)
            g = self.weight(batch, x, z, d_r, draw) * (d_f - d_r)
            error = masked_mean((d_f - d_r).square(), batch.mask).mean()
        return Loss(half_square(x, g, batch.mask), {"gap": error})


@dataclass(frozen=True)
class DMD(DiffInstruct):
    """Distribution matching distillation: the normalized gap, and a regression to the teacher.

    The gap is divided by ``mean|x - D_r|`` of the sample, Eq. (8); else the noisiest times
    dominate. ``regression |x - ODE(e)|^2`` holds the generator to the teacher's pairs of noise and
    data, Eq. (9). It prevents missing modes, and gives the spread a gradient where the gap gives
    none. Cost: DiffInstruct's, and ``steps`` passes of the teacher, twice that under guidance.

    Deviations: pairs are made in each step instead of stored, and compared by the squared error
    instead of LPIPS. A single ``ratio`` of 1 is the paper's.

    Attributes:
        times: Distribution of ``t``.
        regression: Weight of the regression; 0 turns it off.
        steps: Euler steps of the teacher from noise to data, for the regression.
    """

    times: Times = field(default_factory=Uniform)
    regression: float = 0.25
    steps: int = 8

    def __post_init__(self) -> None:
        """Reject a solver without steps."""
        super().__post_init__()
        if self.steps < 1:
            raise InputError(f"steps of {type(self).__name__} must be at least 1, not {self.steps}")

    def weight(
        self, batch: TrainingBatch, x: Tensor, z: Tensor, d_r: Tensor, draw: Draw
    ) -> Tensor | float:
        """``1 / mean|x - D_r|``."""
        return relative_scale(x, d_r, batch.mask)

    def anchor(
        self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw
    ) -> Float[Tensor, "b"] | None:
        """``regression |x - ODE(e)|^2``."""
        if self.regression == 0:
            return None
        _, target = teacher_pairs(teacher_of(batch), draw.e, steps=self.steps, heun=False)
        return self.regression * masked_mean((x - target).square(), batch.mask)
