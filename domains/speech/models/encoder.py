"""Text to what it sounds like on average, and to how long each sound takes."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from oneleap.core.nets.attention import Rotation, SelfAttention, rotary_angles
from oneleap.core.nets.layers import keep, zeroed


class ConvNorm(nn.Module):
    """Convolution over tokens, layer norm, ReLU; padding stays zero.

    Args:
        fan_in: Channels in.
        fan_out: Channels out.
        kernel: Tokens, odd.
    """

    def __init__(self, fan_in: int, fan_out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(fan_in, fan_out, kernel, padding=kernel // 2)
        self.norm = nn.LayerNorm(fan_out)

    def forward(
        self, x: Float[Tensor, "b l c"], mask: Bool[Tensor, "b l 1"]
    ) -> Float[Tensor, "b l d"]:
        """One layer."""
        return keep(torch.relu(self.norm(self.conv(x.mT).mT)), mask)


class EncoderBlock(nn.Module):
    """Attention, then two convolutions, each on a normed branch.

    Args:
        width: Channels.
        heads: Of attention.
        hidden: Channels between the convolutions.
    """

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention = SelfAttention(width, heads)
        self.widen = nn.Conv1d(width, hidden, 3, padding=1)
        self.narrow = nn.Conv1d(hidden, width, 3, padding=1)

    def forward(
        self, x: Float[Tensor, "b l c"], rotation: Rotation, mask: Bool[Tensor, "b l 1"]
    ) -> Float[Tensor, "b l c"]:
        """One block; ``x`` is zero at padding, and so is the result."""
        x = keep(x + self.attention(self.norms[0](x), rotation, mask.mT), mask)
        h = keep(self.norms[1](x), mask)
        h = keep(torch.relu(self.widen(h.mT)).mT, mask)
        return keep(x + self.narrow(h.mT).mT, mask)


class TextEncoder(nn.Module):
    """Glow-TTS' text encoder, as Grad-TTS and Matcha-TTS have it, with rotary positions.

    No dropout: a run's randomness is a function of its seed and step, and a distilled decoder
    sees its teacher's conditions.

    Args:
        symbols: Size of the alphabet.
        width: Channels.
        depth: Transformer blocks.
        heads: Of attention.
        hidden: Channels between a block's convolutions.
    """

    def __init__(self, symbols: int, width: int, depth: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.embedding = nn.Embedding(symbols, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.prenet = nn.ModuleList(ConvNorm(width, width, 5) for _ in range(2))
        self.bridge = zeroed(nn.Linear(width, width))
        self.blocks = nn.ModuleList(EncoderBlock(width, heads, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, tokens: Int[Tensor, "b l"], mask: Bool[Tensor, "b l"]
    ) -> Float[Tensor, "b l c"]:
        """What is known of each token, zero at padding."""
        real = mask.unsqueeze(2)
        x = h = keep(self.embedding(tokens) * math.sqrt(self.width), real)
        for layer in self.prenet:
            h = layer(h, real)
        x = keep(x + self.bridge(h), real)
        rotation = rotary_angles(x.shape[1], self.width // self.heads, x)
        for block in self.blocks:
            x = block(x, rotation, real)
        return keep(self.norm(x), real)


class Accent(nn.Module):
    """What a speaker adds to what all speakers share: each channel's scale and shift, and a tempo.

    It comes after the encoder, not before: a speaker of few recordings then has from the others
    how words sound that they never said, and only their own colour is learnt of them.

    Args:
        speaker_dim: Size of a speaker's vector.
        width: Channels.
    """

    def __init__(self, speaker_dim: int, width: int) -> None:
        super().__init__()
        self.film = zeroed(nn.Linear(speaker_dim, 2 * width))
        self.tempo = zeroed(nn.Linear(speaker_dim, 1))

    def forward(
        self, x: Float[Tensor, "b l c"], speaker: Float[Tensor, "b g"]
    ) -> Float[Tensor, "b l c"]:
        """Tokens as the speaker says them."""
        scale, shift = self.film(speaker).unsqueeze(1).chunk(2, dim=2)
        said: Tensor = x * (1 + scale) + shift
        return said


class DurationPredictor(nn.Module):
    """FastSpeech's: two convolutions, and the logarithm of each token's frames.

    Args:
        fan_in: Channels in.
        width: Channels.
        typical: Frames that a fresh predictor gives every token.
    """

    LONGEST = 200.0
    """Frames; no token is given more."""

    def __init__(self, fan_in: int, width: int, typical: float = 5.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList([ConvNorm(fan_in, width, 3), ConvNorm(width, width, 3)])
        self.outward = zeroed(nn.Linear(width, 1))
        nn.init.constant_(self.outward.bias, math.log(typical))

    def forward(self, x: Float[Tensor, "b l c"], mask: Bool[Tensor, "b l"]) -> Float[Tensor, "b l"]:
        """Natural logarithm of frames, anything at padding."""
        for layer in self.layers:
            x = layer(x, mask.unsqueeze(2))
        logs: Tensor = self.outward(x).squeeze(2)
        return logs.clamp(max=math.log(self.LONGEST))


def whole_frames(
    log_frames: Float[Tensor, "b l"], mask: Bool[Tensor, "b l"], speed: float = 1.0
) -> Int[Tensor, "b l"]:
    """Whole frames of each token, at least one, whose sums are the sums rounded.

    Rounding where tokens end, rather than each token up, keeps the tempo that was learnt.
    """
    ends = (log_frames.exp() / speed).masked_fill(~mask, 0.0).cumsum(1).round().long()
    frames = ends.diff(dim=1, prepend=torch.zeros_like(ends[:, :1]))
    return torch.where(mask, frames.clamp(min=1), 0)
