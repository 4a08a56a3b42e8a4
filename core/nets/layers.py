"""Small parts that several networks share, in particular masked operations."""

from typing import TypeVar

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

Layer = TypeVar("Layer", bound=nn.Module)


def zero_init(layer: Layer) -> Layer:
    """Set all weights of a layer to zero, and return the layer."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer


def apply_mask(
    x: Float[Tensor, "b *d"], mask: Bool[Tensor, "b *#d"] | None
) -> Float[Tensor, "b *d"]:
    """Set ``x`` to zero where ``mask`` is False; without a mask return ``x``."""
    return x if mask is None else x.masked_fill(~mask, 0.0)


class MaskedGroupNorm(nn.GroupNorm):
    """Group normalization of (b, c, n) whose statistics exclude padded frames."""

    def forward(
        self, input: Float[Tensor, "b c n"], mask: Bool[Tensor, "b 1 n"] | None = None
    ) -> Float[Tensor, "b c n"]:
        """Normalize over the channels of a group and the frames where ``mask`` is True."""
        if mask is None:
            return super().forward(input)
        x = input.float() if input.dtype in (torch.float16, torch.bfloat16) else input
        x = rearrange(x, "b (g c) n -> b g c n", g=self.num_groups)
        real = mask.unsqueeze(1).to(x.dtype)
        count = (real.sum(3, keepdim=True) * x.shape[2]).clamp(min=1.0)
        centered = x - (x * real).sum((2, 3), keepdim=True) / count
        variance = (centered.square() * real).sum((2, 3), keepdim=True) / count
        x = rearrange(centered * torch.rsqrt(variance + self.eps), "b g c n -> b (g c) n")
        x = x * self.weight.unsqueeze(1) + self.bias.unsqueeze(1)
        return x.to(input.dtype)


class AdaNorm(nn.Module):
    """Layer norm of each frame, scaled and shifted by the sample's context (adaLN).

    The projection of the context starts at zero, so a fresh layer is a plain layer norm.

    Args:
        width: Number of channels.
        context_dim: Size of the context.
    """

    def __init__(self, width: int, context_dim: int) -> None:
        super().__init__()
        self.width, self.context_dim = width, context_dim
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.modulation = zero_init(nn.Linear(context_dim, 2 * width))

    def forward(
        self, x: Float[Tensor, "b n c"], context: Float[Tensor, "b g"]
    ) -> Float[Tensor, "b n c"]:
        """Compute ``(1 + scale) norm(x) + shift``."""
        scale, shift = self.modulation(context).unsqueeze(1).chunk(2, dim=-1)
        return modulate(self.norm(x), scale, shift)


def modulate(
    x: Float[Tensor, "b n c"], scale: Float[Tensor, "b 1 c"], shift: Float[Tensor, "b 1 c"]
) -> Float[Tensor, "b n c"]:
    """Compute ``(1 + scale) x + shift``.

    Args:
        x: Frames, (b, n, c).
        scale: Scale of each sample, (b, 1, c).
        shift: Shift of each sample, (b, 1, c).

    Returns:
        Frames, (b, n, c).
    """
    return torch.addcmul(x + shift, x, scale)
