"""ConvNeXt over sequences: local and cheap, for any length."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.nets.depthwise import DepthwiseConv
from oneleap.core.nets.layers import AdaNorm, apply_mask, zero_init
from oneleap.core.nets.sequence import SequenceNet, concat_sequence


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, modulated norm, two pointwise layers, scaled residual.

    Args:
        width: Number of channels.
        expansion: Hidden channels, as a multiple of ``width``.
        kernel: Size of the convolution in frames, odd.
        scale: Initial factor of the residual branch.
    """

    def __init__(self, width: int, expansion: int, kernel: int, scale: float) -> None:
        super().__init__()
        self.width, self.expansion, self.kernel, self.scale = width, expansion, kernel, scale
        self.depthwise = DepthwiseConv(width, kernel)
        self.norm = AdaNorm(width, width)
        self.widen = nn.Linear(width, expansion * width)
        self.narrow = nn.Linear(expansion * width, width)
        self.gain = nn.Parameter(torch.full((width,), scale))

    def forward(
        self,
        x: Float[Tensor, "b n c"],
        context: Float[Tensor, "b c"],
        mask: Bool[Tensor, "b 1 n"] | None,
    ) -> Float[Tensor, "b n c"]:
        """Apply the block.

        Args:
            x: Frames, zero at padding, (b, n, c).
            context: Context of each sample, (b, c).
            mask: True where frames are real, (b, 1, n), or ``None``.

        Returns:
            Frames, zero at padding, (b, n, c).
        """
        h = self.norm(self.depthwise(x), context)
        h = self.narrow(nn.functional.gelu(self.widen(h)))
        return apply_mask(x + self.gain * h, None if mask is None else mask.mT)


class ConvNeXt1d(SequenceNet):
    """The backbone of Vocos (arXiv 2306.00814), with adaptive norms for the times.

    A convolution over 7 frames is followed by ``depth`` blocks at the full frame rate. The
    condition of each frame is concatenated with the data. The receptive field is ``3 (depth + 1)``
    frames on either side. The output layer starts at zero, so a fresh network is 0 everywhere.

    ``ConvNeXt1d(80, sequence_dim=80)`` has 19 M weights (13.5 M of Vocos and 5 M for the times).

    Hidden layers: ``blocks.0`` ... (b, n, width).

    Args:
        dim: Channels of the data.
        sequence_dim: Channels of the condition per frame; 0 for none.
        cond_dim: Size of the condition vector; 0 for none.
        width: Channels of the hidden layers.
        depth: Number of blocks.
        expansion: Hidden channels of a block, as a multiple of ``width``.
        kernel: Size of each convolution in frames, odd.
        guided: Whether the network takes a guidance scale per row, ``guidance=w``.
        time_dim: Number of features of each of the two times.
    """

    def __init__(
        self,
        dim: int,
        sequence_dim: int = 0,
        cond_dim: int = 0,
        width: int = 512,
        depth: int = 8,
        expansion: int = 3,
        kernel: int = 7,
        guided: bool = False,
        time_dim: int = 64,
    ) -> None:
        super().__init__(dim, sequence_dim, cond_dim, width, guided, time_dim)
        self.width, self.depth, self.expansion, self.kernel = width, depth, expansion, kernel
        self.inward = nn.Conv1d(dim + sequence_dim, width, kernel, padding=kernel // 2)
        self.norm = AdaNorm(width, width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, expansion, kernel, 1 / depth) for _ in range(depth)
        )
        self.last = AdaNorm(width, width)
        self.outward = zero_init(nn.Linear(width, dim))

    def velocity(
        self,
        z: Float[Tensor, "b c n"],
        context: Float[Tensor, "b g"],
        sequence: Float[Tensor, "b s n"] | None,
        mask: Bool[Tensor, "b 1 n"] | None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`SequenceNet`."""
        context = nn.functional.silu(context)
        h = self.norm(
            rearrange(self.inward(concat_sequence(z, sequence)), "b c n -> b n c"), context
        )
        h = apply_mask(h, None if mask is None else mask.mT)
        for block in self.blocks:
            h = block(h, context, mask)
        u: Tensor = self.outward(self.last(h, context))
        return rearrange(u, "b n c -> b c n")
