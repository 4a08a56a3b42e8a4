"""Small parts that several networks share, above all those that keep padding out."""

from typing import TypeVar

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

Layer = TypeVar("Layer", bound=nn.Module)


def zeroed(layer: Layer) -> Layer:
    """The layer with all its weights set to zero."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer


def keep(x: Float[Tensor, "b *d"], mask: Bool[Tensor, "b *#d"] | None) -> Float[Tensor, "b *d"]:
    """``x`` with zeros where ``mask`` is False; ``x`` itself without a mask."""
    return x if mask is None else x.masked_fill(~mask, 0.0)


class MaskedGroupNorm(nn.GroupNorm):
    """Group normalisation of (b, c, n) whose statistics leave padded frames out."""

    def forward(
        self, input: Float[Tensor, "b c n"], mask: Bool[Tensor, "b 1 n"] | None = None
    ) -> Float[Tensor, "b c n"]:
        """Normalise over the channels of a group and the frames where ``mask`` is True."""
        if mask is None:
            return super().forward(input)
        x = input.float() if input.dtype in (torch.float16, torch.bfloat16) else input
        x = rearrange(x, "b (g c) n -> b g c n", g=self.num_groups)
        real = mask.unsqueeze(1).to(x.dtype)
        count = (real.sum(3, keepdim=True) * x.shape[2]).clamp(min=1.0)
        centred = x - (x * real).sum((2, 3), keepdim=True) / count
        variance = (centred.square() * real).sum((2, 3), keepdim=True) / count
        x = rearrange(centred * torch.rsqrt(variance + self.eps), "b g c n -> b (g c) n")
        x = x * self.weight.unsqueeze(1) + self.bias.unsqueeze(1)
        return x.to(input.dtype)


class AdaNorm(nn.Module):
    """Layer norm of each frame, scaled and shifted by the sample's context (adaLN).

    The context's projection starts at zero, so this starts as a plain layer norm.

    Args:
        width: Channels.
        context_dim: Size of the context.
    """

    def __init__(self, width: int, context_dim: int) -> None:
        super().__init__()
        self.width, self.context_dim = width, context_dim
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.modulation = zeroed(nn.Linear(context_dim, 2 * width))

    def forward(
        self, x: Float[Tensor, "b n c"], context: Float[Tensor, "b g"]
    ) -> Float[Tensor, "b n c"]:
        """``(1 + scale) norm(x) + shift``."""
        scale, shift = self.modulation(context).unsqueeze(1).chunk(2, dim=-1)
        return modulate(self.norm(x), scale, shift)


def modulate(
    x: Float[Tensor, "b n c"], scale: Float[Tensor, "b 1 c"], shift: Float[Tensor, "b 1 c"]
) -> Float[Tensor, "b n c"]:
    """``(1 + scale) x + shift``."""
    return torch.addcmul(x + shift, x, scale)
