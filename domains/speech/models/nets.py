"""The network of an acoustic model: text encoder, duration predictor and decoder."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from oneleap.core.nets import ConvNeXt1d, DiT1d, UNet1d
from oneleap.core.nets.sequence import SequenceNet
from oneleap.core.types import Conditioned
from oneleap.domains.audio.sequence import expand_by_duration
from oneleap.domains.speech.models.encoder import DurationPredictor, SpeakerFiLM, TextEncoder
from oneleap.domains.speech.models.folded import FoldedConvNeXt1d
from oneleap.domains.speech.spec import Spec


class DecoderConfig(ABC):
    """Kind and sizes of a decoder. Subclasses are frozen dataclasses."""

    @abstractmethod
    def build(self, channels: int, speaker_dim: int) -> SequenceNet:
        """Build a decoder.

        Args:
            channels: Number of features of a frame.
            speaker_dim: Size of the speaker embedding; 0 for one speaker.

        Returns:
            A network over (b, channels, n), conditioned on mean features of the same shape and on a
            speaker embedding.
        """


@dataclass(frozen=True)
class ConvNeXtConfig(DecoderConfig):
    """Convolutions at the frame rate. This decoder is the cheapest on a CPU.

    Attributes:
        width: Channels.
        depth: Number of blocks.
        expansion: Hidden channels of a block as a multiple of ``width``.
        fold: Number of frames that the decoder sees as one; 2 halves the cost.
    """

    width: int = 224
    depth: int = 8
    expansion: int = 3
    fold: int = 1

    def build(self, channels: int, speaker_dim: int) -> SequenceNet:
        """See :meth:`DecoderConfig.build`."""
        sizes = self.width, self.depth, self.expansion
        if self.fold == 1:
            return ConvNeXt1d(channels, channels, speaker_dim, *sizes)
        return FoldedConvNeXt1d(channels, channels, speaker_dim, *sizes, self.fold)


@dataclass(frozen=True)
class DiTConfig(DecoderConfig):
    """A transformer, which sees the whole utterance.

    Attributes:
        width: Channels.
        depth: Number of blocks.
        heads: Number of attention heads.
        decoder: Number of last blocks that see the target time alone, see
            :class:`oneleap.core.nets.DiT1d`; 0 for none.
    """

    width: int = 192
    depth: int = 6
    heads: int = 4
    decoder: int = 0

    def build(self, channels: int, speaker_dim: int) -> SequenceNet:
        """See :meth:`DecoderConfig.build`."""
        sizes = self.width, self.depth, self.heads
        return DiT1d(channels, channels, speaker_dim, *sizes, decoder=self.decoder)


@dataclass(frozen=True)
class UNetConfig(DecoderConfig):
    """A U-Net over time. Its middle runs at a fourth of the frame rate.

    Attributes:
        widths: Channels of each level.
        context_dim: Size of the joint embedding of times and speaker.
    """

    widths: tuple[int, ...] = (128, 192, 256)
    context_dim: int = 128

    def build(self, channels: int, speaker_dim: int) -> SequenceNet:
        """See :meth:`DecoderConfig.build`."""
        return UNet1d(channels, channels, speaker_dim, self.widths, self.context_dim)


@dataclass(frozen=True)
class TextEncoderConfig:
    """Sizes of the text encoder and the duration predictor.

    Attributes:
        width: Channels.
        depth: Number of transformer blocks.
        heads: Number of attention heads.
        hidden: Channels between the convolutions of a block.
        duration_width: Channels of the duration predictor.
        speaker_dim: Size of the speaker embedding, if there are several speakers.
        duration_spread: Whether durations are a distribution that can be sampled.
    """

    width: int = 160
    depth: int = 4
    heads: int = 2
    hidden: int = 320
    duration_width: int = 160
    speaker_dim: int = 64
    duration_spread: bool = False


class EncodedText(NamedTuple):
    """What the encoder predicts for a batch of texts.

    Attributes:
        means: Mean features of each token, normalized.
        log_durations: Natural logarithm of each token's mean duration in frames.
        speaker: Speaker embeddings, or ``None`` for one speaker.
        spread: Standard deviation of log durations, or ``None`` if they are no distribution.
    """

    means: Float[Tensor, "b c l"]
    log_durations: Float[Tensor, "b l"]
    speaker: Float[Tensor, "b g"] | None
    spread: Float[Tensor, "b l"] | None = None


class AcousticNet(nn.Module):
    """The networks of an acoustic model.

    :meth:`encode` predicts mean spectra and durations of tokens. :meth:`field` is the decoder,
    conditioned on them. Hidden layers for objectives that use them are those of the decoder, such
    as ``decoder.blocks.0``.

    Args:
        spec: Features, alphabet and speakers.
        text: Sizes of the encoder.
        decoder: Kind and sizes of the decoder.
    """

    def __init__(self, spec: Spec, text: TextEncoderConfig, decoder: DecoderConfig) -> None:
        super().__init__()
        channels, speakers = spec.channels, len(spec.speakers)
        dim = text.speaker_dim if speakers > 1 else 0
        self.speakers = nn.Embedding(speakers, dim) if dim else None
        self.encoder = TextEncoder(
            len(spec.symbols), text.width, text.depth, text.heads, text.hidden
        )
        self.accent = SpeakerFiLM(dim, text.width) if dim else None
        self.mean = nn.Linear(text.width, channels)
        self.duration = DurationPredictor(
            text.width, text.duration_width, spread=text.duration_spread
        )
        self.decoder = decoder.build(channels, dim)

    def encode(
        self,
        tokens: Int[Tensor, "b l"],
        mask: Bool[Tensor, "b l"],
        speaker: Int[Tensor, "b"],
        mixing_weights: Float[Tensor, "s s"] | None = None,
    ) -> EncodedText:
        """Predict mean spectra and durations.

        The gradient of durations stops at the encoder.

        Args:
            tokens: Token ids.
            mask: True at real tokens.
            speaker: Index of each speaker.
            mixing_weights: Weights of all speakers' embeddings in the mean spectra of each
                speaker, see :func:`oneleap.domains.speech.spec.mixing_weights`. ``None`` mixes no
                speakers.

        Returns:
            The predictions.
        """
        hidden = self.encoder(tokens, mask)
        log_durations, spread = self.duration(hidden.detach(), mask)
        embedding = None
        if self.speakers is not None and self.accent is not None:
            embedding = self.speakers(speaker)
            log_durations = log_durations + self.accent.tempo(embedding.detach())
            mixed = embedding
            if mixing_weights is not None:
                mixed = (mixing_weights @ self.speakers.weight)[speaker]
            hidden = self.accent(hidden, mixed)
        # At the precision of the weights, also under autocast: durations are summed and searched.
        dtype = self.mean.bias.dtype
        means: Tensor = self.mean(hidden).mT.to(dtype)
        spread = None if spread is None else spread.to(dtype)
        return EncodedText(means, log_durations.to(dtype), embedding, spread)

    def field(
        self,
        encoded: EncodedText,
        owner: Int[Tensor, "b n"],
        mask: Bool[Tensor, "b 1 n"],
        decoder: nn.Module | None = None,
    ) -> Conditioned:
        """Condition a decoder on an encoded text.

        Dropped conditions are mean spectra of zero and a speaker embedding of zero.

        Args:
            encoded: The encoded text.
            owner: Index of the token of each frame.
            mask: True at real frames.
            decoder: The decoder; by default the one of this network.

        Returns:
            The decoder as a mean-velocity field.
        """
        mu = expand_by_duration(encoded.means, owner, dim=2)
        cond = (mu,) if encoded.speaker is None else (mu, encoded.speaker)
        null = tuple(torch.zeros_like(c) for c in cond)
        return Conditioned(decoder or self.decoder, (*cond, mask), (*null, mask))
