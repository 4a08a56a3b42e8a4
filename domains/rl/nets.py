"""Networks of offline reinforcement learning that are no policy."""

import itertools
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from oneleap.core.nets.activation import mish


class Critic(nn.Module):
    """An ensemble of Q functions, each layer of all members one batched product.

    Each member is the critic of Diffusion-QL: Mish layers over ``[obs, act]``, no normalisation.

    Args:
        obs_dim: Size of an observation.
        act_dim: Size of an action.
        width: Units per hidden layer.
        depth: Hidden layers.
        members: Size of the ensemble.
    """

    def __init__(
        self, obs_dim: int, act_dim: int, width: int = 256, depth: int = 3, members: int = 2
    ) -> None:
        super().__init__()
        self.obs_dim, self.act_dim = obs_dim, act_dim
        self.width, self.depth, self.members = width, depth, members
        sizes = [obs_dim + act_dim] + [width] * depth + [1]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for fan_in, fan_out in itertools.pairwise(sizes):
            bound = 1 / math.sqrt(fan_in)
            weight = torch.empty(members, fan_in, fan_out).uniform_(-bound, bound)
            bias = torch.empty(members, 1, fan_out).uniform_(-bound, bound)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(bias))

    def forward(
        self,
        obs: Float[Tensor, "b o"],
        act: Float[Tensor, "b a"],
        members: Int[Tensor, "k"] | None = None,
    ) -> Float[Tensor, "k b"]:
        """Values of all members, or of the chosen ones."""
        layers = [
            (w, b) if members is None else (w.index_select(0, members), b.index_select(0, members))
            for w, b in zip(self.weights, self.biases, strict=True)
        ]
        h = torch.cat([obs, act], dim=1).expand(len(layers[0][0]), -1, -1)
        for weight, bias in layers[:-1]:
            h = mish(torch.bmm(h, weight) + bias)  # the sum fuses with mish; baddbmm's does not
        weight, bias = layers[-1]
        # A product with one column is slower than a sum over rows.
        q: Tensor = (h * weight.transpose(1, 2)).sum(2) + bias.squeeze(2)
        return q
