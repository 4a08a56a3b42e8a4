"""Shallow start: sampling from a noisy coarse guess instead of from noise alone.

At depth ``t0``, sampling starts from ``z = (1 - t0) guess + t0 e``, and only times up to ``t0`` are
needed. On ``[0, t0]``, the linear path from ``x`` to ``z_t0`` is itself a complete linear path with
the noise ``e' = (1 - t0) x + t0 e`` and the time ``s = t / t0``. It passes the same points,
``z_s = (1 - s) x + s e'``, and mean velocities that are ``t0`` times as large. An objective or a
sampler therefore works unchanged with ``e'`` as noise and ``t0 u(z, t0 r, t0 s)`` as field.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.paths.ddpm import DiscreteVPPath
from oneleap.core.types import Conditioned, Field


def blend(
    x: Float[Tensor, "b *d"], e: Float[Tensor, "b *d"], depth: float
) -> Float[Tensor, "b *d"]:
    """Mix data and noise, ``(1 - t0) x + t0 e``; at depth 1 return the noise.

    Args:
        x: Data, or a guess of them, (b, *d).
        e: Standard normal noise, (b, *d).
        depth: Time ``t0`` on the linear path, in (0, 1].

    Returns:
        State ``z_t0``, (b, *d).
    """
    return e if depth == 1 else (1 - depth) * x + depth * e


@dataclass(frozen=True)
class ScaledNet:
    """A network in the time ``s = t / depth``.

    Attributes:
        net: Network, called as ``net(z, r, t, *cond)``.
        depth: Time ``t0`` at which ``s`` is 1.
    """

    net: Any
    depth: float

    def __call__(self, z: Tensor, r: Tensor, s: Tensor, *cond: Tensor) -> Tensor:
        """Compute ``t0 u(z, t0 r, t0 s)``."""
        u: Tensor = self.net(z, self.depth * r, self.depth * s, *cond)
        return self.depth * u


def scaled(field: Conditioned, depth: float) -> Conditioned:
    """Return the field over ``[0, depth]`` as a field over [0, 1]."""
    return field if depth == 1 else Conditioned(ScaledNet(field.net, depth), field.cond, field.null)


def shallow_start(
    field: Field, noise: Float[Tensor, "b *d"], guess: Float[Tensor, "b *d"] | None, depth: float
) -> tuple[Field, Float[Tensor, "b *d"]]:
    """Prepare sampling from a depth.

    Args:
        field: Mean velocity over [0, 1].
        noise: Standard normal noise, (b, *d).
        guess: Coarse guess of the data, (b, *d); needed if ``depth`` is below 1.
        depth: Start time ``t0``; 1 starts from noise alone.

    Returns:
        The field and the initial state, both in the time ``s = t / t0``.

    Raises:
        InputError: If the depth is not in (0, 1], or a guess is needed and missing.
    """
    if not 0 < depth <= 1:
        raise InputError(f"depth: a time above 0, at most 1, not {depth}")
    if depth == 1:
        return field, noise
    if guess is None:
        raise InputError(f"depth: {depth} starts from a coarse guess, and this model makes none")
    if not isinstance(field, Conditioned):
        field = Conditioned(field)
    return scaled(field, depth), blend(guess, noise, depth)


@dataclass(frozen=True)
class FirstSteps(DiscreteVPPath):
    """The first steps of a noise schedule, for diffusion that starts at step K, as in DiffSinger.

    Attributes:
        schedule: The whole schedule.
        steps: Number of steps, K.
    """

    schedule: DiscreteVPPath
    steps: int

    def betas(self) -> NDArray[np.float64]:
        """See :meth:`DiscreteVPPath.betas`."""
        return self.schedule.betas()[: self.steps]


def shallow_diffusion(
    schedule: DiscreteVPPath,
    noise: Float[Tensor, "b *d"],
    guess: Float[Tensor, "b *d"] | None,
    start_step: int | None,
) -> tuple[Float[Tensor, "b *d"], DiscreteVPPath]:
    """Prepare diffusion sampling from an intermediate step of the schedule.

    Args:
        schedule: Noise schedule of training.
        noise: Standard normal noise, (b, *d).
        guess: Coarse guess of the data, (b, *d); needed with ``start_step``.
        start_step: Step to start from; ``None`` starts from noise alone, at the last step.

    Returns:
        The initial state, and the part of the schedule that is left.

    Raises:
        InputError: If the step is not in the schedule, or the guess is missing.
    """
    if start_step is None:
        return noise, schedule
    if not 1 <= start_step <= schedule.steps:
        raise InputError(f"start_step: a step from 1 to {schedule.steps}, not {start_step}")
    if guess is None:
        raise InputError(
            f"start_step: {start_step} starts from a coarse guess; this model has none"
        )
    first = FirstSteps(schedule, start_step)
    return first.point(guess, noise, noise.new_full((len(noise),), start_step)), first
