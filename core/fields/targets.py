"""The velocity that an objective regresses: of the sample, or of a frozen teacher."""

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import GuidedField, TargetGuidance, unconditional
from oneleap.core.paths.base import LinearPath
from oneleap.core.types import Draw, Field, TrainingBatch, rows


def boundary_velocity(
    batch: TrainingBatch,
    draw: Draw,
    z: Float[Tensor, "b *d"],
    part: slice,
    guidance: float | None,
    method: str,
) -> Float[Tensor, "n *d"]:
    """Velocity at ``r = t`` of some rows, without gradient.

    It is the teacher's ``u(z, t, t)``, guided if a scale is given, or else the sample's ``e - x``.
    Cost: 1 pass of the teacher, 2 with guidance.

    Args:
        batch: Batch, with the teacher if there is one.
        draw: Noise and times.
        z: States ``z_t``, (b, *d).
        part: Rows.
        guidance: Guidance scale of the teacher; ``None`` leaves it unchanged.
        method: Name of the objective, for the error message.

    Returns:
        Velocities of these rows.

    Raises:
        InputError: If there is a scale but no teacher, or its conditions cannot be dropped.
    """
    if batch.teacher is None:
        if guidance is not None:
            raise InputError(
                f"guidance of {method} guides the teacher, and none was given: "
                "set the model's teacher, or remove guidance"
            )
        return LinearPath().velocity(batch.x[part], draw.e[part])
    teacher, t = rows(batch.teacher, part), draw.t[part]
    if guidance is not None:
        teacher = GuidedField(teacher, unconditional(teacher, t), guidance)
    with torch.no_grad():
        return teacher(z[part], t, t)


def trained_velocity(
    batch: TrainingBatch, draw: Draw, z: Float[Tensor, "b *d"], guidance: TargetGuidance | None
) -> tuple[Field, Float[Tensor, "b *d"]]:
    """Field that is trained on each row, and the velocity that it has at ``r = t``.

    The velocity is the teacher's ``u(z, t, t)`` if there is one, else the sample's ``e - x``. The
    teacher's does not scatter about its mean. Cost: 1 pass of the teacher, 2 with guidance.

    Args:
        batch: Batch, with the teacher if there is one.
        draw: Noise and times, and what ``guidance`` draws.
        z: States ``z_t``, (b, *d).
        guidance: Guidance of the velocity; ``None`` for none.

    Returns:
        The field, with the conditions of dropped rows dropped, and the velocity, (b, *d).

    Raises:
        InputError: If conditions cannot be dropped, or the draw lacks dropped rows and scales.
    """
    if batch.teacher is None:
        v = LinearPath().velocity(batch.x, draw.e)
        return (batch.field, v) if guidance is None else guidance(batch.field, z, v, draw)
    with torch.no_grad():
        if guidance is not None:
            return guidance.taught(batch.field, batch.teacher, z, draw)
        return batch.field, batch.teacher(z, draw.t, draw.t)
