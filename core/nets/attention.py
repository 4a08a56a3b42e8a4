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
        n: Number of frames.
        dim: Size of a head, even.
        like: Tensor whose device and dtype the result has; angles are computed in float32 or wider.
        base: The slowest pair rotates by about ``1 / base`` radians per frame.

    Returns:
        Cosine and sine of the angles, each (n, dim / 2).
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    position = torch.arange(n, device=like.device, dtype=dtype)
    power = torch.arange(0, dim, 2, device=like.device, dtype=dtype) / dim
    angle = torch.outer(position, base**-power)
    return angle.cos().to(like.dtype), angle.sin().to(like.dtype)


def rotate(x: Float[Tensor, "b h n d"], rotation: Rotation) -> Float[Tensor, "b h n d"]:
    """Rotate each pair ``(x_i, x_{i + d/2})`` of a frame by the frame's ``i``-th angle."""
    cos, sin = rotation
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class SelfAttention(nn.Module):
    """Multi-head self-attention that ignores padded frames.

    It runs on torch's fastest kernels, which have no forward derivative. Inside a JVP use
    :func:`oneleap.core.fields.jvp.jvp`, which switches to the plain kernel.

    Args:
        width: Number of channels.
        heads: Number of heads; they divide ``width`` into parts of even size.

    Raises:
        InputError: If ``width`` is not a multiple of twice the heads.
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
        """Mix the frames.

        Args:
            x: Frames, (b, n, c).
            rotation: Angles from :func:`rotary_angles`.
            mask: True where frames are real, (b, 1, n).

        Returns:
            Mixed frames, (b, n, c).
        """
        y: Tensor = self.out(self.mix(x, x, rotation, mask))
        return y

    def mix(
        self,
        x: Float[Tensor, "b n c"],
        source: Float[Tensor, "b n c"],
        rotation: Rotation,
        mask: Bool[Tensor, "b 1 n"] | None = None,
    ) -> Float[Tensor, "b n c"]:
        """Attend from some frames to others, without the last linear map.

        Args:
            x: Frames that ask, (b, n, c).
            source: Frames that keys and values come from, (b, n, c).
            rotation: Angles from :func:`rotary_angles`.
            mask: True where frames are real, (b, 1, n).

        Returns:
            Mixed values, (b, n, c).
        """
        q, k, v = rearrange(self.qkv(source), "b n (s h d) -> s b h n d", s=3, h=self.heads)
        if source is not x:
            weight, bias = self.qkv.weight[: self.width], self.qkv.bias[: self.width]
            q = nn.functional.linear(x, weight, bias)
            q = rearrange(q, "b n (h d) -> b h n d", h=self.heads)
        key_mask = None if mask is None else mask.unsqueeze(1)
        mixed = nn.functional.scaled_dot_product_attention(
            rotate(q, rotation), rotate(k, rotation), v, attn_mask=key_mask
        )
        return rearrange(mixed, "b h n d -> b n (h d)")
