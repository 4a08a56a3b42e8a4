"""Shallow start: sampling from a coarse guess under some noise, instead of from noise alone.

At depth ``t0`` sampling starts from ``z = (1 - t0) guess + t0 e``, and only times up to ``t0`` are
needed. On ``[0, t0]`` the straight path from ``x`` to ``z_t0`` is a whole straight path with other
noise, ``e' = (1 - t0) x + t0 e``, in the time ``s = t / t0``: it has the same points,
``z_s = (1 - s) x + s e'``, and mean velocities ``t0`` times as large. So an objective or a sampler
that is handed ``e'`` as noise and ``t0 u(z, t0 r, t0 s)`` as field works unchanged.
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
    """Mix data and noise, ``(1 - t0) x + t0 e``; at depth 1 this is the noise itself.

    Args:
        x: Data, or a guess of them.
        e: Standard normal noise of the same shape.
        depth: Time ``t0`` on the linear path, in (0, 1].
    """
    return e if depth == 1 else (1 - depth) * x + depth * e


@dataclass(frozen=True)
class ScaledNet:
    """A network in the time ``s = t / depth``.

    Attributes:
        net: Network, called as ``net(z, r, t, *cond)``.
        depth: Time at which ``s`` is 1.
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
        noise: Standard normal noise.
        guess: Coarse guess of the data; needed at depths below 1.
        depth: Time ``t0`` to start from; 1 is noise alone.

    Returns:
        The field and the state to start from, both in the time ``s = t / t0``.

    Raises:
        InputError: If the depth is no time, or there is no guess to start from.
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
    """The first steps of a noise schedule: diffusion from step K on, as in DiffSinger.

    Attributes:
        schedule: The whole schedule.
        steps: K.
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
    """Prepare diffusion sampling from a step of the schedule.

    Args:
        schedule: Noise schedule of training.
        noise: Standard normal noise.
        guess: Coarse guess of the data; needed with ``start_step``.
        start_step: Step to start from; ``None`` starts from noise alone, at the last step.

    Returns:
        The state to start from, and the steps of the schedule that are left.

    Raises:
        InputError: If there is no such step, or no guess to start from.
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
