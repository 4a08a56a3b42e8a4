"""Sets in the plane that are hard in different ways, to compare methods on in minutes."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Draws = Callable[[int, torch.Generator], Tensor]
"""A law to draw from: ``(n, generator)`` -> (n, 2), of standard deviation about 1."""


def eight_gaussians(n: int, generator: torch.Generator) -> Float[Tensor, "n 2"]:
    """Eight narrow Gaussians on a circle: far from each other, so a map must tear the noise."""
    angle = torch.randint(8, (n,), generator=generator) * (torch.pi / 4)
    centre = 1.4 * torch.stack([angle.cos(), angle.sin()], dim=1)
    return centre + 0.1 * torch.randn(n, 2, generator=generator)


def checkerboard(n: int, generator: torch.Generator) -> Float[Tensor, "n 2"]:
    """Every other field of a board of 4 x 4, uniformly: sharp edges, and corners that touch."""
    column = torch.randint(4, (n,), generator=generator)
    row = 2 * torch.randint(2, (n,), generator=generator) + column % 2
    field = torch.stack([column, row], dim=1) - 2.0
    return 0.85 * (field + torch.rand(n, 2, generator=generator))


def spiral(n: int, generator: torch.Generator) -> Float[Tensor, "n 2"]:
    """Two turns of a thin spiral: one curve that lies close to itself."""
    turn = 4 * torch.pi * torch.rand(n, generator=generator).sqrt()
    arm = turn / (4 * torch.pi) * 2.0
    x = torch.stack([arm * turn.cos(), arm * turn.sin()], dim=1)
    return x + 0.03 * torch.randn(n, 2, generator=generator)


SETS: dict[str, Draws] = {
    "eight Gaussians": eight_gaussians,
    "checkerboard": checkerboard,
    "spiral": spiral,
}
