"""FFT encoder of openvpi/DiffSinger: a feed-forward transformer over phonemes or notes."""

import math

from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.nets.attention import Rotation, SelfAttention, rotary_angles
from oneleap.core.nets.layers import apply_mask


class FFTBlock(nn.Module):
    """Self-attention, then a convolution and a linear layer, each in a pre-norm residual branch.

    Args:
        width: Channels.
        heads: Attention heads.
        hidden: Channels after the convolution.
        kernel: Kernel size of the convolution, odd.
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
        """Apply the block.

        Args:
            x: Inputs, zero at padding.
            rotation: Rotary position embedding.
            mask: True at real places.

        Returns:
            Outputs, zero at padding.
        """
        x = apply_mask(x + self.attention(self.before(x), rotation, mask.mT), mask)
        h = self.widen(apply_mask(self.between(x), mask).mT).mT
        return apply_mask(x + self.narrow(nn.functional.gelu(h)), mask)


class FFTEncoder(nn.Module):
    """Feed-forward transformer with rotary positions (openvpi: 384 channels, 4 blocks, 2 heads).

    It has no dropout. The randomness of a run therefore is a function of seed and step, and a
    distilled decoder sees exactly the conditions of its teacher.

    Args:
        width: Channels.
        depth: Number of blocks.
        heads: Attention heads.
        hidden: Channels after the convolution of a block.
        kernel: Kernel size of the convolutions, odd.
    """

    def __init__(self, width: int, depth: int, heads: int, hidden: int, kernel: int = 3) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.blocks = nn.ModuleList(FFTBlock(width, heads, hidden, kernel) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, x: Float[Tensor, "b l c"], mask: Bool[Tensor, "b l"]
    ) -> Float[Tensor, "b l c"]:
        """Encoded sequence, zero at padding."""
        real = mask.unsqueeze(2)
        x = apply_mask(x * math.sqrt(self.width), real)
        rotation = rotary_angles(x.shape[1], self.width // self.heads, x)
        for block in self.blocks:
            x = block(x, rotation, real)
        return apply_mask(self.norm(x), real)
