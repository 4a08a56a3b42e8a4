"""Phonemes, or notes, in their surroundings: the FFT encoder of DiffSinger's production line."""

import math

from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.nets.attention import Rotation, SelfAttention, rotary_angles
from oneleap.core.nets.layers import keep


class FFTBlock(nn.Module):
    """Attention, then a convolution and a layer that narrows, each on a normed branch.

    Args:
        width: Channels.
        heads: Of attention.
        hidden: Channels after the convolution.
        kernel: Of the convolution, odd.
    """

    def __init__(self, width: int, heads: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.widen = nn.Conv1d(width, hidden, kernel, padding=kernel // 2)
        self.narrow = nn.Linear(hidden, width)

    def forward(
        self, x: Float[Tensor, "b l c"], rotation: Rotation, mask: Bool[Tensor, "b l 1"]
    ) -> Float[Tensor, "b l c"]:
        """One block; ``x`` is zero at padding, and so is the result."""
        x = keep(x + self.attention(self.before(x), rotation, mask.mT), mask)
        h = self.widen(keep(self.between(x), mask).mT).mT
        return keep(x + self.narrow(nn.functional.gelu(h)), mask)


class FFTEncoder(nn.Module):
    """Feed-forward transformer over phonemes with rotary positions (openvpi: 384, 4, 2, kernel 3).

    No dropout: a run's randomness is a function of its seed and step, and a distilled decoder
    sees its teacher's conditions.

    Args:
        width: Channels.
        depth: Blocks.
        heads: Of attention.
        hidden: Channels after a block's convolution.
        kernel: Of the convolutions, odd.
    """

    def __init__(self, width: int, depth: int, heads: int, hidden: int, kernel: int = 3) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.blocks = nn.ModuleList(FFTBlock(width, heads, hidden, kernel) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, x: Float[Tensor, "b l c"], mask: Bool[Tensor, "b l"]
    ) -> Float[Tensor, "b l c"]:
        """What is known of each place, zero at padding."""
        there = mask.unsqueeze(2)
        x = keep(x * math.sqrt(self.width), there)
        rotation = rotary_angles(x.shape[1], self.width // self.heads, x)
        for block in self.blocks:
            x = block(x, rotation, there)
        return keep(self.norm(x), there)
