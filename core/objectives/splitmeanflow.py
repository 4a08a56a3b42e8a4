"""SplitMeanFlow (Guo et al. 2025, arXiv 2507.16884): mean velocity by splitting intervals."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.flow_map import intermediate_times
from oneleap.core.fields.targets import boundary_velocity
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath, expand, jump
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like, rows


@dataclass(frozen=True)
class SplitMeanFlow(Objective):
    """Train ``u`` so that displacements over ``r <= s <= t`` add up, without a JVP.

    ``(t - r) u(z_t, r, t) = (s - r) u(z_s, r, s) + (t - s) u(z_t, s, t)``

    The limit ``s -> t`` is MeanFlow's identity. The target is computed without gradient, from the
    moving average if the domain provides one. For ``r = t``, ``u`` regresses the velocity of the
    data, or of the frozen teacher if there is one (with its guidance). Cost: 1 forward and backward
    pass, and 2 forward passes for the share ``1 - p_equal``. A teacher adds 1 pass for the share
    ``p_equal``, or 2 with guidance.

    Traps: ``u = 0`` satisfies the identity perfectly, so rows with ``r = t`` must make up at least
    half of the batch, or training collapses. A student must start equal to its teacher at every
    interval, not only at ``r = t``, see :func:`oneleap.core.nets.embed.zero_interval_embedding`. It
    needs no dropped conditions. The longest intervals are the rarest and are learned last; assign
    some rows to them with ``pairs.deployed``.

    Deviation: the paper computes the target with the student's own weights. Here this is the case
    in domains without a moving average.

    Attributes:
        pairs: Distribution of ``(r, t)`` and the share of rows with ``r = t``.
        metric: Distance between ``u`` and its target.
        guidance: Guidance scale for a teacher with droppable conditions; ``None`` leaves the
            teacher unchanged.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    pairs: TimePairs = field(default_factory=lambda: TimePairs(Uniform(), p_equal=0.5))
    metric: Metric = field(default_factory=SquaredError)
    guidance: float | None = None

    def teacher_use(self) -> TeacherUse:
        """Return ``required`` if there is guidance, because it is the teacher that is guided."""
        return "optional" if self.guidance is None else "required"

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, ``r <= t`` with equal rows first, and ``s`` uniformly between them."""
        e = noise_like(x, generator)
        r, t = self.pairs.sample(len(x), x, generator)
        s = t - Uniform().sample((len(x),), x, generator) * (t - r)
        return Draw(e, r, t, s)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| u(z_t, r, t) - sg(target) ||^2``."""
        z = LinearPath().point(batch.x, draw.e, draw.t)
        n = self.pairs.n_equal(len(z))
        with torch.no_grad():
            target = torch.cat(
                [
                    boundary_velocity(batch, draw, z, slice(0, n), self.guidance, "SplitMeanFlow"),
                    self._split_target(batch, draw, z, n),
                ]
            )
        u = batch.field(z, draw.r, draw.t)
        error = masked_mean((u - target).detach().square(), batch.mask)
        logs = {  # 0, not NaN, if a part of the batch is empty
            "boundary_error": error[:n].sum() / max(1, n),
            "split_error": error[n:].sum() / max(1, len(error) - n),
        }
        return Loss(self.metric(u, target, batch.mask), logs)

    def _split_target(self, batch: TrainingBatch, draw: Draw, z: Tensor, first: int) -> Tensor:
        """``[(s - r) u(z_s, r, s) + (t - s) u(z_t, s, t)] / (t - r)``."""
        part, s = slice(first, None), intermediate_times(draw, "SplitMeanFlow")
        z, r, s, t = z[part], draw.r[part], s[part], draw.t[part]
        u = rows(batch.field if batch.target is None else batch.target, part)
        u_late = u(z, s, t)
        u_early = u(jump(z, u_late, s, t), r, s)
        late_share = expand((t - s) / (t - r).clamp(min=1e-6), z)
        return (1 - late_share) * u_early + late_share * u_late
