"""TBCM, trajectory-backward consistency (Tang et al. 2025, arXiv 2511.20410): without data."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import intermediate_times
from oneleap.core.objectives.scm import ContinuousConsistency
from oneleap.core.paths.base import expand, jump
from oneleap.core.paths.times import Uniform
from oneleap.core.types import Draw, Field, Loss, TeacherUse, TrainingBatch


@dataclass(frozen=True)
class TBCM(ContinuousConsistency):
    """sCM's distillation at the states that the teacher itself visits, not at noised data.

    The teacher starts from pure noise and takes Euler steps along a route of random falling times,
    one in each interval of a grid. Each row trains at one of the states visited, with the teacher's
    velocity there, see :class:`oneleap.core.objectives.ContinuousConsistency`. The data's shape and
    conditions are all that is used. Cost: ContinuousConsistency's, and ``route`` passes of the
    teacher, twice that with guidance.

    Traps: the student sees no state that a guided teacher would not reach, which is the purpose,
    and no data, so it never exceeds its teacher. The states have the errors of ``route`` Euler
    steps; the equation holds at any state.

    Deviations: each row has a route of its own and trains at one of its states; the authors train
    at all states of a single route. The offsets of a row's times within their intervals are equal.
    The grid is even in ``t`` after the shift.

    Attributes:
        route: Intervals of the grid from noise to data.
        shift: Shift of the grid towards the noise, ``t -> shift t / (1 + (shift - 1) t)``. It
            replaces ``times``, which is not used.
    """

    teacher: ClassVar[TeacherUse] = "required"

    route: int = 16
    shift: float = 2.5

    def __post_init__(self) -> None:
        """Reject a route without a state to train at, and a shift that is not positive."""
        super().__post_init__()
        if self.route < 2:
            raise InputError(f"route must be at least 2, not {self.route}")
        if self.shift <= 0:
            raise InputError(f"shift must be positive, not {self.shift}")

    def node(self, k: Tensor, offset: Tensor) -> Tensor:
        """Time in interval ``k`` of the grid, from the noise, at an offset in [0, 1)."""
        t = 1 - (k + offset) / self.route
        return self.shift * t / (1 + (self.shift - 1) * t)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, each row's offset as ``s``, and its state's time ``t``; ``r = 0``."""
        draw = super().draw(x, generator, progress)
        offset = Uniform().sample((len(x),), x, generator)
        k = torch.randint(1, self.route, (len(x),), generator=generator, device=x.device)
        return replace(draw, t=self.node(k.to(x), offset), s=offset)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """SCM's loss at a state of the teacher's trajectory."""
        teacher = self.guided_teacher(batch, draw)
        assert teacher is not None
        with torch.no_grad():
            z, t = self.visited(teacher, draw), draw.t
            v = teacher(z, t, t)
            # the line through z with the teacher's velocity: its ends are data and noise there
            data, noise = z - expand(t, z) * v, z + expand(1 - t, z) * v
        return self.loss_along(None, replace(batch, x=data), replace(draw, e=noise))

    def visited(self, teacher: Field, draw: Draw) -> Float[Tensor, "b *d"]:
        """State at each row's time ``t`` of its route from pure noise."""
        z, now = draw.e, torch.ones_like(draw.t)
        offset = intermediate_times(draw, "TBCM")
        for k in range(1, self.route):
            end = torch.maximum(self.node(torch.full_like(now, k), offset), draw.t)
            z = jump(z, teacher(z, now, now), end, now)  # no step once t is reached
            now = end
        return z
