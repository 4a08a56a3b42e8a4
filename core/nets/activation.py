"""Activations that compile to few transcendental calls."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def mish(x: Float[Tensor, "*d"]) -> Float[Tensor, "*d"]:
    """Mish, ``x tanh(softplus(x))`` (Misra 2019), with one exponential and one division.

    With ``w = e^x`` and ``n = w (w + 2)``, ``tanh(softplus(x)) = n / (n + 2)``. Beyond 20 the ratio
    is 1 in float32 and float64. On a CPU, torch's Mish costs more than the 256x256 product before
    it; this form, compiled, costs a fifth of that. Uncompiled, torch's single call is faster.
    """
    if not torch.compiler.is_compiling():
        return nn.functional.mish(x)
    w = torch.exp(x.clamp(max=20.0))
    n = w * (w + 2)
    return x * n / (n + 2)


class Mish(nn.Module):
    """:func:`mish` as a layer."""

    def forward(self, x: Float[Tensor, "*d"]) -> Float[Tensor, "*d"]:
        """Apply elementwise."""
        return mish(x)
