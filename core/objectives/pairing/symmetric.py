"""Symmetrical flow matching (arXiv 2506.10634): two modalities, one network, opposite ways."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.reversible import reversible
from oneleap.core.objectives.pairing.around import Around
from oneleap.core.paths.base import expand
from oneleap.core.types import Draw, Loss, TeacherUse, TrainingBatch

BLOCK = 4
"""Rows that go the same way together, so that the particles of moment matching do."""


@dataclass(frozen=True)
class Symmetric(Around):
    """Make one modality from the other, and read it back, with one network (Caetano et al. 2025).

    The data are two modalities beside each other along axis 1: ``x``, and ``c`` in the last
    ``read`` channels, such as the curves of a sound and of its score. They go opposite ways,

        ``x_t = (1 - t) x + t e``,  ``c_t = t c + (1 - t) e_c``,

    with velocities ``e - x`` and ``c - e_c``. From ``(e, c)`` at ``t = 1`` the flow makes ``x``;
    from ``(x, e_c)`` at ``t = 0`` it reads ``c``. On the joint state this is one linear path, from
    ``(x, e_c)`` as data to ``(e, c)`` as noise, so any objective trains it. Half of the rows see
    the path reversed: there the network learns its mean velocity at ``r > t``, which is the single
    step from ``x`` to ``c``. Cost: that of the objective.

    Sample with :func:`oneleap.core.sampling.symmetric.make` and ``read``. A model's own sampler
    knows one way only: it would start ``c`` from noise.

    Traps: the flow keeps the laws of both ends, not the pairs. For two jointly Gaussian numbers
    with correlation 0.9, what is made from ``c`` follows it with 0.70 of the true slope, and its
    spread given ``c`` is 1.8 times too large (tests/core/objectives/pairing/test_symmetric.py). If
    ``c`` is always known, make it a condition instead. Discrete ``c`` needs uniform noise.

    Attributes:
        objective: Objective; ``None`` is ``MeanFlow()``, see
            :class:`oneleap.core.objectives.Dispersed` for the reason.
        read: Number of last channels that are read from the others.
        both: Whether half of the rows train the way from ``x`` to ``c``. Without them, only the
            velocity leads back: several steps with a solver for it.
    """

    teacher: ClassVar[TeacherUse] = "none"

    read: int = 1
    both: bool = True

    def __post_init__(self) -> None:
        """Reject a second modality without channels."""
        if self.read < 1:
            raise InputError(f"read of Symmetric must be at least 1, not {self.read}")

    def teacher_use(self) -> TeacherUse:
        """A teacher of one way does not fit; objectives that need one are refused in training."""
        return "none"

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """Loss of the inner objective on the joint path, half of the rows reversed.

        Raises:
            InputError: If the data have no channels left for the first modality, or sampling starts
                from a guess.
        """
        if batch.depth != 1:
            raise InputError("Symmetric needs the whole path: set the model's depth to 1")
        channels = batch.x.shape[1] if batch.x.ndim > 1 else 0
        if channels <= self.read:
            raise InputError(
                f"read of Symmetric: {self.read} of {channels} channels are read from the others: "
                "leave at least one"
            )
        rows = torch.arange(len(batch.x), device=batch.x.device)
        back = (rows // BLOCK) % 2 == 1 if self.both else rows < 0
        start, end = self.ends(batch.x, draw.e)
        turn = expand(back, start)
        joint = replace(
            batch,
            field=reversible(batch.field, back),
            target=None if batch.target is None else reversible(batch.target, back),
            x=torch.where(turn, end, start),
            teacher=None,
        )
        return self.inner.loss(joint, replace(draw, e=torch.where(turn, start, end)))

    def ends(
        self, x: Float[Tensor, "b c *d"], e: Float[Tensor, "b c *d"]
    ) -> tuple[Float[Tensor, "b c *d"], Float[Tensor, "b c *d"]]:
        """Joint states ``(x, e_c)`` at ``t = 0`` and ``(e, c)`` at ``t = 1``.

        Args:
            x: Data of both modalities, (b, c, *d).
            e: Noise of both, (b, c, *d).
        """
        n = x.shape[1] - self.read
        start = torch.cat([x[:, :n], e[:, n:]], dim=1)
        return start, torch.cat([e[:, :n], x[:, n:]], dim=1)
