"""Distance between two sets of samples."""

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.types import noise_like


def sliced_wasserstein(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "n d"],
    *,
    projections: int = 256,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Sliced 2-Wasserstein distance of two sets of equal size (Bonneel et al. 2015, Sec. 2).

    This is the root of the mean, over random directions, of the squared 2-Wasserstein distance of
    the projections, which sorting computes. It is in units of the data; a translation by ``c``
    costs ``|c| / sqrt(d)``. Two finite sets from one distribution are about ``n^(-1/2)`` apart, so
    report it next to the distance between two sets of data. Cost: ``projections`` sorts of ``n``
    numbers.

    Args:
        x: First set of samples, (n, d).
        y: Second set of samples, (n, d).
        projections: Number of random directions.
        generator: Source of the directions.

    Returns:
        Distance, a scalar.
    """
    directions = noise_like(x.new_empty(projections, x.shape[1]), generator)
    directions = torch.nn.functional.normalize(directions, dim=1)
    a, b = ((points @ directions.T).sort(dim=0).values for points in (x, y))
    return (a - b).square().mean().sqrt()
