"""SplitMeanFlow (Guo et al. 2025, arXiv 2507.16884): average velocity by splitting."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import Guided, unconditional
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath, expand, jump
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch, noise_like, rows


@dataclass(frozen=True)
class SplitMeanFlow(Objective):
    """Train ``u`` on the additivity of displacement over ``r <= s <= t``, without a JVP.

    ``(t - r) u(z_t, r, t) = (s - r) u(z_s, r, s) + (t - s) u(z_t, s, t)``, whose limit ``s -> t``
    is MeanFlow's identity. The right side is taken without gradient, from the moving average when
    the domain keeps one. Where ``r = t``, ``u`` regresses the velocity: of the data, or of the
    frozen teacher when there is one (its guidance is then baked in). Cost: 1 forward and backward
    pass, and 2 forward passes for the share ``1 - p_equal``; with a teacher, its pass for the
    share ``p_equal``, twice that if it is guided.

    Traps: ``u = 0`` splits perfectly: the boundary must hold at least half the batch, or training
    collapses. A student must start as its teacher at every interval, not only at ``r = t``, see
    :func:`oneleap.core.nets.embed.zero_interval_embedding`, and needs no dropped conditions. The longest
    intervals are the rarest and learn last: pin some rows to them, ``pairs.deployed``.

    Deviation: the paper writes the right side with the student's own weights; so it is here for a
    domain that keeps no moving average.

    Attributes:
        pairs: Distribution of ``(r, t)`` and the share of rows with ``r = t``.
        metric: Distance between ``u`` and its target.
        guidance: Scale at which the teacher, a network whose conditions can be dropped, is
            guided; ``None`` takes the teacher as it is.
    """

    pairs: TimePairs = field(default_factory=lambda: TimePairs(Uniform(), p_equal=0.5))
    metric: Metric = field(default_factory=SquaredError)
    guidance: float | None = None

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise, ``r <= t`` with the equal rows first, and ``s`` uniform between them."""
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
                [self._velocity(batch, draw, z, slice(0, n)), self._split(batch, draw, z, n)]
            )
        u = batch.field(z, draw.r, draw.t)
        error = masked_mean((u - target).detach().square(), batch.mask)
        logs = {  # 0, not NaN, where a share of the batch is empty
            "boundary_error": error[:n].sum() / max(1, n),
            "split_error": error[n:].sum() / max(1, len(error) - n),
        }
        return Loss(self.metric(u, target, batch.mask), logs)

    def _velocity(self, batch: TrainingBatch, draw: Draw, z: Tensor, part: slice) -> Tensor:
        """The instantaneous velocity of the teacher, or of the data."""
        if batch.teacher is None:
            if self.guidance is not None:
                raise InputError(
                    "guidance of SplitMeanFlow is its teacher's: set the model's teacher, "
                    "or leave guidance out"
                )
            return LinearPath().velocity(batch.x[part], draw.e[part])
        teacher, t = rows(batch.teacher, part), draw.t[part]
        if self.guidance is not None:
            teacher = Guided(teacher, unconditional(teacher, t), self.guidance)
        return teacher(z[part], t, t)

    def _split(self, batch: TrainingBatch, draw: Draw, z: Tensor, first: int) -> Tensor:
        """``[(s - r) u(z_s, r, s) + (t - s) u(z_t, s, t)] / (t - r)``."""
        if draw.s is None:
            raise ValueError("SplitMeanFlow needs the times s of its own draw()")
        part = slice(first, None)
        z, r, s, t = z[part], draw.r[part], draw.s[part], draw.t[part]
        u = rows(batch.field if batch.target is None else batch.target, part)
        late = u(z, s, t)
        early = u(jump(z, late, s, t), r, s)
        share = expand((t - s) / (t - r).clamp(min=1e-6), z)
        return (1 - share) * early + share * late
