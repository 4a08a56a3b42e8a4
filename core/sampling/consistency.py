"""Several steps of a consistency model: jump to the data, go back to some noise, jump again."""

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import consistency_function, flow_map
from oneleap.core.paths.base import LinearPath, expand
from oneleap.core.sampling.ode import Progress, time_grid
from oneleap.core.types import Field, noise_like


def consistency(
    field: Field,
    noise: Float[Tensor, "b *d"],
    *,
    steps: int = 1,
    times: Float[Tensor, "k"] | None = None,
    noises: Float[Tensor, "n b *d"] | None = None,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> Float[Tensor, "b *d"]:
    """Multistep consistency sampling, Algorithm 1 of arXiv 2303.01469.

    ``x = f(e, 1)``, then for each later time ``x = f((1 - t) x + t e', t)`` with fresh ``e'``.
    One step is ``sample``'s. For a field of which only ``u(z, 0, t)`` was trained this, not
    ``sample``, is how to take several. Cost: ``steps`` network evaluations.

    Args:
        field: Trained by a consistency objective.
        noise: ``e``, the state at ``t = 1``.
        steps: Number of jumps, at equally spaced times: with 2, ``t = 1/2`` is ``sigma = 1``.
        times: The times themselves instead, falling, the first one 1; ``steps`` is ignored.
        noises: Fresh noise of each later step, instead of drawn.
        generator: Of that noise.
        progress: Called after each jump with the number of jumps and the data.
    """
    path = LinearPath()
    grid = time_grid(steps, noise)[:-1] if times is None else times.to(noise)
    x = noise
    for k, t in enumerate(grid.unsqueeze(1).expand(-1, len(noise))):
        z = noise if k == 0 else path.point(x, fresh(noises, k - 1, x, generator), t)
        x = consistency_function(field, z, t)
        if progress is not None:
            progress(k + 1, x)
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
    progress: Progress | None = None,
) -> Float[Tensor, "b *d"]:
    """CTM's gamma-sampling (arXiv 2310.02279, Sec. 5): leap too far, add what noise is missing.

    To reach ``sigma'`` leap to ``sqrt(1 - gamma^2) sigma'`` and add noise of ``gamma sigma'``.
    ``gamma = 0`` is ``sample``, deterministic, as a latent that was optimised needs it (DITTO-2);
    ``gamma = 1`` is :func:`consistency`. Cost: ``steps`` network evaluations.

    Args:
        field: Trained for leaps between any two times.
        noise: ``e``, the state at ``t = 1``.
        steps: Number of leaps, at equally spaced times.
        gamma: From 0 to 1.
        times: The times to leap from instead, falling, the first one 1; ``steps`` is ignored.
        noises: Noise added after each leap but the last, instead of drawn.
        generator: Of that noise.
        progress: Called after each leap with the number of leaps and the state.

    Raises:
        InputError: If ``gamma`` is outside [0, 1].
    """
    if not 0 <= gamma <= 1:
        raise InputError(f"gamma is between 0 and 1, not {gamma}")
    grid = time_grid(steps, noise) if times is None else torch.cat([times, times.new_zeros(1)])
    grid = grid.to(noise).unsqueeze(1).expand(-1, len(noise))
    z = noise
    for k in range(len(grid) - 1):
        t, then = grid[k], grid[k + 1]
        sigma = then / (1 - then)  # the units in which noise adds up
        low = (1 - gamma**2) ** 0.5 * sigma
        z = flow_map(field, z, low / (1 + low), t)
        if gamma > 0 and k + 2 < len(grid):
            e = fresh(noises, k, z, generator)
            z = (z * expand(1 + low, z) + gamma * expand(sigma, z) * e) / expand(1 + sigma, z)
        if progress is not None:
            progress(k + 1, z)
    return z


def fresh(
    noises: Float[Tensor, "n b *d"] | None,
    k: int,
    like: Float[Tensor, "b *d"],
    generator: torch.Generator | None,
) -> Float[Tensor, "b *d"]:
    """The ``k``-th of the noises that were handed in, or a draw."""
    return noise_like(like, generator) if noises is None else noises[k]
