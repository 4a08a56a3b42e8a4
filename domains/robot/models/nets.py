"""Networks over chunks of actions: a head, and a vision encoder if there are images."""

from abc import ABC, abstractmethod
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from oneleap.core.nets import ResidualMLP, UNet1d
from oneleap.domains.robot.legacy import WEIGHTS
from oneleap.domains.robot.models.vision import ViTLite
from oneleap.domains.robot.spec import Spec

STAGES = ("cond", "early", "mid", "late")
"""Names of hidden layers that hold for every head; ``all`` stands for all of them."""


class Head(ABC):
    """A kind of network over chunks; subclasses are frozen dataclasses."""

    @abstractmethod
    def build(self, act_dim: int, horizon: int, cond_dim: int) -> nn.Module:
        """Build a field of chunks (b, act_dim, horizon), given conditions (b, cond_dim)."""

    @abstractmethod
    def stages(self) -> dict[str, str]:
        """Map the names of :data:`STAGES`, except ``cond``, to names of submodules."""


@dataclass(frozen=True)
class MLPHead(Head):
    """A residual MLP over the flattened chunk; by default that of DPPO and DM1, 3 layers of 768.

    Attributes:
        width: Units per hidden layer.
        depth: Number of residual blocks, of two layers each, after a first layer.
        embed_dim: Size of the embedding of the two times.
    """

    width: int = 768
    depth: int = 1
    embed_dim: int = 32

    def build(self, act_dim: int, horizon: int, cond_dim: int) -> nn.Module:
        """See :meth:`Head.build`."""
        dim = act_dim * horizon
        return ChunkMLP(ResidualMLP(dim, cond_dim, self.width, self.depth, self.embed_dim))

    def stages(self) -> dict[str, str]:
        """See :meth:`Head.stages`. With one block, ``mid`` is between its two layers."""
        last = self.depth - 1
        mid = f"net.blocks.{last // 2}" if last else "net.blocks.0.first"
        return {"early": "net.inward", "mid": mid, "late": f"net.blocks.{last}"}


@dataclass(frozen=True)
class UNetHead(Head):
    """Diffusion Policy's U-Net over the time axis of the chunk.

    Attributes:
        widths: Channels of each level.
        context_dim: Size of the joint embedding of times and condition.
        kernel: Kernel size of each convolution, odd.
    """

    widths: tuple[int, ...] = (64, 128, 256)
    context_dim: int = 128
    kernel: int = 5

    def build(self, act_dim: int, horizon: int, cond_dim: int) -> nn.Module:
        """See :meth:`Head.build`."""
        return ChunkUNet(
            UNet1d(
                act_dim,
                cond_dim=cond_dim,
                widths=self.widths,
                context_dim=self.context_dim,
                kernel=self.kernel,
            )
        )

    def stages(self) -> dict[str, str]:
        """See :meth:`Head.stages`: the downward path, the bottom and the upward path."""
        return {"early": "net.down.0", "mid": "net.mid", "late": f"net.up.{len(self.widths) - 2}"}


class ChunkMLP(nn.Module):
    """Applies a network over vectors to flattened chunks.

    Args:
        net: Network over vectors.
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
        """Return the mean velocity over ``[r, t]``."""
        u: Tensor = self.net(z.flatten(1), r, t, cond)
        return u.reshape(z.shape)


class ChunkUNet(nn.Module):
    """Applies a network over sequences to chunks.

    Args:
        net: Network over sequences.
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
        """Return the mean velocity over ``[r, t]``."""
        u: Tensor = self.net(z, r, t, cond)
        return u


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of the vision encoder, :class:`oneleap.domains.robot.models.vision.ViTLite`.

    Attributes:
        width: Channels of a token.
        heads: Attention heads.
        blocks: Transformer blocks.
        out_dim: Size of the encoding.
    """

    width: int = 128
    heads: int = 4
    blocks: int = 1
    out_dim: int = 128


class PolicyNet(nn.Module):
    """Vision encoder and head; called as ``net(z, r, t, cond)``, with ``cond`` from :meth:`encode`.

    Observations are encoded once per decision, however often the field is evaluated.

    Hidden layers: ``condition`` (b, c), and those of the head under ``head``.

    Args:
        spec: Sizes of the data.
        head: Kind of network over chunks.
        vision: Sizes of the vision encoder, which is built if there are images.
    """

    def __init__(self, spec: Spec, head: Head, vision: VisionConfig) -> None:
        super().__init__()
        obs_dim = spec.obs_dim * spec.n_obs_steps
        self.vision_encoder: ViTLite | None = None
        if spec.cameras:
            channels = 3 * len(spec.cameras) * spec.n_obs_steps
            self.vision_encoder = ViTLite(
                channels,
                spec.image_size,
                obs_dim,
                width=vision.width,
                heads=vision.heads,
                blocks=vision.blocks,
                out_dim=vision.out_dim,
            )
        cond_dim = obs_dim + (vision.out_dim if spec.cameras else 0)
        self.condition = nn.Identity()
        self.head = head.build(spec.act_dim, spec.horizon, cond_dim)
        self.stages = {"cond": "condition"}
        self.stages |= {stage: f"head.{name}" for stage, name in head.stages().items()}
        register: Any = self.register_load_state_dict_pre_hook
        register(rename_old_weights)

    def encode(
        self,
        obs: Float[Tensor, "b o"],
        images: UInt8[Tensor, "b cameras steps 3 h w"] | None = None,
    ) -> Float[Tensor, "b c"]:
        """Return the condition: the encoding of the images, then the normalized observations."""
        if self.vision_encoder is None or images is None:
            return obs
        return torch.cat([self.vision_encoder(images, obs), obs], dim=1)

    def forward(
        self,
        z: Float[Tensor, "b a n"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        cond: Float[Tensor, "b c"],
    ) -> Float[Tensor, "b a n"]:
        """Return the mean velocity of a chunk over ``[r, t]``."""
        u: Tensor = self.head(z, r, t, self.condition(cond))
        return u


def rename_old_weights(
    module: nn.Module, state: MutableMapping[str, Tensor], prefix: str, *details: object
) -> None:
    """Rename weights that an earlier version of :class:`PolicyNet` saved.

    Args:
        module: Module that is loaded.
        state: Weights by name, changed in place.
        prefix: Prefix of the module's names.
        details: Further arguments that PyTorch passes to such a hook.
    """
    for name in [name for name in state if name.startswith(f"{prefix}eye.")]:
        parts = name.removeprefix(prefix).split(".")
        state[prefix + ".".join(WEIGHTS.get(part, part) for part in parts)] = state.pop(name)
