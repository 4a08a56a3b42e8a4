"""Flow maps of a student and ODE solutions of a teacher."""

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import GuidedField, unconditional
from oneleap.core.paths.base import LinearPath, expand, jump
from oneleap.core.types import Draw, Field, TrainingBatch


def flow_map(
    field: Field, z: Float[Tensor, "b *d"], r: Float[Tensor, "b"], t: Float[Tensor, "b"]
) -> Float[Tensor, "b *d"]:
    """One step ``z_t -> z_r`` along the mean velocity: ``z - (t - r) u(z, r, t)``.

    This is CTM's ``G(z, t, r)``. Cost: 1 network evaluation.

    Args:
        field: Mean-velocity field ``u``.
        z: State ``z_t``, (b, *d).
        r: Target times, (b,).
        t: Current times, (b,).

    Returns:
        State ``z_r``, (b, *d).
    """
    return jump(z, field(z, r, t), r, t)


def consistency_function(
    field: Field, z: Float[Tensor, "b *d"], t: Float[Tensor, "b"]
) -> Float[Tensor, "b *d"]:
    """Consistency function ``f(z, t) = z - t u(z, 0, t)``; ``f(z, 0) = z`` by construction.

    Cost: 1 network evaluation.

    Args:
        field: Mean-velocity field ``u``.
        z: State ``z_t``, (b, *d).
        t: Current times, (b,).

    Returns:
        Data, (b, *d).
    """
    return flow_map(field, z, torch.zeros_like(t), t)


def integrate_teacher(
    teacher: Field,
    z: Float[Tensor, "b *d"],
    r: Float[Tensor, "b"],
    t: Float[Tensor, "b"],
    *,
    steps: int = 1,
    heun: bool = True,
) -> Float[Tensor, "b *d"]:
    """Solve a teacher's ODE from ``z_t`` to ``z_r``, with velocity ``u(z, t, t)``.

    Euler's step equals that of DDIM, and that of EDM in ``sigma``, because holding the posterior
    means of data and noise fixed gives the same point under any Gaussian path. Heun's step averages
    the slopes in ``t``, not in ``sigma``; it has the same order and is finite at both ends. As in
    EDM's Algorithm 1, the slope at ``t = 0`` is not used, since a teacher from elsewhere may be
    undefined there. Cost: ``steps`` network evaluations, ``2 steps`` with Heun.

    Args:
        teacher: Field whose instantaneous velocity is integrated.
        z: State ``z_t``, (b, *d).
        r: Target times, (b,).
        t: Current times, (b,).
        steps: Number of steps, of equal length within each row.
        heun: Whether to take Heun's steps instead of Euler's.

    Returns:
        State ``z_r``, (b, *d).
    """
    span = r - t
    for k in range(steps):
        start = t + span * (k / steps)
        end = t + span * ((k + 1) / steps) if k + 1 < steps else r
        slope = teacher(z, start, start)
        if heun:
            end_slope = teacher(jump(z, slope, end, start), end, end)
            slope = torch.where(expand(end > 0, z), (slope + end_slope) / 2, slope)
        z = jump(z, slope, end, start)
    return z


@torch.no_grad()
def teacher_pairs(
    teacher: Field, noise: Float[Tensor, "b *d"], *, steps: int, heun: bool = True
) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
    """Pairs of noise ``e`` and the data ``ODE(e)`` that a teacher generates, without gradient.

    Pairs can be made once and stored. Any objective then distills the teacher from them as if they
    were data: use the noise in its draw and the data in its batch. Cost: ``steps`` network
    evaluations, ``2 steps`` with Heun.

    Args:
        teacher: Field whose instantaneous velocity is integrated.
        noise: Noise ``e``, the state at ``t = 1``, (b, *d).
        steps: Number of steps of equal length from noise to data.
        heun: Whether to take Heun's steps instead of Euler's.

    Returns:
        The noise and the generated data, each (b, *d).
    """
    zero, one = noise.new_zeros(len(noise)), noise.new_ones(len(noise))
    return noise, integrate_teacher(teacher, noise, zero, one, steps=steps, heun=heun)


def intermediate_times(draw: Draw, method: str) -> Float[Tensor, "b"]:
    """Return the intermediate times ``s`` of a draw.

    Raises:
        InputError: If the draw comes from an objective without intermediate times.
    """
    if draw.s is None:
        raise InputError(f"{method} needs the intermediate times s of its own draw()")
    return draw.s


def require_teacher(
    batch: TrainingBatch, method: str, instead: str, guidance: float | None = None
) -> Field:
    """Return the teacher of a batch, guided if a scale is given.

    Args:
        batch: Batch with the teacher.
        method: Name of the objective, for the error message.
        instead: Name of an objective that needs no teacher, for the error message.
        guidance: Guidance scale; ``None`` returns the teacher unchanged.

    Raises:
        InputError: If there is no teacher, or its conditions cannot be dropped.
    """
    if batch.teacher is None:
        raise InputError(
            f"{method} distills a teacher, and none was given: set the model's teacher, "
            f"or train from data with {instead}"
        )
    if guidance is None:
        return batch.teacher
    null = unconditional(batch.teacher, batch.x.new_ones(len(batch.x)))
    return GuidedField(batch.teacher, null, guidance)


def consistency_pair(
    batch: TrainingBatch, draw: Draw, s: Float[Tensor, "b"], source: Field
) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
    """Consistency functions at two times on the path between the same data and noise.

    Cost: 1 forward and backward pass, and 1 forward pass.

    Args:
        batch: Batch whose field is trained.
        draw: Noise and times ``t``.
        s: Earlier times, (b,).
        source: Field that is evaluated at ``s`` without gradient.

    Returns:
        ``f(z_t, t)`` of the trained field, and ``f(z_s, s)`` of ``source`` without gradient.
    """
    path = LinearPath()
    with torch.no_grad():
        target = consistency_function(source, path.point(batch.x, draw.e, s), s)
    return consistency_function(batch.field, path.point(batch.x, draw.e, draw.t), draw.t), target
