"""The base of objectives that change or extend another objective."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.losses.hooks import RecordsActivations
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch


@dataclass(frozen=True)
class Around(Objective):
    """An objective around another one, which it passes everything on to.

    Attributes:
        objective: Objective; ``None`` is ``MeanFlow()``, see
            :class:`oneleap.core.objectives.Dispersed` for the reason.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    objective: Objective | None = None
    _default: Objective = field(default_factory=MeanFlow, init=False, repr=False, compare=False)

    @property
    def inner(self) -> Objective:
        """The objective that sees the pairs."""
        return self._default if self.objective is None else self.objective

    def teacher_use(self) -> TeacherUse:
        """Return that of the inner objective."""
        return self.inner.teacher_use()

    def record_activations(self, net: nn.Module) -> None:
        """Let the inner objective register its hooks, if it has any."""
        if isinstance(self.inner, RecordsActivations):
            self.inner.record_activations(net)

    def target_decay(self, progress: float) -> float | None:
        """Decay of the inner objective."""
        return self.inner.target_decay(progress)

    def is_distance(self) -> bool:
        """Return that of the inner objective."""
        return self.inner.is_distance()

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw as the inner objective does."""
        return self.inner.draw(x, generator, progress)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """Loss of the inner objective."""
        return self.inner.loss(batch, draw)
