"""The network of an acoustic model: encoder, durations, and a decoder that is a field of mels."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from oneleap.core.nets import ConvNeXt1d, DiT1d, UNet1d
from oneleap.core.nets.sequence import SequenceNet
from oneleap.core.types import Conditioned
from oneleap.domains.speech.models.alignment import spread
from oneleap.domains.speech.models.encoder import Accent, DurationPredictor, TextEncoder
from oneleap.domains.speech.models.folded import Folded
from oneleap.domains.speech.spec import Spec


class Decoder(ABC):
    """A kind of network over spectrograms; subclasses are frozen dataclasses."""

    @abstractmethod
    def build(self, mels: int, speaker_dim: int) -> SequenceNet:
        """A field of (b, mels, n) given means of the same shape and a speaker's vector."""


@dataclass(frozen=True)
class ConvNeXt(Decoder):
    """Convolutions at the frame rate; the cheapest on a CPU.

    Attributes:
        width: Channels.
        depth: Blocks.
        expansion: Hidden channels of a block, in widths.
        fold: Frames that are seen as one; 2 halves the cost.
    """

    width: int = 224
    depth: int = 8
    expansion: int = 3
    fold: int = 1

    def build(self, mels: int, speaker_dim: int) -> SequenceNet:
        """See :meth:`Decoder.build`."""
        sizes = self.width, self.depth, self.expansion
        if self.fold == 1:
            return ConvNeXt1d(mels, mels, speaker_dim, *sizes)
        return Folded(mels, mels, speaker_dim, *sizes, self.fold)


@dataclass(frozen=True)
class DiT(Decoder):
    """A transformer: sees the whole utterance.

    Attributes:
        width: Channels.
        depth: Blocks.
        heads: Of attention.
    """

    width: int = 192
    depth: int = 6
    heads: int = 4

    def build(self, mels: int, speaker_dim: int) -> SequenceNet:
        """See :meth:`Decoder.build`."""
        return DiT1d(mels, mels, speaker_dim, self.width, self.depth, self.heads)


@dataclass(frozen=True)
class UNet(Decoder):
    """A U-Net over time, its middle at a fourth of the frame rate.

    Attributes:
        widths: Channels of each level.
        context_dim: Size of the vector that times and speaker become.
    """

    widths: tuple[int, ...] = (128, 192, 256)
    context_dim: int = 128

    def build(self, mels: int, speaker_dim: int) -> SequenceNet:
        """See :meth:`Decoder.build`."""
        return UNet1d(mels, mels, speaker_dim, self.widths, self.context_dim)


@dataclass(frozen=True)
class Text:
    """The text encoder.

    Attributes:
        width: Channels.
        depth: Transformer blocks.
        heads: Of attention.
        hidden: Channels between a block's convolutions.
        duration_width: Channels of the duration predictor.
        speaker_dim: Size of a speaker's vector, where there are several speakers.
    """

    width: int = 160
    depth: int = 4
    heads: int = 2
    hidden: int = 320
    duration_width: int = 160
    speaker_dim: int = 64


class Encoded(NamedTuple):
    """A batch of texts.

    Attributes:
        means: What each token sounds like on average.
        log_frames: Logarithm of each token's frames.
        speaker: Vectors, if there are several speakers.
    """

    means: Float[Tensor, "b mels l"]
    log_frames: Float[Tensor, "b l"]
    speaker: Float[Tensor, "b g"] | None


class AcousticNet(nn.Module):
    """Text to spectrograms. A field is ``decoder``, under what :meth:`encode` makes of a text.

    Hidden layers are those of the decoder, ``decoder.blocks.0`` say.

    Args:
        spec: Alphabet, bands, speakers.
        text: Sizes of the encoder.
        decoder: Kind of the decoder.
    """

    def __init__(self, spec: Spec, text: Text, decoder: Decoder) -> None:
        super().__init__()
        mels, speakers = spec.mel.n_mels, len(spec.speakers)
        dim = text.speaker_dim if speakers > 1 else 0
        self.speakers = nn.Embedding(speakers, dim) if dim else None
        self.encoder = TextEncoder(
            len(spec.symbols), text.width, text.depth, text.heads, text.hidden
        )
        self.accent = Accent(dim, text.width) if dim else None
        self.mean = nn.Linear(text.width, mels)
        self.duration = DurationPredictor(text.width, text.duration_width)
        self.decoder = decoder.build(mels, dim)

    def encode(
        self,
        tokens: Int[Tensor, "b l"],
        mask: Bool[Tensor, "b l"],
        speaker: Int[Tensor, "b"],
        shares: Float[Tensor, "s s"] | None = None,
    ) -> Encoded:
        """Means and durations; the durations' gradient stops at the encoder.

        Args:
            tokens: Numbers of symbols.
            mask: Which are real.
            speaker: Numbers of who speaks.
            shares: Whose means each speaker has, rows sum to 1; by default their own.
        """
        hidden = self.encoder(tokens, mask)
        log_frames, who = self.duration(hidden.detach(), mask), None
        if self.speakers is not None and self.accent is not None:
            who = self.speakers(speaker)
            log_frames = log_frames + self.accent.tempo(who.detach())
            lent = who if shares is None else (shares @ self.speakers.weight)[speaker]
            hidden = self.accent(hidden, lent)
        # At the weights' precision, whatever the layers ran in: durations are summed and searched.
        exact = self.mean.weight.dtype
        means: Tensor = self.mean(hidden).mT.to(exact)
        return Encoded(means, log_frames.to(exact), who)

    def field(
        self,
        encoded: Encoded,
        owner: Int[Tensor, "b n"],
        mask: Bool[Tensor, "b 1 n"],
        decoder: nn.Module | None = None,
    ) -> Conditioned:
        """The decoder's field, or another's, of frames that belong to given tokens.

        Dropped conditions are means and speaker of zero.
        """
        mu = spread(encoded.means, owner)
        cond = (mu,) if encoded.speaker is None else (mu, encoded.speaker)
        null = tuple(torch.zeros_like(c) for c in cond)
        return Conditioned(decoder or self.decoder, (*cond, mask), (*null, mask))
