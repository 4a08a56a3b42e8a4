"""Learned log-variance of a loss over its times (EDM2, arXiv 2312.02696; sCM; 2505.18825)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LogVariance(nn.Module):
    """``exp(-lv(r, t)) L + lv(r, t)``: every time weighs alike, and no minimum moves.

    ``lv`` is a linear map of Fourier features of both times together, ``cos(a r + b t + c)`` and
    ``cos(a r - b t + d)``, so that it can depend on the gap. For a fixed network it converges to
    ``ln E[L | r, t]``, where the gradient is ``grad E[L] / E[L]``: the mean of a target stays its
    mean. Weights that divide by a row's own error, as adaptive ones do, move it.

    Args:
        features: Number of features of each kind.
        seed: Seed of their frequencies.
    """

    def __init__(self, features: int = 64, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.frequencies: Tensor
        self.phases: Tensor
        for name in ("frequencies", "phases"):
            drawn = torch.randn if name == "frequencies" else torch.rand
            value = 2 * math.pi * drawn((2, features), generator=generator)
            self.register_buffer(name, value)
        self.linear = nn.Linear(2 * features, 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, r: Float[Tensor, "b"], t: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """Log-variance at each row's times."""
        times = torch.stack([r, t]).to(self.frequencies)
        ours, theirs = times.unsqueeze(-1) * self.frequencies.unsqueeze(1)
        angle = torch.cat([ours + theirs, ours - theirs], 1) + self.phases.flatten()
        features = math.sqrt(2) * angle.cos()
        lv: Tensor = self.linear(features).squeeze(1)
        return lv

    def weigh(
        self, loss: Float[Tensor, "b"], r: Float[Tensor, "b"], t: Float[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """Weigh the loss of each row.

        Args:
            loss: Losses, (b,), not negative.
            r: Target times, (b,).
            t: Current times, (b,).
        """
        lv: Tensor = self(r, t)
        return torch.exp(-lv) * loss + lv
