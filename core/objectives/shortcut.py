"""Shortcut models (Frans et al. 2024, arXiv 2410.12557): a step is two steps half as long."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import intermediate_times
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath, jump
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch, noise_like, rows


@dataclass(frozen=True)
class Shortcut(Objective):
    """Train ``u`` on ``u(z_t, r, t) = (u(z_s, r, s) + u(z_t, s, t)) / 2``, ``s`` in the middle.

    The paper's ``s(x, t, d)`` is our ``u`` over an interval of length ``d = t - r``, in the
    paper's time reversed. ``d`` is 1, 1/2, ..., ``2 / steps`` and ``r`` a multiple of it: exactly
    what a sampler of 1, 2, ... equal steps asks for. The right side is taken without gradient,
    from the moving average when the domain keeps one, as the paper does. A half as short as
    ``1 / steps`` is asked at ``d = 0``. Rows at ``d = 0``, the larger part, are flow matching.
    :class:`oneleap.core.objectives.SplitMeanFlow` is the same for any three times.
    Cost: 1 forward and backward pass, and 2 forward passes for the share ``1 - p_equal``.

    Traps: intervals off the dyadic grid are never trained, so sample with a power of two of steps.
    Errors are handed up a ladder of ``log2(steps)`` rungs, and one step is the last to be right.

    Deviations: the lengths are spread evenly over their rungs from a random start, which reaches
    each of them in small batches, too; times at ``d = 0`` are continuous; nothing is clipped (the
    authors clip to 4); no guidance.

    Attributes:
        pairs: ``times`` at ``d = 0`` and ``p_equal``, their share: 7/8 in the authors' code, 3/4
            in the paper. Other intervals are dyadic.
        steps: Of the finest grid, a power of two.
        metric: Distance between ``u`` and its target.
    """

    pairs: TimePairs = field(default_factory=lambda: TimePairs(Uniform(), p_equal=0.875))
    steps: int = 128
    metric: Metric = field(default_factory=SquaredError)

    def __post_init__(self) -> None:
        """Refuse what is no dyadic grid."""
        if self.steps < 2 or self.steps & (self.steps - 1):
            raise InputError(f"steps of Shortcut is a power of two from 2 up, not {self.steps}")
        if self.pairs.deployed:
            raise InputError("Shortcut trains on deployed intervals anyway: leave deployed out")

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise, ``r = s = t`` first, then dyadic ``r < s < t``."""
        e, n = noise_like(x, generator), self.pairs.n_equal(len(x))
        m, rungs = len(x) - n, self.steps.bit_length() - 1
        equal = self.pairs.times.sample((n,), x, generator)
        share = torch.rand(m + 1, generator=generator, dtype=x.dtype, device=x.device)
        rung = (torch.arange(m, device=x.device) + share[m]) * (rungs / max(1, m))
        count = (1 << rung.long().clamp(max=rungs - 1)).to(x.dtype)
        k = (share[:m] * count).floor()
        r, s, t = (torch.cat([equal, (k + half) / count]) for half in (0, 0.5, 1))
        return Draw(e, r, t, s)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| u(z_t, r, t) - sg(target) ||^2``."""
        path, n = LinearPath(), self.pairs.n_equal(len(draw.t))
        z = path.point(batch.x, draw.e, draw.t)
        with torch.no_grad():
            velocity = path.velocity(batch.x, draw.e)[:n]
            target = torch.cat([velocity, self._halves(batch, draw, z, n)])
        u = batch.field(z, draw.r, draw.t)
        error = masked_mean((u - target).detach().square(), batch.mask)
        logs = {  # 0, not NaN, where a share of the batch is empty
            "boundary_error": error[:n].sum() / max(1, n),
            "shortcut_error": error[n:].sum() / max(1, len(error) - n),
        }
        return Loss(self.metric(u, target, batch.mask), logs)

    def _halves(self, batch: TrainingBatch, draw: Draw, z: Tensor, first: int) -> Tensor:
        """``(u(z_s, r, s) + u(z_t, s, t)) / 2``, with ``d = 0`` for the shortest halves."""
        part = slice(first, None)
        z, r, s, t = z[part], draw.r[part], intermediate_times(draw, "Shortcut")[part], draw.t[part]
        u = rows(batch.field if batch.target is None else batch.target, part)
        finest = (t - s) * self.steps < 1.5
        late = u(z, torch.where(finest, t, s), t)
        early = u(jump(z, late, s, t), torch.where(finest, s, r), s)
        return (late + early) / 2
