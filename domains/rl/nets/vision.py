"""Image encoders of policies and critics, and the random shift of their images."""

import itertools
import math

import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from oneleap.core.nets.mlp import MLP
from oneleap.domains.rl.nets.critics import Critic

CHANNELS, FEATURES = (16, 32, 32), 128
"""Channels of each section, and number of features, of the encoders of policies and critics."""

Image = tuple[int, int, int]
"""Height, width, channels."""


class ResidualBlock(nn.Module):
    """``x + conv(relu(conv(relu(x))))``.

    Args:
        channels: Channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Apply the block."""
        y: Tensor = x + self.second(relu(self.first(relu(x))))
        return y


class ImpalaEncoder(nn.Module):
    """IMPALA's ResNet (Espeholt et al. 2018, arXiv 1802.01561, Fig. 3), as small as FQL has it.

    A section is a convolution, a pooling that halves the image, and residual blocks. After the last
    section comes a linear layer with layer norm, as in FQL's ``impala_small``.

    Args:
        image: Height, width and channels of the images.
        channels: Channels of each section. The paper has 16, 32, 32.
        features: Number of features of an image.
        blocks: ResidualBlock blocks in a section. The paper has 2.
    """

    def __init__(
        self,
        image: Image,
        channels: tuple[int, ...] = CHANNELS,
        features: int = FEATURES,
        blocks: int = 1,
    ) -> None:
        super().__init__()
        self.image, self.channels = image, channels
        self.features, self.blocks = features, blocks
        self.convolutions, self.residuals = nn.ModuleList(), nn.ModuleList()
        for before, after in itertools.pairwise((image[2], *channels)):
            self.convolutions.append(nn.Conv2d(before, after, 3, padding=1))
            self.residuals.append(nn.Sequential(*(ResidualBlock(after) for _ in range(blocks))))
        height, width = (math.ceil(n / 2 ** len(channels)) for n in image[:2])
        self.out = nn.Linear(channels[-1] * height * width, features)
        self.norm = nn.LayerNorm(features)

    def forward(self, flat: Float[Tensor, "b p"]) -> Float[Tensor, "b f"]:
        """Features of flattened images, (b, h * w * c), with pixels in [-1, 1]."""
        h, w, c = self.image
        x = rearrange(flat, "b (h w c) -> b c h w", h=h, w=w, c=c)
        for convolution, residual in zip(self.convolutions, self.residuals, strict=True):
            x = residual(max_pool2d(convolution(x), 3, stride=2, padding=1))
        y: Tensor = self.norm(self.out(relu(x).flatten(1)))
        return y


class PixelMLP(nn.Module):
    """The network of a policy: an image encoder, then an MLP.

    Args:
        dim: Size of an action.
        image: Height, width and channels of an observation.
        width: Units per hidden layer.
        depth: Number of hidden layers.
        time_dim: Size of each set of time features.
    """

    def __init__(self, dim: int, image: Image, width: int, depth: int, time_dim: int) -> None:
        super().__init__()
        self.dim, self.image, self.width = dim, image, width
        self.depth, self.time_dim = depth, time_dim
        self.encoder = ImpalaEncoder(image)
        self.mlp = MLP(dim, FEATURES, width, depth, time_dim)

    def forward(
        self,
        z: Float[Tensor, "b a"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        s: Float[Tensor, "b p"],
    ) -> Float[Tensor, "b a"]:
        """Evaluate the field.

        Args:
            z: State at time ``t``.
            r: Earlier times.
            t: Later times.
            s: Flattened images, pixels in [-1, 1].

        Returns:
            Mean velocity of ``z`` over ``[r, t]``.
        """
        u: Tensor = self.mlp(z, r, t, self.encoder(s))
        return u


class PixelCritic(nn.Module):
    """An image encoder, then an ensemble of Q functions.

    Args:
        image: Height, width and channels of an observation.
        act_dim: Size of an action.
        width: Units per hidden layer.
        depth: Number of hidden layers.
        layer_norm: See :class:`Critic`.
        members: Number of Q functions.
    """

    def __init__(
        self,
        image: Image,
        act_dim: int,
        width: int,
        depth: int,
        layer_norm: bool,
        members: int = 2,
    ) -> None:
        super().__init__()
        self.image, self.act_dim, self.members = image, act_dim, members
        self.width, self.depth, self.layer_norm = width, depth, layer_norm
        self.encoder = ImpalaEncoder(image)
        self.q = Critic(FEATURES, act_dim, width, depth, members, layer_norm)

    def forward(
        self,
        obs: Float[Tensor, "b p"],
        act: Float[Tensor, "b a"],
        members: Int[Tensor, "k"] | None = None,
    ) -> Float[Tensor, "k b"]:
        """Evaluate the ensemble.

        Args:
            obs: Flattened images, pixels in [-1, 1].
            act: Actions on [-1, 1].
            members: Indices of the members to evaluate; by default all of them.

        Returns:
            Values, one row per member.
        """
        q: Tensor = self.q(self.encoder(obs), act, members)
        return q


def random_shift(
    images: UInt8[Tensor, "b h w c"], pad: int, generator: torch.Generator
) -> UInt8[Tensor, "b h w c"]:
    """Shift each image at random along both axes, and fill the gap by repeating its border.

    This is DrQ-v2's augmentation (Yarats et al. 2021, arXiv 2107.09645, Sec. 3.1), restricted to
    whole pixels.

    Args:
        images: The images.
        pad: Largest shift, in pixels.
        generator: Generator of the shifts, on the device of the images.

    Returns:
        The shifted images.
    """
    b, h, w, _ = images.shape
    device = images.device
    shift = torch.randint(-pad, pad + 1, (2, b, 1), generator=generator, device=device)
    y = (torch.arange(h, device=device) + shift[0]).clamp(0, h - 1)
    x = (torch.arange(w, device=device) + shift[1]).clamp(0, w - 1)
    rows = torch.arange(b, device=device)[:, None, None]
    return images[rows, y[:, :, None], x[:, None, :]]
