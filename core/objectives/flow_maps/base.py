"""The skeleton of flow-map self-distillation, and of distillation of a velocity into a map.

The map ``X(z, t, r) = z - (t - r) u(z, r, t)`` of a velocity ``v(z, t)`` obeys three equations:

===========  ==================================================================
Eulerian     ``u = v(z, t) - (t - r) (v . d_z u + d_t u)``
Lagrangian   ``u = v(X, r) + (t - r) d_r u``
semigroup    ``(t - r) u(z, r, t) = (t - s) u(z, s, t) + (s - r) u(z_s, r, s)``
===========  ==================================================================

Each of them, with ``u(z, t, t) = v(z, t)``, has the exact map as its only solution.
"""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.flow_map import require_teacher
from oneleap.core.fields.targets import boundary_velocity
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.types import (
    Draw,
    Field,
    Loss,
    Objective,
    TeacherUse,
    TrainingBatch,
    noise_like,
    rows,
)


@dataclass(frozen=True)
class MapFields:
    """Fields that an equation is made of, for the rows with ``r < t``.

    Attributes:
        trained: Field being trained.
        own: Field that gives the method its targets without a teacher: the trained one, or its
            moving average.
        velocity: Field of the velocity, evaluated at ``r = t``: the teacher's, or ``own``.
    """

    trained: Field
    own: Field
    velocity: Field


@dataclass(frozen=True)
class MapDistillation(Objective):
    """Flow matching where ``r = t``, and one of the three equations where ``r < t``.

    The velocity in the equation is that of the teacher if there is one, else the field's own
    ``u(z, t, t)`` without gradient, which the rows with ``r = t`` train. A method is its
    :meth:`interval`.

    Attributes:
        pairs: Distribution of ``(r, t)`` and the share of rows with ``r = t``.
        metric: Distance between ``u`` and its target.
        guidance: Guidance scale for a teacher with droppable conditions; ``None`` leaves the
            teacher unchanged.
    """

    teacher: ClassVar[TeacherUse] = "optional"
    error_name: ClassVar[str] = "map_error"
    """Name in the log of the squared error of the rows with ``r < t``."""

    pairs: TimePairs = field(default_factory=lambda: TimePairs(Uniform(), p_equal=0.75))
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
        """Draw noise and ``r <= t``, the rows with ``r = t`` first."""
        e = noise_like(x, generator)
        return Draw(e, *self.pairs.sample(len(x), x, generator))

    def own_field(self, batch: TrainingBatch) -> Field:
        """The field that the equation takes its targets from without a teacher."""
        return batch.field

    @abstractmethod
    def interval(
        self, fields: MapFields, z: Float[Tensor, "b *d"], draw: Draw
    ) -> tuple[Float[Tensor, "b *d"] | None, Float[Tensor, "b *d"]]:
        """Evaluate the equation on rows with ``r < t``.

        Args:
            fields: Fields of these rows.
            z: States ``z_t``, (b, *d).
            draw: Noise and times of these rows.

        Returns:
            ``u`` with gradient, (b, *d), or ``None`` to have it evaluated together with the other
            rows; and its target without gradient, (b, *d).
        """

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| u - sg(target) ||^2``."""
        first = self.pairs.n_equal(len(draw.t))
        equal, part = slice(0, first), slice(first, None)
        z = LinearPath().point(batch.x, draw.e, draw.t)
        targets: list[Tensor] = []
        if first > 0:
            name = type(self).__name__
            targets.append(boundary_velocity(batch, draw, z, equal, self.guidance, name))
        u: Tensor | None = None
        if first < len(z):
            u, target = self._interval(batch, draw, z, part)
            targets.append(target)
        if u is None:
            u = batch.field(z, draw.r, draw.t)
        elif first > 0:
            at = rows(batch.field, equal)(z[equal], draw.r[equal], draw.t[equal])
            u = torch.cat([at, u])
        target = torch.cat(targets).detach()
        error = masked_mean((u - target).detach().square(), batch.mask)
        logs = {  # 0, not NaN, if a part of the batch is empty
            "boundary_error": error[equal].sum() / max(1, first),
            self.error_name: error[part].sum() / max(1, len(z) - first),
        }
        return Loss(self.metric(u, target, batch.mask), logs)

    def _interval(
        self, batch: TrainingBatch, draw: Draw, z: Float[Tensor, "b *d"], part: slice
    ) -> tuple[Tensor | None, Tensor]:
        """Evaluate the equation on the rows of a part."""
        own = velocity = self.own_field(batch)
        if batch.teacher is not None or self.guidance is not None:
            velocity = require_teacher(batch, type(self).__name__, "MeanFlow", self.guidance)
        fields = MapFields(*(rows(f, part) for f in (batch.field, own, velocity)))
        s = None if draw.s is None else draw.s[part]
        return self.interval(fields, z[part], Draw(draw.e[part], draw.r[part], draw.t[part], s))
