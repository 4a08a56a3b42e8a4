"""Linear layers with products of 8-bit integers, for inference on a CPU."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

HIGHEST = 127
"""Largest magnitude of an 8-bit number; -128 is not used."""

SMALLEST = 64
"""Layers with fewer inputs or outputs stay as they are: rounding would cost more than it saves."""

ROWS = 256
"""Rows that are multiplied at once: their products then stay in the cache."""


class Int8Linear(nn.Module):
    """A linear layer with 8-bit weights, whose inputs are rounded to 8 bits as well.

    Each output has a scale, and so has each row of the input, so a row of the result depends on
    no other row. Products and sums of integers are exact.

    Args:
        linear: Layer to convert; its weights are rounded to the nearest of 255 values.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        scale = weight.abs().amax(1).clamp(min=torch.finfo(weight.dtype).tiny) / HIGHEST
        rounded = (weight / scale.unsqueeze(1)).round().to(torch.int8)
        self.register_buffer("whole", rounded.T.contiguous())
        self.register_buffer("scale", scale)
        bias = torch.zeros_like(scale) if linear.bias is None else linear.bias.detach().clone()
        self.register_buffer("bias", bias)

    def forward(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """Apply the layer."""
        weight, scale = self.get_buffer("whole"), self.get_buffer("scale")
        bias, rows = self.get_buffer("bias"), x.reshape(-1, x.shape[-1])
        found = rows.new_empty(len(rows), weight.shape[1])
        pieces = zip(torch.split(rows, ROWS), torch.split(found, ROWS), strict=True)
        for part, out in pieces:
            each = part.abs().amax(1, keepdim=True).clamp_(min=1e-12).mul_(1 / HIGHEST)
            whole = (part / each).round_().to(torch.int8)
            out.copy_(torch._int_mm(whole, weight)).mul_(each).mul_(scale).add_(bias)
        return found.view(*x.shape[:-1], -1)


def use_int8(module: nn.Module) -> None:
    """Replace the large linear layers inside a module, which can then no longer be trained.

    Args:
        module: Module to change in place; it is not converted if it is itself a linear layer.
    """
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and min(child.weight.shape) >= SMALLEST:
                setattr(parent, name, Int8Linear(child))
