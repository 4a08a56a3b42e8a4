"""SplitMeanFlow (Guo et al. 2025, arXiv 2507.16884): mean velocity by splitting intervals."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.flow_map import intermediate_times
from oneleap.core.objectives.flow_maps.base import MapDistillation, MapFields
from oneleap.core.paths.base import expand, jump
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.types import Draw, Field, TrainingBatch


@dataclass(frozen=True)
class SplitMeanFlow(MapDistillation):
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

    error_name: ClassVar[str] = "split_error"

    pairs: TimePairs = field(default_factory=lambda: TimePairs(Uniform(), p_equal=0.5))

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, ``r <= t`` with equal rows first, and ``s`` uniformly between them."""
        draw = super().draw(x, generator, progress)
        share = Uniform().sample((len(x),), x, generator)
        return replace(draw, s=draw.t - share * (draw.t - draw.r))

    def own_field(self, batch: TrainingBatch) -> Field:
        """The moving average, where the domain has one."""
        return batch.field if batch.target is None else batch.target

    def interval(
        self, fields: MapFields, z: Float[Tensor, "b *d"], draw: Draw
    ) -> tuple[Float[Tensor, "b *d"] | None, Float[Tensor, "b *d"]]:
        """``[(s - r) u(z_s, r, s) + (t - s) u(z_t, s, t)] / (t - r)``."""
        r, s, t = draw.r, intermediate_times(draw, type(self).__name__), draw.t
        with torch.no_grad():
            late = fields.own(z, s, t)
            early = fields.own(jump(z, late, s, t), r, s)
            share = expand((t - s) / (t - r).clamp(min=1e-6), z)
            return None, (1 - share) * early + share * late
