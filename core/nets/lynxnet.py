"""LYNXNet2, the backbone of openvpi's DiffSinger: wide depthwise convolutions, gated layers."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.nets.activation import mish
from oneleap.core.nets.depthwise import DepthwiseConv
from oneleap.core.nets.layers import apply_mask, zero_init
from oneleap.core.nets.sequence import SequenceNet


def atan_glu(x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n half"]:
    """Multiply half of the channels by the arc tangent of the other half."""
    value, gate = x.chunk(2, dim=-1)
    return value * torch.atan(gate)


class LYNXBlock(nn.Module):
    """Norm, depthwise convolution, two gated layers and a plain one, added to the input.

    Args:
        width: Number of channels.
        kernel: Size of the convolution in frames, odd.
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.width, self.kernel = width, kernel
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.depthwise = DepthwiseConv(width, kernel)
        self.first, self.second = nn.Linear(width, 2 * width), nn.Linear(width, 2 * width)
        self.last = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n 1"] | None
    ) -> Float[Tensor, "b n c"]:
        """Apply the block; ``x`` and the result are zero at padding."""
        h = self.depthwise(apply_mask(self.norm(x), mask))
        h = self.last(atan_glu(self.second(atan_glu(self.first(h)))))
        return apply_mask(x + h, mask)


class LYNXNet(SequenceNet):
    """LYNXNet2 (openvpi/DiffSinger, ``modules/backbones``) with two times.

    Data, condition of each frame and times are added once, at the input. A block sees
    ``kernel // 2`` frames on either side. The output layer starts at zero, so a fresh network is 0
    everywhere. openvpi uses ``width`` 1024 and ``depth`` 6 for spectrograms, 512 and 6 for pitch.

    Deviation: norms have no weights; the layers after them can represent the same functions. (torch
    cannot compile the forward derivative of a layer norm with weights.)

    ``LYNXNet(80, sequence_dim=256)`` has 2.2 M weights.

    Hidden layers: ``blocks.0`` ... (b, n, width).

    Args:
        dim: Channels of the data.
        sequence_dim: Channels of the condition per frame; 0 for none.
        cond_dim: Size of the condition vector; 0 for none.
        width: Channels of the hidden layers.
        depth: Number of blocks.
        kernel: Size of each convolution in frames, odd.
        guided: Whether the network takes a guidance scale per row, ``guidance=w``.
        time_dim: Number of features of each of the two times.
    """

    def __init__(
        self,
        dim: int,
        sequence_dim: int = 0,
        cond_dim: int = 0,
        width: int = 256,
        depth: int = 6,
        kernel: int = 31,
        guided: bool = False,
        time_dim: int = 64,
    ) -> None:
        super().__init__(dim, sequence_dim, cond_dim, width, guided, time_dim)
        self.width, self.depth, self.kernel = width, depth, kernel
        self.inward = nn.Linear(dim, width)
        self.condition = nn.Conv1d(sequence_dim, width, 1) if sequence_dim else None
        self.blocks = nn.ModuleList(LYNXBlock(width, kernel) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.outward = zero_init(nn.Linear(width, dim))

    def velocity(
        self,
        z: Float[Tensor, "b c n"],
        context: Float[Tensor, "b g"],
        sequence: Float[Tensor, "b s n"] | None,
        mask: Bool[Tensor, "b 1 n"] | None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`SequenceNet`."""
        real = None if mask is None else mask.mT
        h = self.inward(rearrange(z, "b c n -> b n c")) + mish(context).unsqueeze(1)
        if self.condition is not None:
            h = h + rearrange(self.condition(sequence), "b c n -> b n c")
        h = apply_mask(h, real)
        for block in self.blocks:
            h = block(h, real)
        u: Tensor = self.outward(self.norm(h))
        return rearrange(u, "b n c -> b c n")
