"""The vocabulary of the core: what an objective sees and what it returns."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.paths.base import expand

Field = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A mean-velocity field ``u(z, r, t)``: ``z`` (b, *d), ``r`` and ``t`` (b,) -> (b, *d).

Whatever conditions it (text, state, speaker) is closed over by the domain.
"""


@dataclass(frozen=True)
class Conditioned:
    """The field of a network ``net(z, r, t, *cond)`` under one batch of conditions.

    A plain closure would do, but for two things an objective may need: the same field for some
    rows of the batch only, and the field with its conditions dropped (classifier-free guidance).

    Attributes:
        net: Called as ``net(z, r, t, *cond)``.
        cond: Tensors with the batch as their first axis.
        null: What stands for each condition when it is dropped; same shapes, or broadcastable.
        guidance: Guidance scale per row, (b,), for a network that takes it as an input:
            ``net(z, r, t, *cond, guidance=guidance)``. ``None`` is not passed.
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

    def at(self, guidance: Float[Tensor, "b"]) -> "Conditioned":
        """The same field at a guidance scale per row."""
        return Conditioned(self.net, self.cond, self.null, guidance)

    def rows(self, index: slice) -> "Conditioned":
        """The same field for a part of the batch."""
        null = (
            None
            if self.null is None
            else tuple(n.expand_as(c)[index] for n, c in zip(self.null, self.cond, strict=True))
        )
        guidance = None if self.guidance is None else self.guidance[index]
        return Conditioned(self.net, tuple(c[index] for c in self.cond), null, guidance)

    def drop(self, dropped: Bool[Tensor, "b"]) -> "Conditioned":
        """The same field with the conditions of some rows dropped.

        Raises:
            ValueError: If the domain gave no ``null`` conditions.
        """
        if self.null is None:
            raise ValueError("guidance needs a model whose condition can be dropped; this has none")
        cond = tuple(
            torch.where(expand(dropped, c), n, c) for n, c in zip(self.null, self.cond, strict=True)
        )
        return Conditioned(self.net, cond, self.null, self.guidance)


def rows(field: Field, index: slice) -> Field:
    """Restrict ``field`` to a part of the batch; a plain function needs no restriction.

    A plain function must treat each row alone; one that closes over a whole batch of conditions
    has to be a :class:`Conditioned`.
    """
    restrict = getattr(field, "rows", None)
    return field if restrict is None else restrict(index)


@dataclass(frozen=True, kw_only=True)
class TrainingBatch:
    """One batch as a domain hands it to an objective.

    Attributes:
        field: The network being trained, its conditions closed over.
        x: Data, (b, *d).
        mask: True where ``x`` is real, False where it is padding; broadcasts against ``x``.
        target: Exponential moving average of ``field``; objectives that bootstrap use it.
        teacher: A frozen multi-step model, guidance included; ``None`` trains from data alone.
    """

    field: Field
    x: Float[Tensor, "b *d"]
    mask: Bool[Tensor, "b *#d"] | None = None
    target: Field | None = None
    teacher: Field | None = None


@dataclass(frozen=True)
class Draw:
    """All randomness of one evaluation of an objective.

    It is drawn outside the loss, which is thereby a pure function: compilable, and exact to test.

    Attributes:
        e: Noise, shaped like the data.
        r: Target times, (b,).
        t: Current times, (b,), ``r <= t``.
        s: Times between, (b,), ``r <= s <= t``, for objectives that split the interval or compare
            neighbouring times.
        w: Guidance scales, (b,), for a network that takes them as an input.
        ramp: Shares in [0, 1] of a term that is warmed up, (b,): a tensor, for a number that
            changes each step would be compiled anew.
        dropped: Rows whose conditions are dropped, (b,), for guidance inside a target.
    """

    e: Float[Tensor, "b *d"]
    r: Float[Tensor, "b"]
    t: Float[Tensor, "b"]
    s: Float[Tensor, "b"] | None = None
    w: Float[Tensor, "b"] | None = None
    ramp: Float[Tensor, "b"] | None = None
    dropped: Bool[Tensor, "b"] | None = None


@dataclass(frozen=True)
class Loss:
    """A loss per sample, for the domain to weight and reduce, and figures worth logging.

    Attributes:
        per_sample: (b,).
        logs: Detached scalars by name.
    """

    per_sample: Float[Tensor, "b"]
    logs: dict[str, Tensor]


class Objective(ABC):
    """A training objective: subclasses are frozen dataclasses whose fields are hyperparameters."""

    @abstractmethod
    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise and times for a batch shaped like ``x``.

        Args:
            x: Data; only shape, dtype and device are used.
            generator: Of all draws.
            progress: Share of the training run that is done, for curricula.
        """

    @abstractmethod
    def loss(self, bound: TrainingBatch, draw: Draw) -> Loss:
        """Evaluate the objective for the given randomness."""

    def __call__(self, bound: TrainingBatch, generator: torch.Generator | None = None) -> Loss:
        """Draw, then evaluate."""
        return self.loss(bound, self.draw(bound.x, generator))


def noise_like(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal noise with the shape, dtype and device of ``x``."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
