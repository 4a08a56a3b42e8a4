"""The network of a music model: a backbone over patches of frames that predicts the data."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from einops import rearrange
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from oneleap.core.nets import DiT1d, UNet1d
from oneleap.core.nets.sequence import SequenceNet
from oneleap.core.paths.base import expand

MIN_T = 0.05
"""Lower limit of the time that a velocity is divided by. Without it, errors at small times would
dominate the loss."""


class BackboneConfig(ABC):
    """Kind and size of a network; subclasses are frozen dataclasses with a field ``patch``."""

    patch: int
    """Number of frames of a token.

    All kinds have the same default: a configuration that only names another kind keeps it.
    """

    @abstractmethod
    def build(self, dim: int, tags: int, guided: bool) -> SequenceNet:
        """Build the network.

        Args:
            dim: Numbers per token.
            tags: Size of the condition vector, 0 for none.
            guided: Whether the network takes a guidance scale.

        Returns:
            A network over tokens (b, dim, n / patch), conditioned on tags (b, tags).
        """


@dataclass(frozen=True)
class DiTConfig(BackboneConfig):
    """A transformer, which sees the whole clip.

    Attributes:
        width: Number of channels.
        depth: Number of blocks.
        heads: Number of attention heads.
        patch: Number of frames of a token.
        decoder: Number of last blocks that see the target time alone, see
            :class:`oneleap.core.nets.DiT1d`; 0 for none.
    """

    width: int = 256
    depth: int = 5
    heads: int = 4
    patch: int = 8
    decoder: int = 0

    def build(self, dim: int, tags: int, guided: bool) -> SequenceNet:
        """See :meth:`BackboneConfig.build`."""
        sizes = self.width, self.depth, self.heads
        return DiT1d(dim, 0, tags, *sizes, guided=guided, decoder=self.decoder)


@dataclass(frozen=True)
class UNetConfig(BackboneConfig):
    """A U-Net over time, which is local and takes clips of any length.

    Attributes:
        widths: Channels of each level. Each level but the first has half the frames of the
            previous one.
        context_dim: Size of the embedding of times and tags.
        patch: Number of frames of a step of the first level.
    """

    widths: tuple[int, ...] = (256, 384)
    context_dim: int = 256
    patch: int = 8

    def build(self, dim: int, tags: int, guided: bool) -> SequenceNet:
        """See :meth:`BackboneConfig.build`."""
        return UNet1d(dim, 0, tags, self.widths, self.context_dim, guided=guided)


class MusicNet(nn.Module):
    """``u(z, r, t)`` of normalized spectrograms; a token is ``patch`` frames.

    The backbone ``F`` predicts the data (Li and He 2025, arXiv 2511.13720). Its input has unit
    variance, since ``N^2 = t^2 + (1 - t)^2`` is the variance of ``z``:

    ``u = (z - F(z / N, r, t)) / max(t, 0.05)``

    With 128 bands, a token of 8 frames is 1,024 numbers of a spectrogram, and a narrow network
    can represent a few hundred directions of them. That is enough for music: 256 directions hold
    99 % of the variance of rendered tunes. It is not enough for noise. With EDM's
    preconditioning, ``F`` becomes noise as ``t`` goes to 0, and the noise that the network cannot
    represent stays in the result. One step from ``t = 1``, ``z - u``, is ``F`` itself. A fresh
    DiT has ``F = 0``, the mean of the data.

    Args:
        backbone: Kind and size of the network.
        mels: Number of mel bands.
        tags: Size of the condition vector, 0 for none.
        guided: Whether the network takes a guidance scale per row, ``guidance=w``.
    """

    def __init__(
        self, backbone: BackboneConfig, mels: int, tags: int = 0, guided: bool = False
    ) -> None:
        super().__init__()
        self.backbone, self.mels, self.tags, self.guided = backbone, mels, tags, guided
        self.inner = backbone.build(backbone.patch * mels, tags, guided)

    def forward(
        self,
        z: Float[Tensor, "b mels n"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        *cond: Shaped[Tensor, "b ..."],
        guidance: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b mels n"]:
        """Return the mean velocity of ``z`` over ``[r, t]``.

        Args:
            z: Noisy spectrograms of any length. Zeros are appended to fill the last token.
            r: End of the interval, nearer to the data.
            t: Start of the interval, nearer to the noise.
            *cond: Tags (b, k), if the network has any.
            guidance: Guidance scale of each row, if the network takes one.
        """
        p, n = self.backbone.patch, z.shape[2]
        norm = expand((t.square() + (1 - t).square()).sqrt(), z)
        padded = nn.functional.pad(z / norm, (0, -n % p))
        tokens = rearrange(padded, "b c (n p) -> b (p c) n", p=p)
        if guidance is None:
            f = self.inner(tokens, r, t, *cond)
        else:
            f = self.inner(tokens, r, t, *cond, guidance=guidance)
        f = rearrange(f, "b (p c) n -> b c (n p)", p=p)[..., :n]
        u: Tensor = (z - f) / expand(t.clamp(min=MIN_T), z)
        return u
