"""Classifier-free guidance of a field, when sampling and inside a training target."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.paths.base import expand
from oneleap.core.types import Conditioned, Draw, Field, rows


def require_droppable(field: Field) -> Conditioned:
    """Return the field, after checking that its conditions can be dropped.

    Raises:
        InputError: If the field has no conditions, or no null condition.
    """
    if not isinstance(field, Conditioned) or field.null is None:
        raise InputError(
            "guidance needs a model whose conditions can be dropped, but this one has no null "
            "condition: give it one, or train without guidance"
        )
    return field


def unconditional(field: Field, like: Float[Tensor, "b"]) -> Conditioned:
    """Return the field with the conditions of every row dropped.

    Raises:
        InputError: If the conditions cannot be dropped.
    """
    return require_droppable(field).drop(torch.ones_like(like, dtype=torch.bool))


def with_guidance(field: Field, w: Float[Tensor, "b"] | None) -> Field:
    """Return a field that receives guidance scales as input; without scales, the field itself.

    Raises:
        InputError: If the field is not a network under conditions.
    """
    if w is None:
        return field
    if not isinstance(field, Conditioned):
        raise InputError("a guidance scale as input needs a network that accepts guidance=w")
    return field.with_guidance(w)


def guide_teacher(teacher: Field | None, w: Float[Tensor, "b"]) -> Field:
    """Apply classifier-free guidance with one scale per row to a teacher; 2 network evaluations.

    Raises:
        InputError: If there is no teacher, or its conditions cannot be dropped.
    """
    if not isinstance(teacher, Conditioned) or teacher.null is None:
        raise InputError(
            "a guidance scale as input needs an unguided teacher whose conditions can be dropped"
        )
    null = unconditional(teacher, w)

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        base = null(z, r, t)
        return base + expand(w, z) * (teacher(z, r, t) - base)

    return field


@dataclass(frozen=True)
class GuidedField:
    """Classifier-free guidance, ``null + scale (cond - null)``, as a field.

    With an ``interval``, guidance acts at some noise levels only (Kynkäänniemi et al. 2024,
    arXiv 2404.07724). Near the noise, guidance reduces diversity; near the data, it has little
    effect. For a step over ``[r, t]`` the start ``t`` decides.

    Cost: 2 network evaluations, outside the interval too. No branch depends on data, so the field
    compiles and has a forward derivative. That derivative ignores the ends of the interval.

    Attributes:
        cond: The field under its conditions.
        null: The field with its conditions dropped.
        scale: Guidance scale; 1 means no guidance.
        interval: Times ``t`` with guidance, ends included; the paper's ``sigma`` is
            ``t / (1 - t)``.
    """

    cond: Field
    null: Field
    scale: float
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Reject an interval that is empty or outside [0, 1]."""
        if not 0 <= self.interval[0] <= self.interval[1] <= 1:
            raise InputError(f"interval must be two rising times in [0, 1], not {self.interval}")

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Guided velocity; 2 network evaluations."""
        cond, null = self.cond(z, r, t), self.null(z, r, t)
        low, high = self.interval
        inside = expand((low <= t) & (t <= high), z)
        return torch.where(inside, null + self.scale * (cond - null), cond)

    def rows(self, index: slice) -> "GuidedField":
        """Return the guided field for a part of the batch."""
        return GuidedField(
            rows(self.cond, index), rows(self.null, index), self.scale, self.interval
        )


def guide(field: Field, scale: float, noise: Float[Tensor, "b *d"]) -> Field:
    """Apply classifier-free guidance to a field.

    Args:
        field: Field whose conditions can be dropped.
        scale: Guidance scale; at 1 the field is returned unchanged.
        noise: Tensor with the rows of the batch, (b, *d).

    Raises:
        InputError: If the conditions cannot be dropped.
    """
    if scale == 1:
        return field
    return GuidedField(field, unconditional(field, noise.new_ones(len(noise))), scale)


@dataclass(frozen=True)
class TargetGuidance:
    """The guided velocity of MeanFlow (arXiv 2505.13447), Sec. 4.2 and appendix.

    ``v~ = omega v + kappa u(z, t, t | c) + (1 - omega - kappa) u(z, t, t | null)``

    replaces the sample's velocity ``v``; both fields are evaluated without gradient. The field that
    equals the mean of ``v~`` is guided at the scale ``omega / (1 - kappa)``. A large scale is thus
    possible without the large variance that a large ``omega`` gives ``v``. Rows whose condition is
    dropped train the unconditional field on ``v``, and so do all rows outside ``interval``.

    With ``scales``, the scale ``w`` is an input of the network (iMF, arXiv 2512.02012). It is drawn
    for each row, and ``kappa = 1 - omega / w``. For ``omega = 1`` this gives
    ``v~ = v + (1 - 1/w) (u(z, t, t | c, w) - u(z, t, t | null, w))``.

    With a teacher, ``v~`` is the teacher's own guided velocity at that scale, see :meth:`taught`.

    Cost: 2 forward passes; 1 if ``kappa`` is 0 and ``scales`` is not used.

    Traps: without ``scales``, training fixes the scale, and guiding the samples again guides them
    twice. With ``drop`` at 0, nothing trains the unconditional field.

    Deviations from iMF: the interval is fixed instead of an input of the network. The unconditional
    field is evaluated at ``w`` instead of 1; it is trained to be the same at every ``w``.

    Attributes:
        omega: Weight of the sample's own velocity.
        kappa: Weight of the conditional velocity that the network predicts.
        drop: Probability that a row's condition is dropped.
        interval: Times ``t`` with guidance, ends included.
        scales: Smallest and largest scale, drawn log-uniformly, for a network that takes the scale
            as input. iMF uses (1, 8).
    """

    omega: float = 1.0
    kappa: float = 0.5
    drop: float = 0.1
    interval: tuple[float, float] = (0.0, 1.0)
    scales: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Reject values without a finite scale, and invalid probabilities and ranges."""
        if not (self.omega > 0 and 0 <= self.kappa < 1):
            raise InputError(
                f"omega must be above 0 and kappa in [0, 1), because the guidance scale is "
                f"omega / (1 - kappa); not {self.omega} and {self.kappa}"
            )
        if not 0 <= self.drop < 1:
            raise InputError(f"drop must be a probability in [0, 1), not {self.drop}")
        if not 0 <= self.interval[0] <= self.interval[1] <= 1:
            raise InputError(f"interval must be two rising times in [0, 1], not {self.interval}")
        if self.scales is not None and not 0 < self.scales[0] <= self.scales[1]:
            raise InputError(f"scales must be two rising positive numbers, not {self.scales}")

    def draw(self, draw: Draw, generator: torch.Generator | None = None) -> Draw:
        """Add the rows to be dropped to a draw, and the scales if the network takes them."""
        uniform = torch.rand(
            (2, len(draw.t)), generator=generator, dtype=draw.t.dtype, device=draw.t.device
        )
        w = None
        if self.scales is not None:
            low, high = (math.log(scale) for scale in self.scales)
            w = torch.exp(low + (high - low) * uniform[1])
        return replace(draw, dropped=uniform[0] < self.drop, w=w)

    def __call__(
        self, field: Field, z: Float[Tensor, "b *d"], v: Float[Tensor, "b *d"], draw: Draw
    ) -> tuple[Field, Float[Tensor, "b *d"]]:
        """Compute the guided velocity.

        Args:
            field: Field being trained.
            z: States ``z_t``, (b, *d).
            v: Velocities of the samples, (b, *d).
            draw: Draw with dropped rows and scales.

        Returns:
            The field to be trained on these rows, and its velocity ``v~``, (b, *d).

        Raises:
            InputError: If the field's conditions cannot be dropped, or the draw has no dropped
                rows.
        """
        conditional, dropped, unguided = self._parts(field, draw)
        t = draw.t
        kappa = torch.full_like(t, self.kappa) if draw.w is None else 1 - self.omega / draw.w
        kappa = expand(kappa, z)
        with torch.no_grad():
            guided = self.omega * v
            guided = guided + (1 - self.omega - kappa) * unconditional(conditional, t)(z, t, t)
            if self.kappa > 0 or self.scales is not None:
                guided = guided + kappa * conditional(z, t, t)
        return conditional.drop(dropped), torch.where(expand(unguided | dropped, z), v, guided)

    def taught(
        self, field: Field, teacher: Field, z: Float[Tensor, "b *d"], draw: Draw
    ) -> tuple[Field, Float[Tensor, "b *d"]]:
        """Take the guided velocity from an unguided teacher instead of from the sample.

        The teacher is guided at ``omega / (1 - kappa)``, or at the drawn scale. Rows outside the
        interval take its conditional velocity, dropped rows its unconditional one. Cost: 2 passes
        of the teacher.

        Args:
            field: Field being trained.
            teacher: Field of the teacher.
            z: States ``z_t``, (b, *d).
            draw: Draw with dropped rows and scales.

        Returns:
            The field to be trained on these rows, and the teacher's velocity, (b, *d).

        Raises:
            InputError: If conditions cannot be dropped, or the draw has no dropped rows.
        """
        conditional, dropped, unguided = self._parts(field, draw)
        scale = draw.w
        if scale is None:
            scale = torch.full_like(draw.t, self.omega / (1 - self.kappa))
        scale = torch.where(unguided, torch.ones_like(scale), scale).masked_fill(dropped, 0.0)
        return conditional.drop(dropped), guide_teacher(teacher, scale)(z, draw.t, draw.t)

    def _parts(self, field: Field, draw: Draw) -> tuple[Conditioned, Tensor, Tensor]:
        """Return the field at its scale, the dropped rows, and the rows outside the interval.

        Raises:
            InputError: If the field's conditions cannot be dropped, or the draw has no dropped
                rows.
        """
        if draw.dropped is None or (draw.w is None) != (self.scales is None):
            raise InputError("guidance needs the dropped rows and scales of its own draw()")
        conditional, (low, high) = require_droppable(field), self.interval
        if draw.w is not None:
            conditional = conditional.with_guidance(draw.w)
        return conditional, draw.dropped, (draw.t < low) | (draw.t > high)
