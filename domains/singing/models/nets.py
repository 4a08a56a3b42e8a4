"""The network of the acoustic model, and sizes of its parts."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from oneleap.core.nets import ConvNeXt1d, LYNXNet, WaveNet
from oneleap.core.nets.layers import apply_mask
from oneleap.core.nets.sequence import SequenceNet
from oneleap.core.types import Conditioned
from oneleap.domains.audio.sequence import expand_by_duration
from oneleap.domains.audio.vocoders.backbone import ConvNeXtBlock
from oneleap.domains.singing.models.encoder import FFTEncoder
from oneleap.domains.singing.spec import Spec


class DecoderConfig(ABC):
    """Kind and sizes of a decoder; subclasses are frozen dataclasses."""

    @abstractmethod
    def build(self, dim: int, cond: int) -> SequenceNet:
        """Build a field of (b, dim, n) under a condition (b, cond, n)."""


@dataclass(frozen=True)
class LYNXConfig(DecoderConfig):
    """LYNXNet2, the decoder of openvpi, which has width 1024 and depth 6.

    Attributes:
        width: Channels.
        depth: Number of blocks.
        kernel: Kernel size of the convolutions, in frames.
    """

    width: int = 256
    depth: int = 6
    kernel: int = 31

    def build(self, dim: int, cond: int) -> SequenceNet:
        """See :meth:`DecoderConfig.build`."""
        return LYNXNet(dim, cond, 0, self.width, self.depth, self.kernel)


@dataclass(frozen=True)
class WaveNetConfig(DecoderConfig):
    """WaveNet, the decoder of the DiffSinger paper, which has width 256 and depth 20.

    Attributes:
        width: Channels.
        depth: Number of blocks.
        dilation_cycle: Number of blocks after which the dilations 1, 2, 4 ... start again.
    """

    width: int = 96
    depth: int = 20
    dilation_cycle: int = 4

    def build(self, dim: int, cond: int) -> SequenceNet:
        """See :meth:`DecoderConfig.build`."""
        return WaveNet(dim, cond, 0, self.width, self.depth, self.dilation_cycle)


@dataclass(frozen=True)
class ConvNeXtConfig(DecoderConfig):
    """ConvNeXt blocks at frame rate.

    Attributes:
        width: Channels.
        depth: Number of blocks.
        expansion: Hidden channels of a block, as a multiple of ``width``.
    """

    width: int = 256
    depth: int = 6
    expansion: int = 3

    def build(self, dim: int, cond: int) -> SequenceNet:
        """See :meth:`DecoderConfig.build`."""
        return ConvNeXt1d(dim, cond, 0, self.width, self.depth, self.expansion)


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of an encoder of phonemes or notes; openvpi has 384, 4, 2 and 1536.

    Attributes:
        width: Channels of the encoder and of its output.
        depth: Number of transformer blocks.
        heads: Attention heads.
        hidden: Channels inside a block.
    """

    width: int = 160
    depth: int = 3
    heads: int = 2
    hidden: int = 320


@dataclass(frozen=True)
class AuxDecoderConfig:
    """Sizes of the auxiliary decoder; openvpi has 512, 2048 and 6.

    Attributes:
        width: Channels.
        hidden: Channels between the pointwise layers of a block.
        depth: Number of ConvNeXt blocks.
    """

    width: int = 128
    hidden: int = 256
    depth: int = 4


class AuxDecoder(nn.Module):
    """ConvNeXt from the condition to a coarse spectrogram, as in openvpi.

    Args:
        cond: Channels of the condition.
        dim: Channels of the spectrogram.
        size: Sizes of the network.
    """

    def __init__(self, cond: int, dim: int, size: AuxDecoderConfig) -> None:
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
        """Coarse spectrogram; padded frames have arbitrary values."""
        real = None if mask is None else mask.mT
        x = apply_mask(self.inward(apply_mask(cond, mask)).mT, real)
        for block in self.blocks:
            x = apply_mask(block(x), real)
        coarse_mel: Tensor = self.outward(self.norm(x))
        return coarse_mel.mT


class FrameBatch(NamedTuple):
    """Phrases, or segments of them, as the acoustic model reads them.

    Attributes:
        tokens: Token of each phoneme, 0 at padding.
        durations: Whole frames of each phoneme.
        frame_to_token: Index of the phoneme of each frame of the segment.
        position: Position of each frame within its phoneme.
        f0: Pitch of each frame in Hz.
        curves: Further curves the model is conditioned on, scaled, one channel each.
        x: Normalized spectrograms of the segments.
        mask: True at real frames.
        dropped: Rows whose phonemes are dropped in training, for guidance.
    """

    tokens: Int[Tensor, "b l"]
    durations: Int[Tensor, "b l"]
    frame_to_token: Int[Tensor, "b n"]
    position: Float[Tensor, "b n 3"]
    f0: Float[Tensor, "b n"]
    curves: Float[Tensor, "b n k"]
    x: Float[Tensor, "b mels n"]
    mask: Bool[Tensor, "b 1 n"]
    dropped: Bool[Tensor, "b"]


class AcousticNet(nn.Module):
    """Encoder of phonemes, durations and pitch, auxiliary decoder, and decoder.

    ``cond = expand(encoder(phoneme + log(1 + frames))) + position + ln(1 + f0 / 700) + curves``
    as in openvpi, with a linear layer in place of the recurrent "stretch" block.

    Names of layers whose activations can be recorded are those of the decoder, for example
    ``decoder.blocks.0``.

    Args:
        spec: Phonemes and spectrogram format.
        encoder: Sizes of the encoder.
        aux: Sizes of the auxiliary decoder.
        decoder: Kind and sizes of the decoder.
        curves: Number of further curves the model is conditioned on.
    """

    def __init__(
        self,
        spec: Spec,
        encoder: EncoderConfig,
        aux: AuxDecoderConfig,
        decoder: DecoderConfig,
        curves: int,
    ) -> None:
        super().__init__()
        width, mels = encoder.width, spec.channels
        self.phoneme = nn.Embedding(len(spec.phonemes) + 1, width, padding_idx=0)
        nn.init.normal_(self.phoneme.weight, std=width**-0.5)
        self.duration = nn.Linear(1, width)
        self.encoder = FFTEncoder(width, encoder.depth, encoder.heads, encoder.hidden)
        self.place, self.pitch = nn.Linear(3, width), nn.Linear(1, width)
        self.curves = nn.Linear(curves, width) if curves else None
        self.aux = AuxDecoder(width, mels, aux)
        self.decoder = decoder.build(mels, width)

    def encode(self, batch: FrameBatch) -> Float[Tensor, "b c n"]:
        """Condition of each frame."""
        x = self.phoneme(batch.tokens)
        x = x + self.duration(batch.durations.unsqueeze(2).to(x.dtype).log1p())
        hidden = self.encoder(x, batch.tokens > 0)
        cond = expand_by_duration(hidden, batch.frame_to_token) + self.place(batch.position)
        return apply_mask(cond + self._melody(batch), batch.mask.mT).mT

    def melody(self, batch: FrameBatch) -> Float[Tensor, "b c n"]:
        """Condition of each frame without the phonemes: what guidance leads away from."""
        return apply_mask(self._melody(batch), batch.mask.mT).mT

    def _melody(self, batch: FrameBatch) -> Float[Tensor, "b n c"]:
        found: Tensor = self.pitch((1 + batch.f0.unsqueeze(2) / 700).log())
        return found if self.curves is None else found + self.curves(batch.curves)

    def coarse_mel(
        self, cond: Float[Tensor, "b c n"], mask: Tensor | None, gradient: float = 0.1
    ) -> Tensor:
        """Spectrogram of the auxiliary decoder.

        Args:
            cond: Condition of each frame.
            mask: True at real frames.
            gradient: Fraction of the gradient that reaches the encoder.

        Returns:
            Coarse spectrogram, (b, mels, n).
        """
        scaled = gradient * cond + (1 - gradient) * cond.detach()
        coarse_mel: Tensor = self.aux(scaled, mask)
        return coarse_mel

    def field(
        self,
        cond: Float[Tensor, "b c n"],
        mask: Bool[Tensor, "b 1 n"],
        null: Float[Tensor, "b c n"],
        decoder: nn.Module | None = None,
    ) -> Conditioned:
        """Field of a decoder under a condition.

        Args:
            cond: Condition of each frame.
            mask: True at real frames.
            null: Condition without phonemes, see :meth:`melody`.
            decoder: Decoder to use instead of the network's own.

        Returns:
            The field ``u(z, r, t)``.
        """
        return Conditioned(decoder or self.decoder, (cond, mask), (null, mask))
