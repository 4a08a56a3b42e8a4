"""VSD for one step: SwiftBrush (Nguyen & Tran 2024, arXiv 2312.05239) and SNOOPI (2412.02687)."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import guide_teacher
from oneleap.core.objectives.matching.base import (
    data_mean,
    path_times,
    second_networks,
    teacher_of,
)
from oneleap.core.objectives.matching.dmd import DiffInstruct
from oneleap.core.paths.times import Times, Uniform
from oneleap.core.types import Draw, Field, Loss, TrainingBatch


@dataclass(frozen=True)
class VSD(DiffInstruct):
    """Variational score distillation: the gap in noise units, and a fake that learns fast.

    ``g = sigma^2 (eps_r - eps_f)`` on the variance-preserving path, ``sigma = t / rho`` and
    ``alpha = (1 - t) / rho`` with ``rho^2 = (1 - t)^2 + t^2``. As
    ``eps_r - eps_f = (1 - t) / t (D_f - D_r)``, this is Diff-Instruct with
    ``w = t (1 - t) / rho^2``. The fake is trained with the weight ``alpha^2``.

    Guidance acts on the teacher and on the fake alike, by the fake's own unconditional field, in
    contrast to DMD2; the fake is trained unguided. SNOOPI's PG-SB draws the scale for each row from
    ``scales``, the same for both, which steadies training over networks. Cost: DiffInstruct's, and
    under guidance 1 more forward pass of the fake.

    Traps: the fake must be faster than the generator. The authors train a low-rank fake (rank 64)
    at 1000 times the generator's learning rate, OneDP a full one at 20 times: set ``fake_lr``. To
    guide the fake, its conditions must be droppable, and dropped in some rows of the batch.

    Deviation: by default the fake trains all its weights, at 20 times the generator's rate. For the
    authors' setting choose ``fake_rank`` 64 and ``fake_lr`` 1000.

    Attributes:
        times: Distribution of ``t``.
        fake_times: Distribution of the fake's times.
        fake_lr: See above.
        guidance: Guidance scale of teacher and fake; 4.5 in SwiftBrush's command.
        scales: Smallest and largest scale, drawn uniformly for each row, instead of ``guidance``;
            (0.5, 4) in SNOOPI.
    """

    times: Times = field(default_factory=Uniform)
    fake_times: Times = field(default_factory=Uniform)
    fake_lr: float = 20.0
    scales: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Reject two guidances at once, and a range that falls."""
        super().__post_init__()
        if self.scales is not None and self.guidance is not None:
            raise InputError("VSD: set guidance or scales, not both")
        if self.scales is not None and not 0 <= self.scales[0] <= self.scales[1]:
            raise InputError(f"scales of VSD must be two rising numbers, not {self.scales}")

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw as the skeleton does, and each row's guidance scale if there is a range."""
        draw = super().draw(x, generator, progress)
        if self.scales is None or draw.judging is None:
            return draw
        low, high = self.scales
        w = low + (high - low) * Uniform().sample((len(x),), x, generator)
        return replace(draw, judging=replace(draw.judging, w=w))

    def gap(
        self, batch: TrainingBatch, z: Float[Tensor, "b *d"], draw: Draw
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Data means ``D_f`` and ``D_r``, both guided."""
        fake: Field = second_networks(batch).fake
        teacher, w = teacher_of(batch), draw.w
        if w is not None:
            teacher = guide_teacher(teacher, w)
        elif self.guidance is not None:
            w = torch.full_like(draw.t, self.guidance)  # the skeleton has guided the teacher
        fake = fake if w is None else guide_teacher(fake, w)
        return data_mean(fake, z, draw.t), data_mean(teacher, z, draw.t)

    def weight(
        self, batch: TrainingBatch, x: Tensor, z: Tensor, d_r: Tensor, draw: Draw
    ) -> Tensor | float:
        """``t (1 - t) / ((1 - t)^2 + t^2)``."""
        t = path_times(batch, draw, x)
        return t * (1 - t) / ((1 - t).square() + t.square())

    def fit(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """Flow matching with the weight ``alpha^2 = (1 - t)^2 / ((1 - t)^2 + t^2)``."""
        loss, t = super().fit(batch, x, draw), batch.depth * draw.t
        weight = (1 - t).square() / ((1 - t).square() + t.square())
        return Loss(weight * loss.per_sample, loss.logs)
