"""The network of an acoustic model: encoder, rough decoder, and a decoder that is a field."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from oneleap.core.nets import ConvNeXt1d, LYNXNet, WaveNet
from oneleap.core.nets.layers import keep
from oneleap.core.nets.sequence import SequenceNet
from oneleap.core.types import Conditioned
from oneleap.domains.audio.vocoders.backbone import ConvNeXtBlock
from oneleap.domains.singing.models.encoder import FFTEncoder
from oneleap.domains.singing.models.frames import spread
from oneleap.domains.singing.spec import Spec


class Decoder(ABC):
    """A kind of network over frames; subclasses are frozen dataclasses."""

    @abstractmethod
    def build(self, dim: int, cond: int) -> SequenceNet:
        """A field of (b, dim, n) given (b, cond, n)."""


@dataclass(frozen=True)
class LYNX(Decoder):
    """LYNXNet2, the production line's; openvpi has 1024 and 6.

    Attributes:
        width: Channels.
        depth: Blocks.
        kernel: Frames of a convolution.
    """

    width: int = 256
    depth: int = 6
    kernel: int = 31

    def build(self, dim: int, cond: int) -> SequenceNet:
        """See :meth:`Decoder.build`."""
        return LYNXNet(dim, cond, 0, self.width, self.depth, self.kernel)


@dataclass(frozen=True)
class Wave(Decoder):
    """WaveNet, as DiffSinger was published; there 256 and 20, dilations 1 or in cycles of 4.

    Attributes:
        width: Channels.
        depth: Blocks.
        dilation_cycle: Dilations run 1, 2, 4 ... over so many blocks.
    """

    width: int = 96
    depth: int = 20
    dilation_cycle: int = 4

    def build(self, dim: int, cond: int) -> SequenceNet:
        """See :meth:`Decoder.build`."""
        return WaveNet(dim, cond, 0, self.width, self.depth, self.dilation_cycle)


@dataclass(frozen=True)
class ConvNeXt(Decoder):
    """ConvNeXt blocks at the frame rate.

    Attributes:
        width: Channels.
        depth: Blocks.
        expansion: Hidden channels of a block, in widths.
    """

    width: int = 256
    depth: int = 6
    expansion: int = 3

    def build(self, dim: int, cond: int) -> SequenceNet:
        """See :meth:`Decoder.build`."""
        return ConvNeXt1d(dim, cond, 0, self.width, self.depth, self.expansion)


@dataclass(frozen=True)
class Encoder:
    """Sizes of the phoneme encoder; openvpi has 384, 4, 2 and 1536.

    Attributes:
        width: Channels, those of the condition too.
        depth: Transformer blocks.
        heads: Of attention.
        hidden: Channels inside a block.
    """

    width: int = 160
    depth: int = 3
    heads: int = 2
    hidden: int = 320


@dataclass(frozen=True)
class Aux:
    """Sizes of the auxiliary decoder; openvpi has 512, 2048 and 6.

    Attributes:
        width: Channels.
        hidden: Channels between pointwise layers.
        depth: ConvNeXt blocks.
    """

    width: int = 128
    hidden: int = 256
    depth: int = 4


class AuxDecoder(nn.Module):
    """ConvNeXt from the condition to a rough spectrogram, openvpi's.

    Args:
        cond: Channels of the condition.
        dim: Channels of the data.
        size: Of the network.
    """

    def __init__(self, cond: int, dim: int, size: Aux) -> None:
        super().__init__()
        self.inward = nn.Conv1d(cond, size.width, 7, padding=3)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(size.width, size.hidden, 1 / size.depth) for _ in range(size.depth)
        )
        self.norm = nn.LayerNorm(size.width, eps=1e-6)
        self.outward = nn.Linear(size.width, dim)

    def forward(
        self, cond: Float[Tensor, "b c n"], mask: Bool[Tensor, "b 1 n"] | None
    ) -> Float[Tensor, "b d n"]:
        """A spectrogram, anything at padding."""
        there = None if mask is None else mask.mT
        x = keep(self.inward(keep(cond, mask)).mT, there)
        for block in self.blocks:
            x = keep(block(x), there)
        rough: Tensor = self.outward(self.norm(x))
        return rough.mT


class Framed(NamedTuple):
    """Phrases whose frames are told which phoneme they belong to; perhaps a crop of each.

    Attributes:
        tokens: Numbers of phonemes, 0 at padding.
        each: Whole frames of each phoneme.
        owner: Phoneme of each frame of the crops.
        place: Where in its phoneme a frame is.
        f0: Hz of each frame.
        curves: Further curves that the model heeds, scaled, one channel each.
        x: Normalised spectrograms of the crops.
        mask: True at real frames.
    """

    tokens: Int[Tensor, "b l"]
    each: Int[Tensor, "b l"]
    owner: Int[Tensor, "b n"]
    place: Float[Tensor, "b n 3"]
    f0: Float[Tensor, "b n"]
    curves: Float[Tensor, "b n k"]
    x: Float[Tensor, "b mels n"]
    mask: Bool[Tensor, "b 1 n"]


class AcousticNet(nn.Module):
    """Phonemes, durations and pitch to spectrograms.

    ``cond = spread(encoder(phoneme + log(1 + frames))) + place in the phoneme + ln(1 + f0 / 700)
    + curves``, openvpi's with a linear layer in place of the recurrent "stretch" block.

    Hidden layers are those of the decoder, ``decoder.blocks.0`` say.

    Args:
        spec: Alphabet and bands.
        encoder: Its sizes.
        aux: Sizes of the auxiliary decoder.
        decoder: Kind of the decoder.
        curves: How many further curves there are.
    """

    def __init__(
        self, spec: Spec, encoder: Encoder, aux: Aux, decoder: Decoder, curves: int
    ) -> None:
        super().__init__()
        width, mels = encoder.width, spec.mel.n_mels
        self.phoneme = nn.Embedding(len(spec.phonemes) + 1, width, padding_idx=0)
        nn.init.normal_(self.phoneme.weight, std=width**-0.5)
        self.duration = nn.Linear(1, width)
        self.encoder = FFTEncoder(width, encoder.depth, encoder.heads, encoder.hidden)
        self.place, self.pitch = nn.Linear(3, width), nn.Linear(1, width)
        self.curves = nn.Linear(curves, width) if curves else None
        self.aux = AuxDecoder(width, mels, aux)
        self.decoder = decoder.build(mels, width)

    def encode(self, batch: Framed) -> Float[Tensor, "b c n"]:
        """The condition of each frame."""
        x = self.phoneme(batch.tokens)
        x = x + self.duration(batch.each.unsqueeze(2).to(x.dtype).log1p())
        hidden = self.encoder(x, batch.tokens > 0)
        cond = spread(hidden, batch.owner) + self.place(batch.place)
        cond = cond + self.pitch((1 + batch.f0.unsqueeze(2) / 700).log())
        if self.curves is not None:
            cond = cond + self.curves(batch.curves)
        return keep(cond, batch.mask.mT).mT

    def rough(
        self, cond: Float[Tensor, "b c n"], mask: Tensor | None, share: float = 0.1
    ) -> Tensor:
        """The auxiliary decoder's spectrogram; a share of its gradient reaches the encoder."""
        slowed = share * cond + (1 - share) * cond.detach()
        made: Tensor = self.aux(slowed, mask)
        return made

    def field(
        self,
        cond: Float[Tensor, "b c n"],
        mask: Bool[Tensor, "b 1 n"],
        decoder: nn.Module | None = None,
    ) -> Conditioned:
        """The decoder's field, or another's. The dropped condition is zero."""
        return Conditioned(decoder or self.decoder, (cond, mask), (torch.zeros_like(cond), mask))
