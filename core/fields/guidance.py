"""Classifier-free guidance: of a field at sampling time, and inside a training target."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.paths.base import expand
from oneleap.core.types import Conditioned, Draw, Field, rows


def droppable(field: Field) -> Conditioned:
    """``field``, as one whose conditions can be dropped.

    Raises:
        InputError: If it has none, or none that can be.
    """
    if not isinstance(field, Conditioned) or field.null is None:
        raise InputError(
            "guidance needs a model whose conditions can be dropped, and this one's cannot: "
            "leave guidance out, or give the model a null condition"
        )
    return field


def unconditional(field: Field, like: Float[Tensor, "b"]) -> Conditioned:
    """``field`` with the conditions of every row dropped.

    Raises:
        InputError: If they cannot be.
    """
    return droppable(field).drop(torch.ones_like(like, dtype=torch.bool))


def at(field: Field, w: Float[Tensor, "b"] | None) -> Field:
    """``field`` at guidance scales that are its input, or as it is if there are none.

    Raises:
        InputError: If the field is no network under conditions.
    """
    if w is None:
        return field
    if not isinstance(field, Conditioned):
        raise InputError("guidance as an input needs a network that takes the keyword 'guidance'")
    return field.at(w)


def guided_by(teacher: Field | None, w: Float[Tensor, "b"]) -> Field:
    """A teacher under classifier-free guidance of a scale per row; 2 network evaluations.

    Raises:
        InputError: If there is none, or its conditions cannot be dropped.
    """
    if not isinstance(teacher, Conditioned) or teacher.null is None:
        raise InputError("guidance as an input needs an unguided teacher with droppable conditions")
    null = unconditional(teacher, w)

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        base = null(z, r, t)
        return base + expand(w, z) * (teacher(z, r, t) - base)

    return field


@dataclass(frozen=True)
class Guided:
    """Classifier-free guidance, ``null + scale (cond - null)``, as a field of its own.

    With an ``interval``, guidance acts at some noise levels only (Kynkäänniemi et al. 2024, arXiv
    2404.07724): it takes variety near the noise and does little near the data. A leap over
    ``[r, t]`` goes by ``t``, where it starts.

    Cost: 2 network evaluations, outside the interval too, for nothing may depend on data here: it
    compiles and has a forward derivative (which the ends of the interval do not show in).

    Attributes:
        cond: The field under its condition.
        null: The field with the condition dropped.
        scale: 1 is no guidance.
        interval: Times ``t`` at which there is guidance, the ends included; ``sigma`` of the
            paper is ``t / (1 - t)``.
    """

    cond: Field
    null: Field
    scale: float
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Refuse an interval that is none."""
        if not 0 <= self.interval[0] <= self.interval[1] <= 1:
            raise InputError(f"interval is two times in order, in [0, 1], not {self.interval}")

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Guided velocity; 2 network evaluations."""
        cond, null = self.cond(z, r, t), self.null(z, r, t)
        low, high = self.interval
        inside = expand((low <= t) & (t <= high), z)
        return torch.where(inside, null + self.scale * (cond - null), cond)

    def rows(self, index: slice) -> "Guided":
        """The same field for a part of the batch."""
        return Guided(rows(self.cond, index), rows(self.null, index), self.scale, self.interval)


def guided(field: Field, scale: float, noise: Float[Tensor, "b *d"]) -> Field:
    """The field under classifier-free guidance; as it is, at the scale 1.

    Raises:
        InputError: If its conditions cannot be dropped.
    """
    if scale == 1:
        return field
    return Guided(field, unconditional(field, noise.new_ones(len(noise))), scale)


@dataclass(frozen=True)
class TargetGuidance:
    """The guided velocity of MeanFlow (arXiv 2505.13447), Sec. 4.2 and appendix.

    ``v~ = omega v + kappa u(z, t, t | c) + (1 - omega - kappa) u(z, t, t | null)``

    takes the place of the sample's ``v``, with both fields without gradient. It is its own mean
    where ``u(z, t, t | c)`` is guided at the scale ``omega / (1 - kappa)``: so a large scale comes
    without the large variance that ``omega`` would give ``v``. Rows whose condition is dropped
    train the unconditional field, on ``v``; so do all rows outside ``interval``.

    With ``scales``, the scale ``w`` is an input of the network (iMF, arXiv 2512.02012), drawn for
    each row, and ``kappa = 1 - omega / w``; for ``omega = 1`` that is
    ``v~ = v + (1 - 1/w) (u(z, t, t | c, w) - u(z, t, t | null, w))``.

    Cost: 2 forward passes, 1 if ``kappa`` is 0 and fixed.

    Traps: unless ``scales`` are given the scale is fixed by training, and guiding the samples
    again guides them twice. With ``drop`` at 0 nothing trains the unconditional field.

    Deviations from iMF: the interval is fixed, no input of the network; the unconditional field
    is asked at ``w``, not at 1 (it is trained to be the same at every ``w``).

    Attributes:
        omega: Share of the sample's own velocity.
        kappa: Share of the guided velocity that the network predicts.
        drop: Probability that a row's condition is dropped.
        interval: Times ``t`` at which there is guidance, the ends included.
        scales: Least and greatest scale, for a network that takes it as an input; log-uniform.
            iMF has (1, 8).
    """

    omega: float = 1.0
    kappa: float = 0.5
    drop: float = 0.1
    interval: tuple[float, float] = (0.0, 1.0)
    scales: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse what has no finite scale, and shares and ranges that are none."""
        if not (self.omega > 0 and 0 <= self.kappa < 1):
            raise InputError(
                f"guidance at the scale omega / (1 - kappa) takes omega above 0 and kappa in "
                f"[0, 1), not {self.omega} and {self.kappa}"
            )
        if not 0 <= self.drop < 1:
            raise InputError(f"drop is a share of rows in [0, 1), not {self.drop}")
        if not 0 <= self.interval[0] <= self.interval[1] <= 1:
            raise InputError(f"interval is two times in order, in [0, 1], not {self.interval}")
        if self.scales is not None and not 0 < self.scales[0] <= self.scales[1]:
            raise InputError(f"scales are two positive numbers in order, not {self.scales}")

    def draw(self, draw: Draw, generator: torch.Generator | None = None) -> Draw:
        """Add which rows are dropped, and their scales if the network takes them."""
        share = torch.rand(
            (2, len(draw.t)), generator=generator, dtype=draw.t.dtype, device=draw.t.device
        )
        w = None
        if self.scales is not None:
            low, high = (math.log(scale) for scale in self.scales)
            w = torch.exp(low + (high - low) * share[1])
        return replace(draw, dropped=share[0] < self.drop, w=w)

    def __call__(
        self, field: Field, z: Float[Tensor, "b *d"], v: Float[Tensor, "b *d"], draw: Draw
    ) -> tuple[Field, Float[Tensor, "b *d"]]:
        """The field that is to be trained on these rows, and its velocity ``v~`` at ``z_t``.

        Raises:
            InputError: If the field's conditions cannot be dropped, or the draw is another's.
        """
        if draw.dropped is None or (draw.w is None) != (self.scales is None):
            raise InputError("guidance needs the dropped rows and scales of its own draw()")
        given, t = droppable(field), draw.t
        given = given if draw.w is None else given.at(draw.w)
        kappa = torch.full_like(t, self.kappa) if draw.w is None else 1 - self.omega / draw.w
        kappa = expand(kappa, z)
        with torch.no_grad():
            guided = self.omega * v
            guided = guided + (1 - self.omega - kappa) * unconditional(given, t)(z, t, t)
            if self.kappa > 0 or self.scales is not None:
                guided = guided + kappa * given(z, t, t)
        low, high = self.interval
        plain = draw.dropped | (t < low) | (t > high)
        return given.drop(draw.dropped), torch.where(expand(plain, z), v, guided)
