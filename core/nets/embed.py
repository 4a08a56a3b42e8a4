"""How networks are told the two times of a mean velocity."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class TimeFeatures(nn.Module):
    """Sinusoids of ``t`` and of the interval ``t - r``; no weights.

    The highest frequency is low on purpose. ``du/dt`` of an average-velocity loss grows in
    proportion to it: with frequencies up to 100 rad per unit time the loss of a policy stays at
    3 to 14, with 3 it starts below 0.7.

    Args:
        dim: Features for each of the two, even.
        max_frequency: Radians per unit of time; the lowest is a quarter of a radian.
    """

    def __init__(self, dim: int = 64, max_frequency: float = 4.0) -> None:
        super().__init__()
        self.dim, self.max_frequency = dim, max_frequency
        self.frequencies: Tensor
        log = torch.linspace(math.log(0.25), math.log(max_frequency), dim // 2)
        self.register_buffer("frequencies", log.exp(), persistent=False)

    def forward(self, r: Float[Tensor, "b"], t: Float[Tensor, "b"]) -> Float[Tensor, "b c"]:
        """Features of ``t``, then of ``t - r``: (b, 2 dim)."""
        angle = torch.cat([torch.outer(h, self.frequencies.to(t.dtype)) for h in (t, t - r)], 1)
        return torch.cat([angle.sin(), angle.cos()], dim=1)
