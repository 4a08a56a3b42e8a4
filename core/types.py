"""Types shared by the core: fields, batches, draws, losses and objectives."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from oneleap.core.paths.base import expand

Field = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A mean-velocity field ``u(z, r, t)``: ``z`` (b, *d), ``r`` and ``t`` (b,) -> (b, *d).

Conditions (text, state, speaker) are bound inside the function.
"""


@dataclass(frozen=True)
class Conditioned:
    """The field of a network ``net(z, r, t, *cond)`` under one batch of conditions.

    An objective may need the field for some rows of the batch only, or with the conditions dropped
    (classifier-free guidance). A plain closure offers neither.

    Attributes:
        net: Network, called as ``net(z, r, t, *cond)``.
        cond: Conditions; the first axis of each tensor is the batch.
        null: Null value of each condition, used when it is dropped; of the same shape or
            broadcastable.
        guidance: Guidance scale per row, (b,), for a network that takes it as input:
            ``net(z, r, t, *cond, guidance=guidance)``. With ``None`` the argument is not passed.
    """

    net: Callable[..., Tensor]
    cond: tuple[Tensor, ...] = ()
    null: tuple[Tensor, ...] | None = None
    guidance: Tensor | None = None

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Mean velocity of ``z`` over ``[r, t]``."""
        if self.guidance is None:
            return self.net(z, r, t, *self.cond)
        return self.net(z, r, t, *self.cond, guidance=self.guidance)

    def with_guidance(self, guidance: Float[Tensor, "b"]) -> "Conditioned":
        """Return this field at one guidance scale per row."""
        return Conditioned(self.net, self.cond, self.null, guidance)

    def rows(self, index: slice) -> "Conditioned":
        """Return this field for a part of the batch."""
        null = (
            None
            if self.null is None
            else tuple(n.expand_as(c)[index] for n, c in zip(self.null, self.cond, strict=True))
        )
        guidance = None if self.guidance is None else self.guidance[index]
        return Conditioned(self.net, tuple(c[index] for c in self.cond), null, guidance)

    def drop(self, dropped: Bool[Tensor, "b"]) -> "Conditioned":
        """Return this field with the conditions of some rows dropped.

        Raises:
            ValueError: If the field has no ``null`` conditions.
        """
        if self.null is None:
            raise ValueError("guidance needs a model whose conditions can be dropped")
        cond = tuple(
            torch.where(expand(dropped, c), n, c) for n, c in zip(self.null, self.cond, strict=True)
        )
        return Conditioned(self.net, cond, self.null, self.guidance)


def rows(field: Field, index: slice) -> Field:
    """Restrict ``field`` to a part of the batch; a plain function is returned unchanged.

    A plain function must treat each row separately. A function that closes over conditions of a
    whole batch must be a :class:`Conditioned`.
    """
    restrict = getattr(field, "rows", None)
    return field if restrict is None else restrict(index)


@dataclass(frozen=True, kw_only=True)
class SecondNetworks:
    """Networks that are trained beside a generator, under a batch's conditions.

    A frozen field has the same weights as constants: a gradient passes through its inputs only.

    Attributes:
        fake: Field of the generator's own samples, learned by flow matching.
        frozen_fake: The fake field without gradients to its own weights.
        judge: Field whose mean over a sample is the logit that the sample is data; ``None`` if the
            objective needs no judge.
        frozen_judge: The judge without gradients to its own weights.
        heads: Judges of features, ``heads(h, index)`` with ``h`` (b, n, c), for each row the one of
            its index -> (b, n); ``None`` if the objective needs none.
        frozen_heads: The heads without gradients to their own weights.
    """

    fake: Field
    frozen_fake: Field
    judge: Field | None = None
    frozen_judge: Field | None = None
    heads: Callable[[Tensor, Tensor], Tensor] | None = None
    frozen_heads: Callable[[Tensor, Tensor], Tensor] | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingBatch:
    """One batch, as a domain passes it to an objective.

    Attributes:
        field: Field of the network being trained.
        x: Data, (b, *d).
        mask: True where ``x`` is data, False where it is padding; broadcasts against ``x``.
        target: Field of a moving average of the network, for objectives that bootstrap.
        teacher: Field of a frozen multi-step model, guidance included; ``None`` trains from data.
        second: Networks trained beside the field, for objectives that have any.
        depth: Time on the linear path at which the field's time is 1. Below 1, the noise of a draw
            is ``(1 - depth) x + depth e``, see :func:`oneleap.core.sampling.shallow.blend`.
    """

    field: Field
    x: Float[Tensor, "b *d"]
    mask: Bool[Tensor, "b *#d"] | None = None
    target: Field | None = None
    teacher: Field | None = None
    second: SecondNetworks | None = None
    depth: float = 1.0


@dataclass(frozen=True)
class Draw:
    """All randomness of one evaluation of an objective.

    Drawing happens outside the loss. The loss is thus a pure function, which can be compiled and
    tested with exact numbers.

    Attributes:
        e: Noise, shaped like the data.
        r: Target times, (b,).
        t: Current times, (b,), ``r <= t``.
        s: Intermediate times, (b,), ``r <= s <= t``, for objectives that split the interval or
            compare neighboring times.
        w: Guidance scales, (b,), for a network that takes them as input.
        ramp: Weights in [0, 1] of a term that is introduced gradually, (b,). A tensor, because a
            Python number that changes each step would be compiled anew.
        dropped: Rows whose conditions are dropped, (b,), for guidance inside a target.
        judging: Draw at which a generated sample is compared with the teacher; ``None`` in a step
            that trains the second network alone.
        fitting: Draw at which the second network learns the generator's samples.
        renoise: Noise, shaped like ``e``, that a generator of several steps adds between them.
        head: Judge of each row, (b,), for objectives with a pool of judges.
        x: Data that belong to the noise in place of the batch's, for stored pairs.
    """

    e: Float[Tensor, "b *d"]
    r: Float[Tensor, "b"]
    t: Float[Tensor, "b"]
    s: Float[Tensor, "b"] | None = None
    w: Float[Tensor, "b"] | None = None
    ramp: Float[Tensor, "b"] | None = None
    dropped: Bool[Tensor, "b"] | None = None
    judging: "Draw | None" = None
    fitting: "Draw | None" = None
    renoise: tuple[Tensor, ...] | None = None
    head: Int[Tensor, "b"] | None = None
    x: Float[Tensor, "b *d"] | None = None


@dataclass(frozen=True)
class Loss:
    """A loss per sample, for the domain to weight and average, and values to log.

    Attributes:
        per_sample: Loss of each sample, (b,).
        logs: Detached scalars by name.
    """

    per_sample: Float[Tensor, "b"]
    logs: dict[str, Tensor]


TeacherUse = Literal["none", "optional", "required"]
"""Whether an objective uses the teacher of a batch."""


class Objective(ABC):
    """A training objective; subclasses are frozen dataclasses whose fields are hyperparameters."""

    teacher: ClassVar[TeacherUse] = "none"
    """Whether it uses the teacher. Training refuses a teacher that would have no effect."""

    def teacher_use(self) -> TeacherUse:
        """Return whether it uses the teacher under its present settings."""
        return self.teacher

    @abstractmethod
    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise and times for a batch shaped like ``x``.

        Args:
            x: Data, (b, *d); only shape, dtype and device are used.
            generator: Source of randomness.
            progress: Share of the training run that is done, in [0, 1], for curricula.

        Returns:
            All randomness of one loss.
        """

    @abstractmethod
    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """Evaluate the objective for the given randomness."""

    def target_decay(self, progress: float) -> float | None:
        """Decay of a moving average that only serves as target, at a share of the training run.

        Args:
            progress: Share of the training run that is done, in [0, 1].

        Returns:
            The decay per step. ``None``, the default, takes targets from the moving average that
            also generates samples.
        """
        return None

    def is_distance(self) -> bool:
        """Return whether the loss of each row is a distance, never negative."""
        return True

    def __call__(self, batch: TrainingBatch, generator: torch.Generator | None = None) -> Loss:
        """Draw and evaluate."""
        return self.loss(batch, self.draw(batch.x, generator))


def noise_like(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal noise with the shape, dtype and device of ``x``."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
