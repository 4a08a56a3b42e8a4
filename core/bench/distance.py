"""How far two sets of samples are apart."""

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
    """Sliced 2-Wasserstein distance of two equally large sets (Bonneel et al. 2015, Sec. 2).

    The root of the mean, over random directions, of the squared 2-Wasserstein distance of the
    projections, which sorting solves. In the units of the data; a translation by ``c`` costs
    ``|c| / sqrt(d)``. Two finite sets from one law are some ``n^(-1/2)`` apart, so quote it
    beside the distance of two sets of data. Cost: ``projections`` sorts of ``n`` numbers.

    Args:
        x: One set of samples.
        y: The other.
        projections: Random directions.
        generator: Of the directions.
    """
    directions = noise_like(x.new_empty(projections, x.shape[1]), generator)
    directions = torch.nn.functional.normalize(directions, dim=1)
    a, b = ((points @ directions.T).sort(dim=0).values for points in (x, y))
    return (a - b).square().mean().sqrt()
