"""The vision encoder: IBRL's small vision transformer, as DPPO and DM1 use it."""

import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn


class Block(nn.Module):
    """A pre-norm transformer block.

    Args:
        width: Channels.
        heads: Attention heads; divides ``width``.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """Apply self-attention over the tokens, then an MLP to each token."""
        qkv = self.qkv(self.attention_norm(x))
        q, k, v = rearrange(qkv, "b n (s h d) -> s b h n d", s=3, h=self.heads)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(rearrange(mixed, "b h n d -> b n (h d)"))
        y: Tensor = x + self.mlp(self.mlp_norm(x))
        return y


class SpatialEmbedding(nn.Module):
    """Pools tokens and proprioception into one vector (Hu et al. 2023, IBRL, arXiv 2311.02198).

    Each channel's map is concatenated with the robot's state, projected, multiplied by weights of
    that channel, and summed over channels. Deviation: there is no dropout, because its draws would
    not be a function of seed and step.

    Args:
        tokens: Number of tokens.
        width: Channels of a token.
        proprio_dim: Size of the robot's state.
        out_dim: Size of the result.
    """

    def __init__(self, tokens: int, width: int, proprio_dim: int, out_dim: int) -> None:
        super().__init__()
        self.tokens, self.width = tokens, width
        self.proprio_dim, self.out_dim = proprio_dim, out_dim
        self.project = nn.Sequential(
            nn.Linear(tokens + proprio_dim, out_dim), nn.LayerNorm(out_dim), nn.ReLU()
        )
        self.weight = nn.Parameter(torch.randn(width, out_dim) / width**0.5)

    def forward(
        self, x: Float[Tensor, "b n c"], proprio: Float[Tensor, "b p"]
    ) -> Float[Tensor, "b out"]:
        """Return one vector per sample."""
        maps = x.transpose(1, 2)
        state = proprio.unsqueeze(1).expand(-1, self.width, -1)
        projected = self.project(torch.cat([maps, state], dim=2))
        y: Tensor = (projected * self.weight).sum(1)
        return y


class ViTLite(nn.Module):
    """Convolutional patches of stride 8, transformer blocks, and a spatial embedding.

    The images of all cameras and steps of a sample are stacked as channels.

    Args:
        channels: Channels of the stack, three per image.
        image_size: Height and width, pixels.
        proprio_dim: Size of the robot's state.
        width: Channels of a token.
        heads: Attention heads.
        blocks: Transformer blocks.
        out_dim: Size of the result.
    """

    def __init__(
        self,
        channels: int,
        image_size: tuple[int, int],
        proprio_dim: int,
        width: int = 128,
        heads: int = 4,
        blocks: int = 1,
        out_dim: int = 128,
    ) -> None:
        super().__init__()
        self.channels, self.image_size, self.proprio_dim = channels, image_size, proprio_dim
        self.width, self.heads, self.out_dim = width, heads, out_dim
        self.patches = nn.Sequential(
            nn.Conv2d(channels, width, 8, stride=4), nn.ReLU(), nn.Conv2d(width, width, 3, stride=2)
        )
        tokens = 1
        for side in image_size:
            tokens *= ((side - 8) // 4 + 1 - 3) // 2 + 1
        self.position = nn.Parameter(0.02 * torch.randn(1, tokens, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.compress = SpatialEmbedding(tokens, width, proprio_dim, out_dim)

    def forward(
        self, images: UInt8[Tensor, "b cameras steps 3 h w"], proprio: Float[Tensor, "b p"]
    ) -> Float[Tensor, "b out"]:
        """Encode the images of each sample, given the robot's state, as one vector."""
        x = images.flatten(1, 3).to(proprio.dtype) / 255 - 0.5
        x = self.patches(x).flatten(2).transpose(1, 2) + self.position
        y: Tensor = self.compress(self.norm(self.blocks(x)), proprio)
        return y


def random_shift(
    images: UInt8[Tensor, "b cameras steps 3 h w"], pad: int, generator: torch.Generator
) -> UInt8[Tensor, "b cameras steps 3 h w"]:
    """Shift images by random offsets and repeat their edges: DrQ's augmentation (arXiv 2004.13649).

    Args:
        images: Images; all images of one sample are shifted together.
        pad: Largest shift in each direction, pixels.
        generator: Generator of the offsets.

    Returns:
        Images of the same size.
    """
    b, (h, w), device = len(images), images.shape[-2:], images.device
    offset = torch.randint(-pad, pad + 1, (2, b, 1), generator=generator, device=device)
    y = (torch.arange(h, device=device) + offset[0]).clamp(0, h - 1)
    x = (torch.arange(w, device=device) + offset[1]).clamp(0, w - 1)
    sample = torch.arange(b, device=device)[:, None, None]
    moved = images.flatten(1, 3)[sample, :, y[:, :, None], x[:, None, :]]
    return moved.permute(0, 3, 1, 2).reshape(images.shape).contiguous()
