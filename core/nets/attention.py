"""Self-attention over frames with rotary positions."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.errors import InputError

Rotation = tuple[Float[Tensor, "n half"], Float[Tensor, "n half"]]
"""Cosine and sine of each frame's angles, (n, d / 2) each."""


def rotary_angles(n: int, dim: int, like: Tensor, base: float = 10000.0) -> Rotation:
    """Angles of rotary position embedding (RoFormer, arXiv 2104.09864, Eq. 15).

    Args:
        n: Frames.
        dim: Size of a head, even.
        like: Gives device and dtype; the angles themselves are taken in float32 at least.
        base: The slowest pair turns by about ``1 / base`` radians a frame.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    place = torch.arange(n, device=like.device, dtype=dtype)
    power = torch.arange(0, dim, 2, device=like.device, dtype=dtype) / dim
    angle = torch.outer(place, base**-power)
    return angle.cos().to(like.dtype), angle.sin().to(like.dtype)


def rotate(x: Float[Tensor, "b h n d"], rotation: Rotation) -> Float[Tensor, "b h n d"]:
    """Turn pair ``(x_i, x_{i + d/2})`` of frame ``k`` by the ``i``-th angle of frame ``k``."""
    cos, sin = rotation
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class SelfAttention(nn.Module):
    """Multi-head self-attention; padded frames are attended to by none.

    Runs on the fastest kernel torch has, none of which has a forward derivative: inside a JVP
    use :func:`oneleap.core.fields.jvp.jvp`, which switches to the plain one.

    Args:
        width: Channels.
        heads: Divides ``width`` into parts of even size.

    Raises:
        InputError: If it does not.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % (2 * heads):
            raise InputError(
                f"width {width} must be a multiple of twice the heads, 2 x {heads}: "
                "change width or heads"
            )
        self.width, self.heads = width, heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "b n c"],
        rotation: Rotation,
        mask: Bool[Tensor, "b 1 n"] | None = None,
    ) -> Float[Tensor, "b n c"]:
        """Mix frames; ``mask`` is True where frames are real."""
        q, k, v = rearrange(self.qkv(x), "b n (s h d) -> s b h n d", s=3, h=self.heads)
        seen = None if mask is None else mask.unsqueeze(1)
        mixed = nn.functional.scaled_dot_product_attention(
            rotate(q, rotation), rotate(k, rotation), v, attn_mask=seen
        )
        y: Tensor = self.out(rearrange(mixed, "b h n d -> b n (h d)"))
        return y
