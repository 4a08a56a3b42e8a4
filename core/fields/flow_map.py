"""Along one trajectory: the leaps of a student, the small steps of a teacher."""

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import Guided, unconditional
from oneleap.core.paths.base import LinearPath, jump
from oneleap.core.types import Draw, Field, TrainingBatch


def flow_map(
    field: Field, z: Float[Tensor, "b *d"], r: Float[Tensor, "b"], t: Float[Tensor, "b"]
) -> Float[Tensor, "b *d"]:
    """``z_t -> z_r`` in one leap, ``z - (t - r) u(z, r, t)``; CTM's ``G(z, t, r)``."""
    return jump(z, field(z, r, t), r, t)


def consistency_function(
    field: Field, z: Float[Tensor, "b *d"], t: Float[Tensor, "b"]
) -> Float[Tensor, "b *d"]:
    """The consistency function ``f(z, t) = z - t u(z, 0, t)``; ``f(z, 0) = z`` by construction."""
    return flow_map(field, z, torch.zeros_like(t), t)


def follow(
    teacher: Field,
    z: Float[Tensor, "b *d"],
    r: Float[Tensor, "b"],
    t: Float[Tensor, "b"],
    *,
    steps: int = 1,
    heun: bool = True,
) -> Float[Tensor, "b *d"]:
    """``z_t -> z_r`` along a teacher's velocity ``u(z, t, t)``, ``steps`` equal steps a row.

    Euler's step is that of DDIM, and of EDM in ``sigma``: holding the means of data and noise
    fixed gives the same point under any Gaussian path. Heun's averages the slopes in ``t``, not
    in ``sigma``: as accurate, and finite at both ends. As in EDM's Algorithm 1 what the teacher
    says at ``t = 0``, where one from elsewhere may be undefined, does not count.
    Cost: ``steps`` network evaluations, ``2 steps`` with Heun.
    """
    span = r - t
    for k in range(steps):
        now, then = t + span * (k / steps), (t + span * ((k + 1) / steps) if k + 1 < steps else r)
        slope = teacher(z, now, now)
        if heun:
            late = teacher(jump(z, slope, then, now), then, then)
            asked = (then > 0).reshape(-1, *([1] * (z.ndim - 1)))
            slope = torch.where(asked, (slope + late) / 2, slope)
        z = jump(z, slope, then, now)
    return z


@torch.no_grad()
def pairs(
    teacher: Field, noise: Float[Tensor, "b *d"], *, steps: int, heun: bool = True
) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
    """Noise ``e`` and the data ``ODE(e)`` that a teacher makes of it, without gradient.

    Make them once and keep them, and any objective distils the teacher from them as if they were
    data: put the noise into its draw, the data into its batch.
    Cost: ``steps`` network evaluations, ``2 steps`` with Heun.

    Args:
        teacher: Of whose velocity ``u(z, t, t)`` the ODE is.
        noise: ``e``, the state at ``t = 1``.
        steps: Of equal length, from noise to data.
        heun: Heun's steps, or else Euler's.
    """
    one = noise.new_ones(len(noise))
    return noise, follow(teacher, noise, torch.zeros_like(one), one, steps=steps, heun=heun)


def required_times(draw: Draw, method: str) -> Float[Tensor, "b"]:
    """The times ``s`` of a draw.

    Raises:
        InputError: If the draw has none, being another objective's.
    """
    if draw.s is None:
        raise InputError(f"{method} needs the times s of its own draw()")
    return draw.s


def require_teacher(
    bound: TrainingBatch, method: str, instead: str, guidance: float | None = None
) -> Field:
    """The teacher of a batch, guided if there is a scale to guide it at.

    Raises:
        InputError: If there is none, or its conditions cannot be dropped.
    """
    if bound.teacher is None:
        raise InputError(
            f"{method} distils a teacher and was given none: set the model's teacher, "
            f"or train from data alone with {instead}"
        )
    if guidance is None:
        return bound.teacher
    null = unconditional(bound.teacher, bound.x.new_ones(len(bound.x)))
    return Guided(bound.teacher, null, guidance)


def data_pair(
    bound: TrainingBatch, draw: Draw, s: Float[Tensor, "b"], source: Field
) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
    """``f(z_t, t)``, and ``f(z_s, s)`` of ``source`` without gradient, with the same noise.

    Cost: 1 forward and backward pass, 1 forward pass.
    """
    path = LinearPath()
    with torch.no_grad():
        target = consistency_function(source, path.point(bound.x, draw.e, s), s)
    return consistency_function(bound.field, path.point(bound.x, draw.e, draw.t), draw.t), target
