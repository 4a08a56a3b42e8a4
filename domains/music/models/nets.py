"""The network of a music model: a backbone over frames put together, which says the data."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from einops import rearrange
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from oneleap.core.nets import DiT1d, UNet1d
from oneleap.core.nets.sequence import SequenceNet
from oneleap.core.paths.base import expand

NEAREST = 0.05
"""Least time that the distance to the data is divided by; errors there would count for too much."""


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

    What the backbone says is the data (Li and He 2025, arXiv 2511.13720); what it sees has unit
    variance, ``N^2 = t^2 + (1 - t)^2`` being that of ``z``:

    ``u = (z - F(z / N, r, t)) / max(t, 0.05)``

    A token is 1,024 numbers of a spectrogram, of which a narrow network says a few hundred. That is
    enough for music (256 directions hold 99 % of the variance of rendered tunes), and not for
    noise: under EDM's preconditioning, where ``F`` becomes noise as ``t`` goes to 0, the rest of
    the noise stays in the result. One step, ``z - u`` at ``t = 1``, is ``F`` itself. Fresh DiTs
    have ``F = 0``, the mean of the data.

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
        u: Tensor = (z - f) / expand(t.clamp(min=NEAREST), z)
        return u
