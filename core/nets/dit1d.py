"""Diffusion transformer over sequences: motion, mel spectrograms, music."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.nets.attention import Rotation, SelfAttention, rotary_angles
from oneleap.core.nets.layers import AdaNorm, apply_mask, modulate, zero_init
from oneleap.core.nets.sequence import SequenceNet, concat_sequence


class DiTBlock(nn.Module):
    """Attention and a two-layer network, each modulated and gated by the context (adaLN-Zero).

    The gates start at zero: a fresh block is the identity.

    Args:
        width: Number of channels.
        heads: Number of attention heads.
        expansion: Hidden channels of the two-layer network, as a multiple of ``width``.
    """

    def __init__(self, width: int, heads: int, expansion: int) -> None:
        super().__init__()
        self.width, self.heads, self.expansion = width, heads, expansion
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.attention = SelfAttention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, expansion * width),
            nn.GELU(approximate="tanh"),
            nn.Linear(expansion * width, width),
        )
        self.modulation = zero_init(nn.Linear(width, 6 * width))

    def forward(
        self,
        x: Float[Tensor, "b n c"],
        context: Float[Tensor, "b c"],
        rotation: Rotation,
        mask: Bool[Tensor, "b 1 n"] | None,
    ) -> Float[Tensor, "b n c"]:
        """Apply the block.

        Args:
            x: Frames, (b, n, c).
            context: Context of each sample, (b, c).
            rotation: Angles of the rotary positions.
            mask: True where frames are real, (b, 1, n), or ``None``.

        Returns:
            Frames, zero at padding, (b, n, c).
        """
        parts: Tensor = self.modulation(context).unsqueeze(1)
        scale, shift, gate, scale2, shift2, gate2 = parts.chunk(6, dim=-1)
        x = x + gate * self.attention(modulate(self.norm(x), scale, shift), rotation, mask)
        x = x + gate2 * self.mlp(modulate(self.norm(x), scale2, shift2))
        return apply_mask(x, None if mask is None else mask.mT)


class DiT1d(SequenceNet):
    """DiT (Peebles and Xie 2023, arXiv 2212.09748) over frames, with rotary positions.

    The condition of each frame is concatenated with the data before the first layer. The condition
    vector is part of the context, like the times. Gates and output start at zero, so a fresh
    network is 0 everywhere. The cost has a small quadratic term in n: at width 384, attention is a
    tenth of the work at 400 frames.

    ``DiT1d(80, sequence_dim=80)`` has 10 M weights.

    Hidden layers: ``blocks.0`` ... (b, n, width).

    Args:
        dim: Channels of the data.
        sequence_dim: Channels of the condition per frame; 0 for none.
        cond_dim: Size of the condition vector; 0 for none.
        width: Channels of the hidden layers.
        depth: Number of blocks.
        heads: Number of attention heads.
        expansion: Hidden channels of each block's two-layer network, as a multiple of ``width``.
        guided: Whether the network takes a guidance scale per row, ``guidance=w``.
        time_dim: Number of features of each of the two times.
        decoder: Number of last blocks that see the target time ``r`` alone, while the others see
            ``t`` alone (decoupled MeanFlow, arXiv 2510.24474, a third of the blocks). The weights
            are those of a plain network, and at ``r = t`` so is the result. With 0, all blocks see
            both times.
    """

    def __init__(
        self,
        dim: int,
        sequence_dim: int = 0,
        cond_dim: int = 0,
        width: int = 256,
        depth: int = 8,
        heads: int = 4,
        expansion: int = 4,
        guided: bool = False,
        time_dim: int = 64,
        decoder: int = 0,
    ) -> None:
        super().__init__(dim, sequence_dim, cond_dim, width, guided, time_dim)
        if not 0 <= decoder <= depth:
            raise InputError(f"decoder must be at most depth={depth} blocks, not {decoder}")
        self.width, self.depth, self.heads = width, depth, heads
        self.expansion, self.decoder = expansion, decoder
        self.inward = nn.Linear(dim + sequence_dim, width)
        self.blocks = nn.ModuleList(DiTBlock(width, heads, expansion) for _ in range(depth))
        self.norm = AdaNorm(width, width)
        self.outward = zero_init(nn.Linear(width, dim))

    def embed_times(
        self,
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        vector: Float[Tensor, "b v"] | None,
        guidance: Float[Tensor, "b"] | None,
    ) -> Float[Tensor, "b g"]:
        """The context, or with a ``decoder`` those of ``t`` and of ``r`` side by side."""
        if self.decoder == 0:
            return super().embed_times(r, t, vector, guidance)
        return torch.cat([self.context(h, h, vector, guidance) for h in (t, r)], dim=1)

    def velocity(
        self,
        z: Float[Tensor, "b c n"],
        context: Float[Tensor, "b g"],
        sequence: Float[Tensor, "b s n"] | None,
        mask: Bool[Tensor, "b 1 n"] | None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`SequenceNet`."""
        context = nn.functional.silu(context)
        early, late = context[:, : self.width], context[:, -self.width :]
        h: Tensor = self.inward(rearrange(concat_sequence(z, sequence), "b c n -> b n c"))
        rotation = rotary_angles(h.shape[1], self.width // self.heads, h)
        for index, block in enumerate(self.blocks):
            seen = early if index < self.depth - self.decoder else late
            h = block(h, seen, rotation, mask)
        u: Tensor = self.outward(self.norm(h, late))
        return rearrange(u, "b n c -> b c n")
