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
    along = directions(x, projections, generator)
    return (projected(x, along) - projected(y, along)).square().mean().sqrt()


def directions(
    like: Float[Tensor, "n d"], projections: int, generator: torch.Generator | None = None
) -> Float[Tensor, "p d"]:
    """Draw directions, uniform on the sphere.

    Args:
        like: Points whose dimension, dtype and device the directions have.
        projections: Number of directions.
        generator: Source of randomness.
    """
    drawn = noise_like(like.new_empty(projections, like.shape[1]), generator)
    return torch.nn.functional.normalize(drawn, dim=1)


def projected(points: Float[Tensor, "n d"], along: Float[Tensor, "p d"]) -> Float[Tensor, "p n"]:
    """Project points on directions, and sort each projection; rows sort fastest.

    Args:
        points: Points, (n, d).
        along: Directions, (p, d).
    """
    return (along @ points.T).sort(dim=1).values
