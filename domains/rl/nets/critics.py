"""Networks of offline reinforcement learning that are no policy."""

import itertools
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from oneleap.core.errors import InputError
from oneleap.core.nets.activation import mish

BANDWIDTH = 0.5
"""Standard deviation of a random frequency, in periods per standard deviation of an observation."""


class Critic(nn.Module):
    """An ensemble of Q functions, each layer of all members one batched product.

    Each member is the critic of Diffusion-QL: Mish layers over ``[obs, act]``, no normalisation.

    Args:
        obs_dim: Size of an observation.
        act_dim: Size of an action.
        width: Units per hidden layer.
        depth: Hidden layers.
        members: Size of the ensemble.
        layer_norm: Normalise each hidden layer before its activation (no learnt scale), which
            keeps values of actions outside the data from running away (Ball et al. 2023,
            arXiv 2302.02948).
        frequencies: Random Fourier features of the observation beside it, drawn once (Tancik et
            al. 2020, arXiv 2006.10739): as many sines and cosines. A plain network is too smooth
            for a value that jumps, as from one side of a maze's wall to the other.

    Raises:
        InputError: If ``frequencies`` is negative.
    """

    bands: Tensor | None

    def __init__(
        self,
        obs_dim: int,
        act_dim: int,
        width: int = 256,
        depth: int = 3,
        members: int = 2,
        layer_norm: bool = False,
        frequencies: int = 0,
    ) -> None:
        super().__init__()
        if frequencies < 0:
            raise InputError(f"frequencies: {frequencies} is negative")
        self.obs_dim, self.act_dim = obs_dim, act_dim
        self.width, self.depth, self.members = width, depth, members
        self.layer_norm = layer_norm
        bands = 2 * math.pi * BANDWIDTH * torch.randn(obs_dim, frequencies) if frequencies else None
        self.register_buffer("bands", bands)
        sizes = [obs_dim + 2 * frequencies + act_dim] + [width] * depth + [1]
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
        if self.bands is not None:
            phase = obs @ self.bands
            obs = torch.cat([obs, phase.sin(), phase.cos()], dim=1)
        h = torch.cat([obs, act], dim=1).expand(len(layers[0][0]), -1, -1)
        for weight, bias in layers[:-1]:
            h = torch.bmm(h, weight) + bias  # a sum that fuses with mish; baddbmm's does not
            h = mish(layer_norm(h, (self.width,)) if self.layer_norm else h)
        weight, bias = layers[-1]
        # A product with one column is slower than a sum over rows.
        q: Tensor = (h * weight.transpose(1, 2)).sum(2) + bias.squeeze(2)
        return q


class StateValue(nn.Module):
    """Value of states: a :class:`Critic` of one member that sees no action.

    Args:
        obs_dim: Size of an observation.
        width: Units per hidden layer.
        depth: Hidden layers.
        layer_norm: See :class:`Critic`.
    """

    def __init__(
        self, obs_dim: int, width: int = 256, depth: int = 3, layer_norm: bool = False
    ) -> None:
        super().__init__()
        self.obs_dim, self.width, self.depth, self.layer_norm = obs_dim, width, depth, layer_norm
        self.critic = Critic(obs_dim, 0, width, depth, 1, layer_norm)

    def forward(self, obs: Float[Tensor, "b o"]) -> Float[Tensor, "b"]:
        """Value of each state."""
        v: Tensor = self.critic(obs, obs[:, :0])
        return v[0]


class ImplicitCritic(Critic):
    """The Q functions of :class:`Critic` and, beside them, a value of states.

    Args:
        obs_dim: Size of an observation.
        act_dim: Size of an action.
        width: Units per hidden layer.
        depth: Hidden layers.
        members: Number of Q functions.
        layer_norm: See :class:`Critic`.
    """

    def __init__(
        self,
        obs_dim: int,
        act_dim: int,
        width: int = 256,
        depth: int = 3,
        members: int = 2,
        layer_norm: bool = False,
    ) -> None:
        super().__init__(obs_dim, act_dim, width, depth, members, layer_norm)
        self.value = StateValue(obs_dim, width, depth, layer_norm)
