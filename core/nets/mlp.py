"""Multilayer perceptrons over flat vectors: actions, states, toy data."""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.nets.activation import Mish
from oneleap.core.nets.embed import TimeFeatures


class MLP(nn.Module):
    """A mean-velocity network for vectors: Mish layers over ``[z, times, condition]``.

    The policy network of Diffusion-QL and OFQL (arXiv 2508.13904, App. B) with features of
    ``t`` and ``t - r``.

    Args:
        dim: Size of the data.
        cond_dim: Size of the condition; 0 for none.
        width: Units per hidden layer.
        depth: Hidden layers.
        time_dim: Size of each set of time features.
    """

    def __init__(
        self, dim: int, cond_dim: int = 0, width: int = 256, depth: int = 3, time_dim: int = 64
    ) -> None:
        super().__init__()
        self.dim, self.cond_dim, self.width = dim, cond_dim, width
        self.depth, self.time_dim = depth, time_dim
        self.times = TimeFeatures(time_dim)
        sizes = [dim + 2 * time_dim + cond_dim] + [width] * depth
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out), Mish()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, dim))

    def forward(
        self,
        z: Float[Tensor, "b dim"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        *cond: Float[Tensor, "b _"],
    ) -> Float[Tensor, "b dim"]:
        """Mean velocity of ``z`` over ``[r, t]``."""
        u: Tensor = self.layers(torch.cat([z, self.times(r, t), *cond], dim=1))
        return u
