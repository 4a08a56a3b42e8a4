"""Critics: ensembles of Q functions, and value functions of states."""

import itertools
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from oneleap.core.errors import InputError
from oneleap.core.nets.activation import mish

BANDWIDTH = 0.5
"""Standard deviation of the random frequencies.

The unit is periods per standard deviation of an observation.
"""


class Critic(nn.Module):
    """An ensemble of Q functions; a layer of all members is one batched matrix product.

    Each member is the critic of Diffusion-QL: an MLP with Mish over ``[obs, act]``.

    Args:
        obs_dim: Size of an observation.
        act_dim: Size of an action.
        width: Units per hidden layer.
        depth: Number of hidden layers.
        members: Number of Q functions.
        layer_norm: Whether to normalize each hidden layer before its activation, without a learned
            scale. This keeps the values of actions outside the data from diverging (Ball et al.
            2023, arXiv 2302.02948).
        frequencies: Number of random Fourier features of the observation (Tancik et al. 2020,
            arXiv 2006.10739). They are drawn once, and their sines and cosines join the input. A
            plain network is too smooth for a value that jumps, for example from one side of a
            maze's wall to the other.

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
        """Evaluate the ensemble.

        Args:
            obs: Normalized observations.
            act: Actions on [-1, 1].
            members: Indices of the members to evaluate; by default all of them.

        Returns:
            Values, one row per member.
        """
        layers = [
            (w, b) if members is None else (w.index_select(0, members), b.index_select(0, members))
            for w, b in zip(self.weights, self.biases, strict=True)
        ]
        if self.bands is not None:
            phase = obs @ self.bands
            obs = torch.cat([obs, phase.sin(), phase.cos()], dim=1)
        h = torch.cat([obs, act], dim=1).expand(len(layers[0][0]), -1, -1)
        for weight, bias in layers[:-1]:
            h = torch.bmm(h, weight) + bias  # this sum fuses with mish, that of baddbmm does not
            h = mish(layer_norm(h, (self.width,)) if self.layer_norm else h)
        weight, bias = layers[-1]
        # A sum over rows is faster than a matrix product with one column.
        q: Tensor = (h * weight.transpose(1, 2)).sum(2) + bias.squeeze(2)
        return q


class StateValue(nn.Module):
    """Value function of states: a :class:`Critic` with one member and without actions.

    Args:
        obs_dim: Size of an observation.
        width: Units per hidden layer.
        depth: Number of hidden layers.
        layer_norm: See :class:`Critic`.
    """

    def __init__(
        self, obs_dim: int, width: int = 256, depth: int = 3, layer_norm: bool = False
    ) -> None:
        super().__init__()
        self.obs_dim, self.width, self.depth, self.layer_norm = obs_dim, width, depth, layer_norm
        self.critic = Critic(obs_dim, 0, width, depth, 1, layer_norm)

    def forward(self, obs: Float[Tensor, "b o"]) -> Float[Tensor, "b"]:
        """Values of normalized observations."""
        v: Tensor = self.critic(obs, obs[:, :0])
        return v[0]


class ImplicitCritic(Critic):
    """The Q functions of :class:`Critic`, and a value function of states.

    Args:
        obs_dim: Size of an observation.
        act_dim: Size of an action.
        width: Units per hidden layer.
        depth: Number of hidden layers.
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


class NoiseCritic(Critic):
    """The Q functions of :class:`Critic`, and as many of the noise that makes an action.

    Args:
        obs_dim: Size of an observation.
        act_dim: Size of an action, and of its noise.
        width: Units per hidden layer.
        depth: Number of hidden layers.
        members: Number of Q functions of each kind.
        layer_norm: See :class:`Critic`.
        frequencies: See :class:`Critic`.
    """

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
        sizes = obs_dim, act_dim, width, depth, members, layer_norm, frequencies
        super().__init__(*sizes)
        self.noise = Critic(*sizes)
