"""Multilayer perceptrons for vectors: actions, states, toy data."""

import itertools
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import require_positive
from oneleap.core.nets.activation import Mish, mish
from oneleap.core.nets.embed import Context, TimeFeatures


@dataclass(frozen=True)
class AtFixedTimes:
    """An :class:`MLP` at one fixed interval; the arguments ``r`` and ``t`` are ignored.

    The weights are those of the network, except for the first layer, which is a copy.

    Attributes:
        first: Weight (width, dim + cond_dim) and bias of the first layer.
        layers: Weights and biases of the other layers.
        residual: Whether the state is added, as in :class:`oneleap.core.nets.residual.Residual`.
    """

    first: tuple[Tensor, Tensor]
    layers: tuple[tuple[Tensor, Tensor], ...]
    residual: bool = False

    def __call__(self, z: Tensor, r: Tensor, t: Tensor, *cond: Tensor) -> Tensor:
        """Mean velocity; for one row it takes half the time of a call of the network."""
        h = nn.functional.linear(torch.cat([z, *cond], dim=1), *self.first)
        for weight, bias in self.layers:
            h = nn.functional.linear(mish(h), weight, bias)
        return z + h if self.residual else h


class MLP(nn.Module):
    """A mean-velocity network for vectors: Mish layers over ``[z, times, condition]``.

    This is the policy network of Diffusion-QL and OFQL (arXiv 2508.13904, App. B), with features of
    ``t`` and ``t - r``.

    Hidden layers: ``layers.1``, ``layers.3`` ... (b, width).

    Args:
        dim: Size of the data.
        cond_dim: Total size of the conditions; 0 for none.
        width: Units per hidden layer.
        depth: Number of hidden layers.
        time_dim: Number of features of each of the two times.
    """

    def __init__(
        self, dim: int, cond_dim: int = 0, width: int = 256, depth: int = 3, time_dim: int = 64
    ) -> None:
        super().__init__()
        require_positive(width=width, depth=depth)
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
        """Mean velocity of ``z`` over ``[r, t]``.

        Args:
            z: States ``z_t``, (b, dim).
            r: Target times, (b,).
            t: Current times, (b,).
            *cond: Conditions, (b, _) each.

        Returns:
            Mean velocities, (b, dim), in the dtype of ``z``.
        """
        u: Tensor = self.layers(torch.cat([z, self.times(r, t), *cond], dim=1))
        return u.to(z.dtype)

    @torch.no_grad()
    def at_times(self, r: float, t: float) -> AtFixedTimes:
        """Return the network at one interval; the time features become part of the first bias."""
        first, *rest = (m for m in self.layers if isinstance(m, nn.Linear))
        parts = [self.dim, 2 * self.time_dim, self.cond_dim]
        weight, times, cond = first.weight.split_with_sizes(parts, dim=1)
        features = self.times(weight.new_tensor([r]), weight.new_tensor([t]))[0]
        folded = torch.cat([weight, cond], dim=1), first.bias + times @ features
        return AtFixedTimes(folded, tuple((m.weight, m.bias) for m in rest))

    @torch.no_grad()
    def zero_interval_embedding(self) -> None:
        """See :func:`oneleap.core.nets.embed.zero_interval_embedding`.

        At ``r = t`` the sines of the interval are 0 and its cosines are 1. The weights of the
        cosines become part of the bias.
        """
        weight, bias, *_ = self.layers.parameters()
        sines = slice(self.dim + self.time_dim // 2, self.dim + self.time_dim)
        cosines = slice(sines.start + self.time_dim, sines.stop + self.time_dim)
        bias.add_(weight[:, cosines].sum(1))
        weight[:, sines] = 0
        weight[:, cosines] = 0


class ResidualBlock(nn.Module):
    """``x + linear(mish(linear(mish(x))))``.

    Args:
        width: Number of units.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b c"]) -> Float[Tensor, "b c"]:
        """Apply the block."""
        y: Tensor = x + self.second(mish(self.first(mish(x))))
        return y


class ResidualMLP(nn.Module):
    """A mean-velocity network for vectors with residual blocks: the head of DPPO and DM1.

    Its input is ``[z, times, condition]``, with a learned embedding of the times. DM1's three
    layers of 768 (arXiv 2510.07865, ``mlp_dims: [768, 768, 768]``) are a first layer and one block
    of two layers.

    ``ResidualMLP(28, cond_dim=137)`` has 1.4 M weights.

    Hidden layers: ``inward``, ``blocks.0`` ... (b, width).

    Args:
        dim: Size of the data.
        cond_dim: Total size of the conditions; 0 for none.
        width: Units per hidden layer.
        depth: Number of residual blocks, of two layers each.
        embed_dim: Size of the embedding of the two times.
        guided: Whether the network takes a guidance scale per row,
            ``net(z, r, t, *cond, guidance=w)``.
        time_dim: Number of features of each of the two times.
    """

    def __init__(
        self,
        dim: int,
        cond_dim: int = 0,
        width: int = 768,
        depth: int = 1,
        embed_dim: int = 32,
        guided: bool = False,
        time_dim: int = 64,
    ) -> None:
        super().__init__()
        self.dim, self.cond_dim, self.width, self.depth = dim, cond_dim, width, depth
        self.embed_dim, self.guided, self.time_dim = embed_dim, guided, time_dim
        self.context = Context(embed_dim, guided=guided, time_dim=time_dim)
        self.inward = nn.Linear(dim + embed_dim + cond_dim, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(depth))
        self.outward = nn.Linear(width, dim)

    def forward(
        self,
        z: Float[Tensor, "b dim"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        *cond: Float[Tensor, "b _"],
        guidance: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b dim"]:
        """Mean velocity of ``z`` over ``[r, t]``.

        Args:
            z: States ``z_t``, (b, dim).
            r: Target times, (b,).
            t: Current times, (b,).
            *cond: Conditions, (b, _) each.
            guidance: Guidance scales, (b,).

        Returns:
            Mean velocities, (b, dim), in the dtype of ``z``.
        """
        context = self.context(r, t, guidance=guidance)
        x: Tensor = self.inward(torch.cat([z, context, *cond], dim=1).to(z.dtype))
        for block in self.blocks:
            x = block(x)
        u: Tensor = self.outward(x)
        return u.to(z.dtype)
