"""Conditional U-Net over time: chunks of robot actions, and any smooth sequence."""

import itertools

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.nets.activation import mish
from oneleap.core.nets.layers import MaskedGroupNorm, apply_mask
from oneleap.core.nets.sequence import SequenceNet, concat_sequence

Mask = Bool[Tensor, "b 1 n"] | None


class ConvNorm(nn.Module):
    """Convolution, group norm, Mish.

    Args:
        fan_in: Input channels.
        fan_out: Output channels, a multiple of ``groups``.
        kernel: Size of the convolution in frames, odd.
        groups: Groups of the norm.
    """

    def __init__(self, fan_in: int, fan_out: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.fan_in, self.fan_out, self.kernel, self.groups = fan_in, fan_out, kernel, groups
        self.conv = nn.Conv1d(fan_in, fan_out, kernel, padding=kernel // 2)
        self.norm = MaskedGroupNorm(groups, fan_out)

    def forward(self, x: Float[Tensor, "b c n"], mask: Mask) -> Float[Tensor, "b d n"]:
        """Apply the layers; ``x`` is zero at padding, the result is not."""
        return mish(self.norm(self.conv(x), mask))


class FiLMBlock(nn.Module):
    """Two convolutions with a residual; the context scales and shifts between them (FiLM).

    Args:
        fan_in: Input channels.
        fan_out: Output channels.
        context_dim: Size of the context.
        kernel: Size of the convolutions in frames, odd.
        groups: Groups of the norms.
    """

    def __init__(
        self, fan_in: int, fan_out: int, context_dim: int, kernel: int, groups: int
    ) -> None:
        super().__init__()
        self.fan_in, self.fan_out, self.context_dim = fan_in, fan_out, context_dim
        self.kernel, self.groups = kernel, groups
        self.first = ConvNorm(fan_in, fan_out, kernel, groups)
        self.second = ConvNorm(fan_out, fan_out, kernel, groups)
        self.film = nn.Linear(context_dim, 2 * fan_out)
        self.residual = nn.Identity() if fan_in == fan_out else nn.Conv1d(fan_in, fan_out, 1)

    def forward(
        self, x: Float[Tensor, "b c n"], context: Float[Tensor, "b g"], mask: Mask
    ) -> Float[Tensor, "b d n"]:
        """Apply the block.

        Args:
            x: Frames, zero at padding, (b, fan_in, n).
            context: Context of each sample, (b, context_dim).
            mask: True where frames are real, (b, 1, n), or ``None``.

        Returns:
            Frames, zero at padding, (b, fan_out, n).
        """
        scale, shift = self.film(context).unsqueeze(2).chunk(2, dim=1)
        h = torch.addcmul(shift, self.first(x, mask), 1 + scale)
        return apply_mask(self.second(apply_mask(h, mask), mask) + self.residual(x), mask)


class Level(nn.ModuleList):
    """Two blocks at one frame rate.

    Args:
        fan_in: Input channels.
        fan_out: Output channels.
        context_dim: Size of the context.
        kernel: Size of the convolutions in frames, odd.
        groups: Groups of the norms.
    """

    def __init__(
        self, fan_in: int, fan_out: int, context_dim: int, kernel: int, groups: int
    ) -> None:
        sizes = ((fan_in, fan_out), (fan_out, fan_out))
        super().__init__(FiLMBlock(*io, context_dim, kernel, groups) for io in sizes)
        self.fan_in, self.fan_out, self.context_dim = fan_in, fan_out, context_dim
        self.kernel, self.groups = kernel, groups

    def forward(
        self, x: Float[Tensor, "b c n"], context: Float[Tensor, "b g"], mask: Mask
    ) -> Float[Tensor, "b d n"]:
        """Apply the blocks in order.

        Args:
            x: Frames, zero at padding, (b, fan_in, n).
            context: Context of each sample, (b, context_dim).
            mask: True where frames are real, (b, 1, n), or ``None``.

        Returns:
            Frames, zero at padding, (b, fan_out, n).
        """
        for block in self:
            x = block(x, context, mask)
        return x


class UNet1d(SequenceNet):
    """The U-Net of Diffusion Policy (arXiv 2303.04137): FiLM, group norm, kernel 5.

    Any length works: sequences are padded to a multiple of the strides, and the result is cropped.
    Differences from Diffusion Policy: times and condition are added instead of concatenated, FiLM
    scales by ``1 + s``, the condition of each frame is concatenated with the data, and the last
    layers also use the skip connection at the full frame rate.

    ``UNet1d(7, cond_dim=64)`` has 65 M weights; with ``widths=(128, 256, 512)`` it has 17 M.

    Hidden layers: ``down.0`` ..., ``mid``, ``up.0`` ..., and the two blocks of each level, for
    example ``mid.0`` and ``mid.1``; (b, width of the level, frames of the level).

    Args:
        dim: Channels of the data.
        sequence_dim: Channels of the condition per frame; 0 for none.
        cond_dim: Size of the condition vector; 0 for none.
        widths: Channels of each level; each level has half the frames of the level before it.
        context_dim: Size of the context vector.
        kernel: Size of each convolution in frames, odd.
        groups: Groups of the norms; they divide every width.
        guided: Whether the network takes a guidance scale per row, ``guidance=w``.
        time_dim: Number of features of each of the two times.

    Raises:
        InputError: If a width is not a multiple of ``groups``.
    """

    def __init__(
        self,
        dim: int,
        sequence_dim: int = 0,
        cond_dim: int = 0,
        widths: tuple[int, ...] = (256, 512, 1024),
        context_dim: int = 256,
        kernel: int = 5,
        groups: int = 8,
        guided: bool = False,
        time_dim: int = 64,
    ) -> None:
        super().__init__(dim, sequence_dim, cond_dim, context_dim, guided, time_dim)
        if any(width % groups for width in widths):
            raise InputError(f"widths {widths} must be multiples of groups {groups}")
        self.widths, self.kernel, self.groups = tuple(widths), kernel, groups
        shared = (context_dim, kernel, groups)
        steps = list(itertools.pairwise(widths))
        downward = [(dim + sequence_dim, widths[0]), *steps]
        self.down = nn.ModuleList(Level(a, b, *shared) for a, b in downward)
        self.mid = Level(widths[-1], widths[-1], *shared)
        self.up = nn.ModuleList(Level(2 * b, a, *shared) for a, b in reversed(steps))
        self.shrink = nn.ModuleList(nn.Conv1d(a, a, 3, 2, 1) for a, _ in steps)
        self.grow = nn.ModuleList(nn.ConvTranspose1d(a, a, 4, 2, 1) for a, _ in reversed(steps))
        self.last = ConvNorm(2 * widths[0], widths[0], kernel, groups)
        self.outward = nn.Conv1d(widths[0], dim, 1)

    def velocity(
        self,
        z: Float[Tensor, "b c n"],
        context: Float[Tensor, "b g"],
        sequence: Float[Tensor, "b s n"] | None,
        mask: Mask,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`SequenceNet`."""
        context = mish(context)
        x, masks = self.pad_to_strides(concat_sequence(z, sequence), mask)
        skips: list[Tensor] = []
        for level, blocks in enumerate(self.down):
            if level:
                x = apply_mask(self.shrink[level - 1](x), masks[level])
            x = blocks(x, context, masks[level])
            skips.append(x)
        x = self.mid(x, context, masks[-1])
        for level, blocks in enumerate(self.up):
            x = blocks(torch.cat([x, skips.pop()], dim=1), context, masks[-1 - level])
            x = apply_mask(self.grow[level](x), masks[-2 - level])
        u: Tensor = self.outward(self.last(torch.cat([x, skips.pop()], dim=1), masks[0]))
        return u[..., : z.shape[-1]]

    def pad_to_strides(
        self, x: Float[Tensor, "b c n"], mask: Mask
    ) -> tuple[Float[Tensor, "b c m"], list[Tensor | None]]:
        """Pad ``x`` until every level halves evenly, and return the mask of each level with it."""
        levels, extra = len(self.widths), -x.shape[-1] % 2 ** (len(self.widths) - 1)
        if mask is None and not extra:
            return x, [None] * levels
        if mask is None:
            mask = torch.ones_like(x[:, :1], dtype=torch.bool)
        masks: list[Tensor | None] = [nn.functional.pad(mask, (0, extra))]
        for _ in range(levels - 1):
            fine = masks[-1]
            assert fine is not None
            masks.append(fine[..., ::2] | fine[..., 1::2])
        return nn.functional.pad(x, (0, extra)), masks
