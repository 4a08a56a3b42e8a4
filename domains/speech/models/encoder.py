"""The text encoder, the speaker conditioning and the duration predictor."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from oneleap.core.nets.attention import Rotation, SelfAttention, rotary_angles
from oneleap.core.nets.layers import apply_mask, zero_init


class ConvNorm(nn.Module):
    """A convolution over tokens, layer norm and ReLU. Padding stays zero.

    Args:
        fan_in: Input channels.
        fan_out: Output channels.
        kernel: Kernel size, odd.
    """

    def __init__(self, fan_in: int, fan_out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(fan_in, fan_out, kernel, padding=kernel // 2)
        self.norm = nn.LayerNorm(fan_out)

    def forward(
        self, x: Float[Tensor, "b l c"], mask: Bool[Tensor, "b l 1"]
    ) -> Float[Tensor, "b l d"]:
        """Apply the layer."""
        return apply_mask(torch.relu(self.norm(self.conv(x.mT).mT)), mask)


class EncoderBlock(nn.Module):
    """A transformer block with pre-norm: self-attention, then two convolutions.

    Args:
        width: Channels.
        heads: Number of attention heads.
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
        """Apply the block. ``x`` must be zero at padding; the result is, too."""
        x = apply_mask(x + self.attention(self.norms[0](x), rotation, mask.mT), mask)
        h = apply_mask(self.norms[1](x), mask)
        h = apply_mask(torch.relu(self.widen(h.mT)).mT, mask)
        return apply_mask(x + self.narrow(h.mT).mT, mask)


class TextEncoder(nn.Module):
    """The text encoder of Glow-TTS, as Grad-TTS and Matcha-TTS use it, with rotary positions.

    There is no dropout. The randomness of a run is a function of its seed and step, and a
    distilled decoder must see the conditions of its teacher.

    Args:
        symbols: Size of the alphabet.
        width: Channels.
        depth: Number of transformer blocks.
        heads: Number of attention heads.
        hidden: Channels between the convolutions of a block.
    """

    def __init__(self, symbols: int, width: int, depth: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.embedding = nn.Embedding(symbols, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.prenet = nn.ModuleList(ConvNorm(width, width, 5) for _ in range(2))
        self.bridge = zero_init(nn.Linear(width, width))
        self.blocks = nn.ModuleList(EncoderBlock(width, heads, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, tokens: Int[Tensor, "b l"], mask: Bool[Tensor, "b l"]
    ) -> Float[Tensor, "b l c"]:
        """Encode token ids; the result is zero at padding."""
        real = mask.unsqueeze(2)
        x = h = apply_mask(self.embedding(tokens) * math.sqrt(self.width), real)
        for layer in self.prenet:
            h = layer(h, real)
        x = apply_mask(x + self.bridge(h), real)
        rotation = rotary_angles(x.shape[1], self.width // self.heads, x)
        for block in self.blocks:
            x = block(x, rotation, real)
        return apply_mask(self.norm(x), real)


class SpeakerFiLM(nn.Module):
    """Conditions the encoded text on a speaker: scale and shift per channel, and a tempo.

    It comes after the encoder, so all speakers share the encoder. A speaker with few recordings
    then learns from the others how words sound, and from the own recordings only the color.

    Args:
        speaker_dim: Size of the speaker embedding.
        width: Channels.
    """

    def __init__(self, speaker_dim: int, width: int) -> None:
        super().__init__()
        self.film = zero_init(nn.Linear(speaker_dim, 2 * width))
        self.tempo = zero_init(nn.Linear(speaker_dim, 1))

    def forward(
        self, x: Float[Tensor, "b l c"], speaker: Float[Tensor, "b g"]
    ) -> Float[Tensor, "b l c"]:
        """Scale and shift the channels of all tokens."""
        scale, shift = self.film(speaker).unsqueeze(1).chunk(2, dim=2)
        conditioned: Tensor = x * (1 + scale) + shift
        return conditioned


class DurationPredictor(nn.Module):
    """The duration predictor of FastSpeech: two convolutions and a linear layer.

    With ``spread`` it predicts a log-normal distribution: also the standard deviation of the
    logarithm.

    Args:
        fan_in: Input channels.
        width: Channels of the convolutions.
        typical: Duration that a new predictor gives every token, in frames.
        spread: Whether to predict standard deviations.
    """

    LONGEST = 200.0
    """Upper bound of a token's duration, in frames."""

    SPREADS = (0.02, 2.0)
    """Bounds of the standard deviation of log durations."""

    def __init__(self, fan_in: int, width: int, typical: float = 5.0, spread: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList([ConvNorm(fan_in, width, 3), ConvNorm(width, width, 3)])
        self.outward = zero_init(nn.Linear(width, 1))
        nn.init.constant_(self.outward.bias, math.log(typical))
        self.spread = zero_init(nn.Linear(width, 1)) if spread else None
        if self.spread is not None:
            nn.init.constant_(self.spread.bias, math.log(0.3))

    def forward(
        self, x: Float[Tensor, "b l c"], mask: Bool[Tensor, "b l"]
    ) -> tuple[Float[Tensor, "b l"], Float[Tensor, "b l"] | None]:
        """Predict durations. Values at padding are arbitrary.

        Args:
            x: Hidden states of tokens.
            mask: True at real tokens.

        Returns:
            The natural logarithm of mean durations in frames, and the standard deviation of log
            durations, or ``None`` without ``spread``.
        """
        for layer in self.layers:
            x = layer(x, mask.unsqueeze(2))
        logs: Tensor = self.outward(x).squeeze(2)
        logs = logs.clamp(max=math.log(self.LONGEST))
        if self.spread is None:
            return logs, None
        low, high = self.SPREADS
        return logs, self.spread(x).squeeze(2).clamp(math.log(low), math.log(high)).exp()


def round_durations(
    log_durations: Float[Tensor, "b l"], mask: Bool[Tensor, "b l"], speed: float = 1.0
) -> Int[Tensor, "b l"]:
    """Round durations to whole frames, at least one per real token.

    The times at which tokens end are rounded, not each duration, so that the tempo is kept.

    Args:
        log_durations: Natural logarithm of durations in frames.
        mask: True at real tokens.
        speed: Divisor of durations; 2 speaks twice as fast.

    Returns:
        Number of frames of each token, 0 at padding.
    """
    ends = (log_durations.exp() / speed).masked_fill(~mask, 0.0).cumsum(1).round().long()
    durations = ends.diff(dim=1, prepend=torch.zeros_like(ends[:, :1]))
    return torch.where(mask, durations.clamp(min=1), 0)


def sample_durations(
    log_means: Float[Tensor, "b l"],
    spread: Float[Tensor, "b l"],
    noise: Float[Tensor, "b l"],
    temperature: float,
) -> Float[Tensor, "b l"]:
    """Draw log durations from log-normal distributions, at a temperature.

    With the spread ``s`` times the temperature in place of ``s``,
    ``log d = log m + s e - s^2 / 2``. The mean duration is ``m`` at every temperature.

    Args:
        log_means: Natural logarithm of mean durations, ``log m``.
        spread: Standard deviation of log durations, ``s``.
        noise: Standard normal noise, ``e``.
        temperature: Factor of the spread; 0 gives the mean durations.

    Returns:
        The natural logarithm of durations.
    """
    s = temperature * spread
    return log_means + s * noise - s.square() / 2
