"""The non-causal WaveNet that denoises spectrograms in DiffWave, DiffSinger and CoMoSVC."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.nets.layers import apply_mask, zero_init
from oneleap.core.nets.sequence import SequenceNet


class Gate(nn.Module):
    """Dilated convolution plus condition, split into ``sigmoid(gate) tanh(filter)``.

    Args:
        width: Number of channels.
        sequence_dim: Channels of the condition per frame; 0 for none.
        dilation: Frames between the three taps.
    """

    def __init__(self, width: int, sequence_dim: int, dilation: int) -> None:
        super().__init__()
        self.width, self.sequence_dim, self.dilation = width, sequence_dim, dilation
        self.dilated = nn.Conv1d(width, 2 * width, 3, padding=dilation, dilation=dilation)
        self.condition = nn.Conv1d(sequence_dim, 2 * width, 1) if sequence_dim else None

    def forward(
        self,
        x: Float[Tensor, "b c n"],
        sequence: Float[Tensor, "b s n"] | None,
        mask: Bool[Tensor, "b 1 n"] | None,
    ) -> Float[Tensor, "b c n"]:
        """Compute the gated activation.

        Args:
            x: Frames, (b, c, n).
            sequence: Condition of each frame, (b, sequence_dim, n), or ``None``.
            mask: True where frames are real, (b, 1, n), or ``None``.

        Returns:
            Activations, zero at padding, (b, c, n).
        """
        h: Tensor = self.dilated(apply_mask(x, mask))
        if self.condition is not None:
            h = h + self.condition(sequence)
        gate, value = h.chunk(2, dim=1)
        return apply_mask(gate.sigmoid() * value.tanh(), mask)


class WaveNetBlock(nn.Module):
    """A gate, with its contributions to the residual stream and to the skip connection.

    Args:
        width: Number of channels.
        sequence_dim: Channels of the condition per frame; 0 for none.
        dilation: Frames between the three taps.
    """

    def __init__(self, width: int, sequence_dim: int, dilation: int) -> None:
        super().__init__()
        self.width, self.sequence_dim, self.dilation = width, sequence_dim, dilation
        self.step = nn.Linear(width, width)
        self.gate = Gate(width, sequence_dim, dilation)
        self.outward = nn.Conv1d(width, 2 * width, 1)

    def forward(
        self,
        x: Float[Tensor, "b c n"],
        context: Float[Tensor, "b c"],
        sequence: Float[Tensor, "b s n"] | None,
        mask: Bool[Tensor, "b 1 n"] | None,
    ) -> tuple[Float[Tensor, "b c n"], Float[Tensor, "b c n"]]:
        """Apply the block.

        Args:
            x: Residual stream, (b, c, n).
            context: Context of each sample, (b, c).
            sequence: Condition of each frame, (b, sequence_dim, n), or ``None``.
            mask: True where frames are real, (b, 1, n), or ``None``.

        Returns:
            The next residual stream, and the skip connection, each (b, c, n).
        """
        h = self.gate(x + self.step(context).unsqueeze(2), sequence, mask)
        residual, skip = self.outward(h).chunk(2, dim=1)
        return (x + residual) * 0.5**0.5, skip


class WaveNet(SequenceNet):
    """DiffSinger's denoiser (arXiv 2105.02446, ``usr/diff/net.py``) with two times.

    Every block receives the condition of each frame. Convolutions start Kaiming-normal and the
    output layer at zero, so a fresh network is 0 everywhere. The receptive field is
    ``sum(dilations)`` frames on either side, 75 by default.

    ``WaveNet(80, sequence_dim=256)`` has 15 M weights.

    Hidden layers: ``blocks.0.gate`` ... (b, width, n).

    Args:
        dim: Channels of the data.
        sequence_dim: Channels of the condition per frame; 0 for none.
        cond_dim: Size of the condition vector; 0 for none.
        width: Channels of the hidden layers.
        depth: Number of blocks.
        dilation_cycle: Number of blocks over which dilations grow as 1, 2, 4 ... before they start
            again.
        guided: Whether the network takes a guidance scale per row, ``guidance=w``.
        time_dim: Number of features of each of the two times.
    """

    def __init__(
        self,
        dim: int,
        sequence_dim: int = 0,
        cond_dim: int = 0,
        width: int = 256,
        depth: int = 20,
        dilation_cycle: int = 4,
        guided: bool = False,
        time_dim: int = 64,
    ) -> None:
        super().__init__(dim, sequence_dim, cond_dim, width, guided, time_dim)
        self.width, self.depth, self.dilation_cycle = width, depth, dilation_cycle
        self.inward = nn.Conv1d(dim, width, 1)
        self.blocks = nn.ModuleList(
            WaveNetBlock(width, sequence_dim, 2 ** (k % dilation_cycle)) for k in range(depth)
        )
        self.mix = nn.Conv1d(width, width, 1)
        self.outward = nn.Conv1d(width, dim, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d):
                nn.init.kaiming_normal_(layer.weight)
        zero_init(self.outward)

    def velocity(
        self,
        z: Float[Tensor, "b c n"],
        context: Float[Tensor, "b g"],
        sequence: Float[Tensor, "b s n"] | None,
        mask: Bool[Tensor, "b 1 n"] | None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`SequenceNet`."""
        x = torch.relu(self.inward(z))
        total = torch.zeros_like(x)
        for block in self.blocks:
            x, skip = block(x, context, sequence, mask)
            total = total + skip
        u: Tensor = self.outward(torch.relu(self.mix(total * self.depth**-0.5)))
        return u
