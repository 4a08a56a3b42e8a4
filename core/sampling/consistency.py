"""Multistep sampling of consistency models: step to the data, add noise, and step again."""

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import consistency_function, flow_map
from oneleap.core.paths.base import LinearPath, expand
from oneleap.core.sampling.ode import StepCallback, time_grid
from oneleap.core.types import Field, noise_like


def consistency(
    field: Field,
    noise: Float[Tensor, "b *d"],
    *,
    steps: int = 1,
    times: Float[Tensor, "k"] | None = None,
    noises: Float[Tensor, "n b *d"] | None = None,
    generator: torch.Generator | None = None,
    callback: StepCallback | None = None,
) -> Float[Tensor, "b *d"]:
    """Multistep consistency sampling, Algorithm 1 of arXiv 2303.01469.

    It computes ``x = f(e, 1)``, then ``x = f((1 - t) x + t e', t)`` with fresh ``e'`` for each
    later time. With one step it equals ``sample``. Use it, not ``sample``, to take several steps
    with a field of which only ``u(z, 0, t)`` was trained. Cost: ``steps`` network evaluations.

    Args:
        field: Field trained by a consistency objective.
        noise: Noise ``e``, the state at ``t = 1``, (b, *d).
        steps: Number of steps, at equally spaced times. With 2, the second is at ``t = 1/2``, where
            ``sigma = 1``.
        times: Falling times of the steps, (k,), the first being 1; replaces ``steps``.
        noises: Fresh noise of each later step, (k - 1, b, *d); drawn by default.
        generator: Source of the fresh noise.
        callback: Called after each step with the number of steps done and the data.

    Returns:
        Data, (b, *d).
    """
    path = LinearPath()
    grid = time_grid(steps, noise)[:-1] if times is None else times.to(noise)
    x = noise
    for k, t in enumerate(grid.unsqueeze(1).expand(-1, len(noise))):
        z = noise if k == 0 else path.point(x, fresh_noise(noises, k - 1, x, generator), t)
        x = consistency_function(field, z, t)
        if callback is not None:
            callback(k + 1, x)
    return x


def gamma_sampling(
    field: Field,
    noise: Float[Tensor, "b *d"],
    *,
    steps: int = 1,
    gamma: float = 0.0,
    times: Float[Tensor, "k"] | None = None,
    noises: Float[Tensor, "n b *d"] | None = None,
    generator: torch.Generator | None = None,
    callback: StepCallback | None = None,
) -> Float[Tensor, "b *d"]:
    """CTM's gamma-sampling (arXiv 2310.02279, Sec. 5): step too far, then add the missing noise.

    To reach ``sigma'``, the flow map steps to ``sqrt(1 - gamma^2) sigma'``, and noise of
    ``gamma sigma'`` is added. ``gamma = 0`` is deterministic and equals ``sample``; optimized
    latents need it (DITTO-2). ``gamma = 1`` is :func:`consistency`. Cost: ``steps`` network
    evaluations.

    Args:
        field: Field trained for steps between any two times.
        noise: Noise ``e``, the state at ``t = 1``, (b, *d).
        steps: Number of steps, at equally spaced times.
        gamma: Share of fresh noise, in [0, 1].
        times: Falling times at which steps start, (k,), the first being 1; replaces ``steps``.
        noises: Noise added after each step but the last, (k - 1, b, *d); drawn by default.
        generator: Source of the fresh noise.
        callback: Called after each step with the number of steps done and the state.

    Returns:
        Data, (b, *d).

    Raises:
        InputError: If ``gamma`` is outside [0, 1].
    """
    if not 0 <= gamma <= 1:
        raise InputError(f"gamma must be in [0, 1], not {gamma}")
    grid = time_grid(steps, noise) if times is None else torch.cat([times, times.new_zeros(1)])
    grid = grid.to(noise).unsqueeze(1).expand(-1, len(noise))
    z = noise
    for k in range(len(grid) - 1):
        t, r = grid[k], grid[k + 1]
        sigma = r / (1 - r)  # variances of noise add up in these units
        low = (1 - gamma**2) ** 0.5 * sigma
        z = flow_map(field, z, low / (1 + low), t)
        if gamma > 0 and k + 2 < len(grid):
            e = fresh_noise(noises, k, z, generator)
            z = (z * expand(1 + low, z) + gamma * expand(sigma, z) * e) / expand(1 + sigma, z)
        if callback is not None:
            callback(k + 1, z)
    return z


def fresh_noise(
    noises: Float[Tensor, "n b *d"] | None,
    k: int,
    like: Float[Tensor, "b *d"],
    generator: torch.Generator | None,
) -> Float[Tensor, "b *d"]:
    """Return the ``k``-th of the given noises, or draw one.

    Args:
        noises: Given noises, (n, b, *d), or ``None`` to draw.
        k: Index of the noise.
        like: Tensor whose shape, dtype and device the noise has, (b, *d).
        generator: Source of randomness.

    Returns:
        Noise, (b, *d).
    """
    return noise_like(like, generator) if noises is None else noises[k]
