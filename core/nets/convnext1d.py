"""ConvNeXt over sequences: local, cheap, and of any length."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.nets.layers import AdaNorm, keep, zeroed
from oneleap.core.nets.sequence import SequenceNet, stacked


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, modulated norm, two pointwise layers, scaled residual.

    Args:
        width: Channels.
        expansion: Hidden channels, in widths.
        kernel: Frames, odd.
        scale: Initial factor of the branch.
    """

    def __init__(self, width: int, expansion: int, kernel: int, scale: float) -> None:
        super().__init__()
        self.width, self.expansion, self.kernel, self.scale = width, expansion, kernel, scale
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
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
        """One block; ``x`` is zero at padding, and so is the result."""
        h = rearrange(self.depthwise(rearrange(x, "b n c -> b c n")), "b c n -> b n c")
        h = self.narrow(nn.functional.gelu(self.widen(self.norm(h, context))))
        return keep(x + self.gain * h, None if mask is None else mask.mT)


class ConvNeXt1d(SequenceNet):
    """The backbone of Vocos (arXiv 2306.00814), told the times by adaptive layer norms.

    A convolution over 7 frames, then ``depth`` blocks at the full frame rate; per-frame
    conditions are stacked onto the data. It sees ``3 (depth + 1)`` frames to either side. The
    output layer starts at zero: a fresh network is 0 everywhere.

    ``ConvNeXt1d(80, sequence_dim=80)`` has 19 M weights (Vocos' 13.5 M, and 5 M for the times).

    Hidden layers: ``blocks.0`` ... (b, n, width).

    Args:
        dim: Channels of the data.
        sequence_dim: Channels of the condition per frame; 0 for none.
        cond_dim: Size of the condition vector; 0 for none.
        width: Channels inside.
        depth: Blocks.
        expansion: Hidden channels of a block, in widths.
        kernel: Frames of each convolution, odd.
        guided: Takes a guidance scale per row, ``guidance=w``.
        time_dim: Size of each set of time features.
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
        self.outward = zeroed(nn.Linear(width, dim))

    def velocity(
        self,
        z: Float[Tensor, "b c n"],
        context: Float[Tensor, "b g"],
        sequence: Float[Tensor, "b s n"] | None,
        mask: Bool[Tensor, "b 1 n"] | None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`SequenceNet`."""
        context = nn.functional.silu(context)
        h = self.norm(rearrange(self.inward(stacked(z, sequence)), "b c n -> b n c"), context)
        h = keep(h, None if mask is None else mask.mT)
        for block in self.blocks:
            h = block(h, context, mask)
        u: Tensor = self.outward(self.last(h, context))
        return rearrange(u, "b n c -> b c n")
