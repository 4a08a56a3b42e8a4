"""Toy datasets in the plane that are difficult in different ways."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Draws = Callable[[int, torch.Generator], Tensor]
"""A distribution: function of ``n`` and a generator -> (n, 2), standard deviation about 1."""


def eight_gaussians(n: int, generator: torch.Generator) -> Float[Tensor, "n 2"]:
    """Draw from eight narrow Gaussians on a circle, which force a map to tear the noise apart."""
    angle = torch.randint(8, (n,), generator=generator) * (torch.pi / 4)
    center = 1.4 * torch.stack([angle.cos(), angle.sin()], dim=1)
    return center + 0.1 * torch.randn(n, 2, generator=generator)


def checkerboard(n: int, generator: torch.Generator) -> Float[Tensor, "n 2"]:
    """Draw uniformly from every other square of a 4 x 4 board: sharp edges and touching corners."""
    column = torch.randint(4, (n,), generator=generator)
    row = 2 * torch.randint(2, (n,), generator=generator) + column % 2
    field = torch.stack([column, row], dim=1) - 2.0
    return 0.85 * (field + torch.rand(n, 2, generator=generator))


def spiral(n: int, generator: torch.Generator) -> Float[Tensor, "n 2"]:
    """Draw from two turns of a thin spiral, a curve close to itself."""
    turn = 4 * torch.pi * torch.rand(n, generator=generator).sqrt()
    arm = turn / (4 * torch.pi) * 2.0
    x = torch.stack([arm * turn.cos(), arm * turn.sin()], dim=1)
    return x + 0.03 * torch.randn(n, 2, generator=generator)


SETS: dict[str, Draws] = {
    "eight Gaussians": eight_gaussians,
    "checkerboard": checkerboard,
    "spiral": spiral,
}
