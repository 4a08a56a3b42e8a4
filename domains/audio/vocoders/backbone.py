"""The network at frame rate that Vocos and NSF share."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.nets.depthwise import DepthwiseConv
from oneleap.domains.audio.mel import Mel


class ConvNeXtBlock(nn.Module):
    """Residual block: depthwise convolution, layer norm, two pointwise layers, learned scale.

    Args:
        width: Channels.
        hidden: Channels between the pointwise layers.
        scale: Initial scale of the residual branch.
    """

    def __init__(self, width: int, hidden: int, scale: float) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(width, 7)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.gain = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """Apply the block."""
        h = self.norm(self.depthwise(x))
        y: Tensor = x + self.gain * self.narrow(nn.functional.gelu(self.widen(h)))
        return y


class FrameBackbone(nn.Module):
    """Convolution, ConvNeXt blocks and a linear layer, all at frame rate.

    Args:
        spec: Spectrogram format.
        width: Channels.
        hidden: Channels between the pointwise layers of a block.
        depth: Number of blocks.
        inputs: Input channels.
        outputs: Output channels.

    Raises:
        InputError: The format has ``center`` set, so frames do not cover whole hops.
    """

    LARGEST = 100.0
    """Largest magnitude of a spectrum or filter; larger values are clamped."""

    def __init__(
        self, spec: Mel, width: int, hidden: int, depth: int, *, inputs: int, outputs: int
    ) -> None:
        super().__init__()
        if spec.center:
            raise InputError("this vocoder needs spectrograms with mel.center false")
        self.spec, self.width, self.hidden, self.depth = spec, width, hidden, depth
        self.inward = nn.Conv1d(inputs, width, 7, padding=3)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.blocks = nn.ModuleList(ConvNeXtBlock(width, hidden, 1 / depth) for _ in range(depth))
        self.last = nn.LayerNorm(width, eps=1e-6)
        self.outward = nn.Linear(width, outputs)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def frame_outputs(
        self, x: Float[Tensor, "b c n"], keep: Tensor | None = None
    ) -> Float[Tensor, "b n outputs"]:
        """Outputs of each frame; ``keep`` (b, n, 1) is False at padded frames."""
        x = self.norm(self.inward(x).mT)
        for block in self.blocks:
            x = block(x if keep is None else x.masked_fill(~keep, 0.0))
        outputs: Tensor = self.outward(self.last(x))
        return outputs
