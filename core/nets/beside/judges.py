"""A pool of light judges on the features of one frozen network (NitroFusion, arXiv 2412.02030)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class JudgePool(nn.Module):
    """Heads of two layers, each a judge of its own at its band of noise levels.

    ``groups`` bands of equal width divide the times; ``heads`` heads judge each band. Features are
    projected onto ``features`` fixed cosines over their channels and normalized, so a head does not
    depend on the width of the network that it reads.

    Args:
        groups: Number of bands.
        heads: Number of heads of each band.
        features: Number of features that a head reads.
        width: Hidden channels of a head.
        seed: Seed of the initial weights.
    """

    def __init__(
        self, groups: int, heads: int, features: int = 64, width: int = 32, seed: int = 0
    ) -> None:
        super().__init__()
        self.groups, self.heads, self.features, self.width = groups, heads, features, width
        count = groups * heads
        self.inward = nn.Parameter(torch.empty(count, features, width))
        self.bias = nn.Parameter(torch.zeros(count, width))
        self.outward = nn.Parameter(torch.zeros(count, width))
        self.renew(torch.arange(count), torch.Generator().manual_seed(seed))

    def forward(self, h: Float[Tensor, "b n c"], head: Int[Tensor, "b"]) -> Float[Tensor, "b n"]:
        """Judge each frame by one head per row.

        Args:
            h: Features of frames, (b, n, c); a vector has one frame.
            head: Head of each row, (b,).

        Returns:
            Verdicts, (b, n); positive means data.
        """
        x = nn.functional.layer_norm(h @ cosines(h.shape[-1], self.features, h), (self.features,))
        hidden = nn.functional.silu(x @ self.inward[head] + self.bias[head].unsqueeze(1))
        return (hidden * self.outward[head].unsqueeze(1)).sum(-1)

    @torch.no_grad()
    def renew(self, index: Int[Tensor, "k"], generator: torch.Generator) -> None:
        """Draw new weights for some heads; the last layer starts at a tenth of its usual size.

        Args:
            index: Heads, (k,).
            generator: Source of the weights.
        """
        for weight, scale in (
            (self.inward, self.features**-0.5),
            (self.outward, 0.1 * self.width**-0.5),
        ):
            shape = (len(index), *weight.shape[1:])
            drawn = torch.randn(shape, generator=generator, device=generator.device)
            weight[index] = scale * drawn.to(weight)
        self.bias[index] = 0.0

    def due(self, share: float, generator: torch.Generator) -> Int[Tensor, "k"]:
        """Choose heads to renew, each with probability ``share``.

        Args:
            share: Probability of each head.
            generator: Source of the choice.

        Returns:
            Their indices, (k,).
        """
        count = len(self.bias)
        drawn = torch.rand(count, generator=generator, device=generator.device)
        return (drawn < share).nonzero().flatten()


def cosines(
    channels: int, features: int, like: Float[Tensor, "*d"]
) -> Float[Tensor, "channels features"]:
    """Fixed projection of channels onto cosines, ``cos(pi (i + 1/2) j / channels)`` normalized.

    Args:
        channels: Number of channels.
        features: Number of cosines.
        like: Tensor whose dtype and device the result has.

    Returns:
        Matrix, (channels, features).
    """
    i = torch.arange(channels, dtype=like.dtype, device=like.device)
    j = torch.arange(features, dtype=like.dtype, device=like.device)
    return torch.cos(math.pi * torch.outer(i + 0.5, j) / channels) / math.sqrt(channels)
