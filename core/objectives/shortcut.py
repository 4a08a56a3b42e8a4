"""Shortcut models (Frans et al. 2024, arXiv 2410.12557): one step equals two half steps."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import intermediate_times
from oneleap.core.fields.targets import boundary_velocity
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath, jump
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like, rows


@dataclass(frozen=True)
class Shortcut(Objective):
    """Train ``u`` with ``u(z_t, r, t) = (u(z_s, r, s) + u(z_t, s, t)) / 2``, ``s`` in the middle.

    The paper's ``s(x, t, d)`` is our ``u`` over an interval of length ``d = t - r``, with the
    paper's time reversed. ``d`` is one of 1, 1/2, ..., ``2 / steps``, and ``r`` is a multiple of
    ``d``. These are exactly the intervals of samplers with 1, 2, ... equal steps. The target is
    computed without gradient, from the moving average if the domain provides one, as in the paper.
    Halves as short as ``1 / steps`` are evaluated at ``d = 0``. The rows with ``d = 0``, which are
    the majority, are flow matching, on the data or on a teacher's velocity.
    :class:`oneleap.core.objectives.SplitMeanFlow` generalizes this to any three times. Cost: 1
    forward and backward pass, and 2 forward passes for the share ``1 - p_equal``. A teacher adds 1
    pass for the share ``p_equal``, or 2 with guidance.

    Traps: intervals off the dyadic grid are never trained; sample with a power of two as the number
    of steps. Errors accumulate over ``log2(steps)`` levels, and the single step is the last to
    become accurate.

    Deviations: the lengths are spread evenly over the levels from a random start, so small batches
    contain all of them. Times with ``d = 0`` are continuous. Nothing is clipped (the authors clip
    to 4). Guidance is that of a teacher; the authors guide by the network itself.

    Attributes:
        pairs: ``times`` for ``d = 0``, and ``p_equal``, their share: 7/8 in the authors' code, 3/4
            in the paper. All other intervals are dyadic.
        steps: Number of steps of the finest grid, a power of two.
        metric: Distance between ``u`` and its target.
        guidance: Guidance scale for a teacher with droppable conditions; ``None`` leaves the
            teacher unchanged.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    pairs: TimePairs = field(default_factory=lambda: TimePairs(Uniform(), p_equal=0.875))
    steps: int = 128
    metric: Metric = field(default_factory=SquaredError)
    guidance: float | None = None

    def __post_init__(self) -> None:
        """Reject a grid that is not dyadic, and deployed intervals."""
        if self.steps < 2 or self.steps & (self.steps - 1):
            raise InputError(
                f"steps of Shortcut must be a power of two, at least 2, not {self.steps}"
            )
        if self.pairs.deployed:
            raise InputError("Shortcut always trains on deployed intervals: remove deployed")

    def teacher_use(self) -> TeacherUse:
        """Return ``required`` if there is guidance, because it is the teacher that is guided."""
        return "optional" if self.guidance is None else "required"

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, rows with ``r = s = t`` first, then dyadic ``r < s < t``."""
        e, n = noise_like(x, generator), self.pairs.n_equal(len(x))
        m, levels = len(x) - n, self.steps.bit_length() - 1
        equal = self.pairs.times.sample((n,), x, generator)
        uniform = torch.rand(m + 1, generator=generator, dtype=x.dtype, device=x.device)
        level = (torch.arange(m, device=x.device) + uniform[m]) * (levels / max(1, m))
        count = (1 << level.long().clamp(max=levels - 1)).to(x.dtype)
        k = (uniform[:m] * count).floor()
        r, s, t = (torch.cat([equal, (k + half) / count]) for half in (0, 0.5, 1))
        return Draw(e, r, t, s)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| u(z_t, r, t) - sg(target) ||^2``."""
        n = self.pairs.n_equal(len(draw.t))
        z = LinearPath().point(batch.x, draw.e, draw.t)
        with torch.no_grad():
            velocity = boundary_velocity(batch, draw, z, slice(0, n), self.guidance, "Shortcut")
            target = torch.cat([velocity, self._two_steps(batch, draw, z, n)])
        u = batch.field(z, draw.r, draw.t)
        error = masked_mean((u - target).detach().square(), batch.mask)
        logs = {  # 0, not NaN, if a part of the batch is empty
            "boundary_error": error[:n].sum() / max(1, n),
            "shortcut_error": error[n:].sum() / max(1, len(error) - n),
        }
        return Loss(self.metric(u, target, batch.mask), logs)

    def _two_steps(self, batch: TrainingBatch, draw: Draw, z: Tensor, first: int) -> Tensor:
        """``(u(z_s, r, s) + u(z_t, s, t)) / 2``, with ``d = 0`` for the shortest halves."""
        part = slice(first, None)
        z, r, s, t = z[part], draw.r[part], intermediate_times(draw, "Shortcut")[part], draw.t[part]
        u = rows(batch.field if batch.target is None else batch.target, part)
        finest = (t - s) * self.steps < 1.5
        u_late = u(z, torch.where(finest, t, s), t)
        u_early = u(jump(z, u_late, s, t), torch.where(finest, s, r), s)
        return (u_late + u_early) / 2
