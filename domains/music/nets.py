"""The network of a music model: a backbone over frames put together, preconditioned as in EDM."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from oneleap.core.nets import DiT1d, UNet1d
from oneleap.core.nets.sequence import SequenceNet
from oneleap.core.path import expand


class Backbone(ABC):
    """A kind of network; subclasses are frozen dataclasses with a field ``patch``."""

    patch: int
    """Frames that are put together as one step of the network.

    The default is the same for all kinds: a configuration that only names another kind keeps it.
    """

    @abstractmethod
    def build(self, dim: int, tags: int, guided: bool) -> SequenceNet:
        """A network over (b, dim, n / patch), given tags (b, tags) if there are any."""


@dataclass(frozen=True)
class DiT(Backbone):
    """A transformer: sees the whole clip.

    Attributes:
        width: Channels.
        depth: Blocks.
        heads: Of attention.
        patch: Frames a token.
    """

    width: int = 256
    depth: int = 5
    heads: int = 4
    patch: int = 8

    def build(self, dim: int, tags: int, guided: bool) -> SequenceNet:
        """See :meth:`Backbone.build`."""
        return DiT1d(dim, 0, tags, self.width, self.depth, self.heads, guided=guided)


@dataclass(frozen=True)
class UNet(Backbone):
    """A U-Net over time: local, and of any length.

    Attributes:
        widths: Channels of each level; every level but the first has half the frames of the last.
        context_dim: Size of the vector that times and tags become.
        patch: Frames a step of the first level.
    """

    widths: tuple[int, ...] = (256, 384)
    context_dim: int = 256
    patch: int = 8

    def build(self, dim: int, tags: int, guided: bool) -> SequenceNet:
        """See :meth:`Backbone.build`."""
        return UNet1d(dim, 0, tags, self.widths, self.context_dim, guided=guided)


class MusicNet(nn.Module):
    """``u(z, r, t)`` of normalised spectrograms, ``patch`` frames at a time.

    EDM's preconditioning (arXiv 2206.00364, Table 1) for data of unit variance, written on the
    linear path, where ``N^2 = t^2 + (1 - t)^2`` is the variance of ``z``:

    ``u = (2t - 1) / N^2 z - F(z / N, r, t) / N``

    ``F`` has unit variance at every ``t``, and at ``t = 1`` it is the data: one step is ``F``
    itself, which need not copy the noise through a narrow layer. ``F = 0`` is the best linear
    answer for white data. Fresh DiTs have ``F = 0``.

    Args:
        backbone: Kind of the network.
        mels: Bands.
        tags: Size of the condition vector; 0 for none.
        guided: Takes a guidance scale per row, ``guidance=w``.
    """

    def __init__(self, backbone: Backbone, mels: int, tags: int = 0, guided: bool = False) -> None:
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
        """Mean velocity of ``z`` over ``[r, t]``; any ``n``, zeros being put behind the last."""
        p, n = self.backbone.patch, z.shape[2]
        norm = expand((t.square() + (1 - t).square()).sqrt(), z)
        padded = nn.functional.pad(z / norm, (0, -n % p))
        tokens = rearrange(padded, "b c (n p) -> b (p c) n", p=p)
        if guidance is None:
            f = self.inner(tokens, r, t, *cond)
        else:
            f = self.inner(tokens, r, t, *cond, guidance=guidance)
        f = rearrange(f, "b (p c) n -> b c (n p)", p=p)[..., :n]
        u: Tensor = torch.addcmul(-f / norm, expand(2 * t - 1, z), z / norm.square())
        return u
