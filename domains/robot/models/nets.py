"""Networks over chunks of actions: a head, given what is seen, and the eye if there are images."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from oneleap.core.nets import ResidualMLP, UNet1d
from oneleap.domains.robot.envs.task import Spec
from oneleap.domains.robot.models.vision import ViTLite

STAGES = ("cond", "early", "mid", "late")
"""Names of hidden layers, whichever the head; ``all`` is all of them."""


class Head(ABC):
    """A kind of network over chunks; subclasses are frozen dataclasses."""

    @abstractmethod
    def build(self, act_dim: int, chunk: int, cond_dim: int) -> nn.Module:
        """A field of chunks (b, act_dim, chunk), given vectors (b, cond_dim)."""

    @abstractmethod
    def stages(self) -> dict[str, str]:
        """Names of its submodules by those of :data:`STAGES`, but ``cond``."""


@dataclass(frozen=True)
class MLPHead(Head):
    """A residual network over the flat chunk, DPPO's and DM1's: three layers of 768.

    Attributes:
        width: Units per hidden layer.
        depth: Residual blocks, of two layers each, after a first layer.
        embed_dim: Size of the embedding of the two times.
    """

    width: int = 768
    depth: int = 1
    embed_dim: int = 32

    def build(self, act_dim: int, chunk: int, cond_dim: int) -> nn.Module:
        """See :meth:`Head.build`."""
        return Flat(ResidualMLP(act_dim * chunk, cond_dim, self.width, self.depth, self.embed_dim))

    def stages(self) -> dict[str, str]:
        """Of one block, the middle is between its two layers."""
        last = self.depth - 1
        mid = f"net.blocks.{last // 2}" if last else "net.blocks.0.first"
        return {"early": "net.inward", "mid": mid, "late": f"net.blocks.{last}"}


@dataclass(frozen=True)
class UNetHead(Head):
    """Diffusion Policy's U-Net over time.

    Attributes:
        widths: Channels of each level.
        context_dim: Size of the vector that times and condition become.
        kernel: Frames of each convolution, odd.
    """

    widths: tuple[int, ...] = (64, 128, 256)
    context_dim: int = 128
    kernel: int = 5

    def build(self, act_dim: int, chunk: int, cond_dim: int) -> nn.Module:
        """See :meth:`Head.build`."""
        return UNetOverChunks(
            UNet1d(
                act_dim,
                cond_dim=cond_dim,
                widths=self.widths,
                context_dim=self.context_dim,
                kernel=self.kernel,
            )
        )

    def stages(self) -> dict[str, str]:
        """The way down, the bottom, the way up."""
        return {"early": "net.down.0", "mid": "net.mid", "late": f"net.up.{len(self.widths) - 2}"}


class Flat(nn.Module):
    """A network over vectors, of chunks.

    Args:
        net: Over vectors.
    """

    def __init__(self, net: ResidualMLP) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        z: Float[Tensor, "b a n"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        cond: Float[Tensor, "b c"],
    ) -> Float[Tensor, "b a n"]:
        """Mean velocity."""
        u: Tensor = self.net(z.flatten(1), r, t, cond)
        return u.reshape(z.shape)


class UNetOverChunks(nn.Module):
    """A network over sequences.

    Args:
        net: Over sequences.
    """

    def __init__(self, net: UNet1d) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        z: Float[Tensor, "b a n"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        cond: Float[Tensor, "b c"],
    ) -> Float[Tensor, "b a n"]:
        """Mean velocity."""
        u: Tensor = self.net(z, r, t, cond)
        return u


@dataclass(frozen=True)
class Vision:
    """The eye: :class:`oneleap.domains.robot.models.vision.ViTLite`.

    Attributes:
        width: Channels of a token.
        heads: Of attention.
        blocks: Transformer blocks.
        out_dim: Size of what is seen.
    """

    width: int = 128
    heads: int = 4
    blocks: int = 1
    out_dim: int = 128


class PolicyNet(nn.Module):
    """Eye and head; called as ``net(z, r, t, cond)``, with ``cond`` by :meth:`encode`.

    What is seen is encoded once, however often the field is asked.

    Hidden layers: ``condition`` (b, c), and those of the head under ``head``.

    Args:
        spec: Sizes of the data.
        head: Kind of network over chunks.
        vision: The eye, if there are images.
    """

    def __init__(self, spec: Spec, head: Head, vision: Vision) -> None:
        super().__init__()
        seen = spec.obs_dim * spec.obs_steps
        self.eye: ViTLite | None = None
        if spec.cameras:
            channels = 3 * len(spec.cameras) * spec.obs_steps
            self.eye = ViTLite(
                channels,
                spec.image_size,
                seen,
                width=vision.width,
                heads=vision.heads,
                blocks=vision.blocks,
                out_dim=vision.out_dim,
            )
        cond_dim = seen + (vision.out_dim if spec.cameras else 0)
        self.condition = nn.Identity()
        self.head = head.build(spec.act_dim, spec.chunk, cond_dim)
        self.stages = {"cond": "condition"}
        self.stages |= {stage: f"head.{name}" for stage, name in head.stages().items()}

    def encode(
        self,
        obs: Float[Tensor, "b o"],
        images: UInt8[Tensor, "b cameras steps 3 h w"] | None = None,
    ) -> Float[Tensor, "b c"]:
        """The condition: what is seen, then the normalised observations themselves."""
        if self.eye is None or images is None:
            return obs
        return torch.cat([self.eye(images, obs), obs], dim=1)

    def forward(
        self,
        z: Float[Tensor, "b a n"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        cond: Float[Tensor, "b c"],
    ) -> Float[Tensor, "b a n"]:
        """Mean velocity of a chunk over ``[r, t]``."""
        u: Tensor = self.head(z, r, t, self.condition(cond))
        return u
