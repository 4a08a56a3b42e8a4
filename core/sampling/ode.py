"""Sampling along the mean velocity, and ODE solvers for the instantaneous velocity."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.paths.base import jump
from oneleap.core.types import Field

StepCallback = Callable[[int, Tensor], None]
"""Function that is called after each step with the number of steps done and the state."""


def time_grid(steps: int, like: Float[Tensor, "b *d"]) -> Float[Tensor, "k"]:
    """Return ``steps + 1`` equally spaced times from 1 (noise) down to 0 (data).

    Raises:
        InputError: If ``steps`` is not positive.
    """
    if steps < 1:
        raise InputError(f"sampling takes at least 1 step, not {steps}")
    return torch.linspace(1.0, 0.0, steps + 1, dtype=like.dtype, device=like.device)


def sample(
    field: Field,
    noise: Float[Tensor, "b *d"],
    *,
    steps: int = 1,
    times: Float[Tensor, "k"] | None = None,
    callback: StepCallback | None = None,
) -> Float[Tensor, "b *d"]:
    """Generate data in steps along the mean velocity, by default equal ones.

    One step is ``e - u(e, 0, 1)``. Differentiable with respect to the noise and the field. Cost:
    ``steps`` network evaluations.

    Args:
        field: Mean-velocity field.
        noise: Noise ``e``, the state at ``t = 1``, (b, *d).
        steps: Number of steps.
        times: Falling times at which steps start, (k,), the first being 1; replaces ``steps``.
        callback: Called after each step with the number of steps done and the state.

    Returns:
        Data, (b, *d).

    Raises:
        InputError: If ``steps`` is not positive.
    """
    if (
        steps == 1 and times is None and callback is None
    ):  # the same jump with fewer small operations
        zero, one = noise.new_zeros(len(noise)), noise.new_ones(len(noise))
        return noise - field(noise, zero, one)
    z = noise
    grid = time_grid(steps, noise) if times is None else torch.cat([times, times.new_zeros(1)])
    grid = grid.to(noise).unsqueeze(1).expand(-1, len(noise))
    for k in range(len(grid) - 1):
        t, r = grid[k], grid[k + 1]
        z = jump(z, field(z, r, t), r, t)
        if callback is not None:
            callback(k + 1, z)
    return z


def euler(
    field: Field,
    noise: Float[Tensor, "b *d"],
    *,
    steps: int,
    callback: StepCallback | None = None,
) -> Float[Tensor, "b *d"]:
    """Euler's method on the instantaneous velocity ``u(z, t, t)``, first order.

    Cost: ``steps`` network evaluations.

    Args:
        field: Field whose instantaneous velocity is integrated.
        noise: Noise ``e``, the state at ``t = 1``, (b, *d).
        steps: Number of equal steps.
        callback: Called after each step with the number of steps done and the state.

    Returns:
        Data, (b, *d).

    Raises:
        InputError: If ``steps`` is not positive.
    """
    return sample(lambda z, r, t: field(z, t, t), noise, steps=steps, callback=callback)


def heun(
    field: Field,
    noise: Float[Tensor, "b *d"],
    *,
    steps: int,
    callback: StepCallback | None = None,
) -> Float[Tensor, "b *d"]:
    """Heun's method on the instantaneous velocity ``u(z, t, t)``, second order.

    Cost: ``2 * steps`` network evaluations.

    Args:
        field: Field whose instantaneous velocity is integrated.
        noise: Noise ``e``, the state at ``t = 1``, (b, *d).
        steps: Number of equal steps.
        callback: Called after each step with the number of steps done and the state.

    Returns:
        Data, (b, *d).

    Raises:
        InputError: If ``steps`` is not positive.
    """

    def mean_slope(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        v = field(z, t, t)
        return (v + field(jump(z, v, r, t), r, r)) / 2

    return sample(mean_slope, noise, steps=steps, callback=callback)
