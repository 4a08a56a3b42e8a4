"""Sampling of two modalities that one field makes from each other (arXiv 2506.10634)."""

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.reversible import reversible
from oneleap.core.sampling.samplers import FlowMapSampler, Sampler
from oneleap.core.types import Field


def make(
    field: Field,
    c: Float[Tensor, "b k *d"],
    noise: Float[Tensor, "b n *d"],
    sampler: Sampler = FlowMapSampler(),  # noqa: B008  (frozen)
    generator: torch.Generator | None = None,
) -> Float[Tensor, "b n *d"]:
    """Make ``x`` from ``c``: the flow from ``(e, c)`` at ``t = 1`` to ``t = 0``.

    Args:
        field: Field that ``Symmetric`` trained.
        c: Second modality, (b, k, *d).
        noise: Noise in place of the first, (b, n, *d).
        sampler: Sampler; for a field of flow matching an ODE solver.
        generator: Source of the noise of stochastic samplers.

    Returns:
        First modality, (b, n, *d).
    """
    return sampler(field, torch.cat([noise, c], dim=1), generator)[:, : noise.shape[1]]


def read(
    field: Field,
    x: Float[Tensor, "b n *d"],
    noise: Float[Tensor, "b k *d"],
    sampler: Sampler = FlowMapSampler(),  # noqa: B008  (frozen)
    generator: torch.Generator | None = None,
) -> Float[Tensor, "b k *d"]:
    """Read ``c`` from ``x``: the flow from ``(x, e_c)`` at ``t = 0`` to ``t = 1``.

    Args:
        field: Field that ``Symmetric`` trained.
        x: First modality, (b, n, *d).
        noise: Noise in place of the second, (b, k, *d).
        sampler: Sampler; for a field of flow matching an ODE solver.
        generator: Source of the noise of stochastic samplers.

    Returns:
        Second modality, (b, k, *d).
    """
    back = torch.ones(len(x), dtype=torch.bool, device=x.device)
    start = torch.cat([x, noise], dim=1)
    return sampler(reversible(field, back), start, generator)[:, x.shape[1] :]
