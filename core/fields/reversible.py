"""Fields on a path that some rows see from the other end."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from oneleap.core.paths.base import expand
from oneleap.core.types import Conditioned, Field


@dataclass(frozen=True)
class ReversibleNet:
    """A network on a path that some rows see from the other end.

    There, the time is ``1 - t`` and the velocity has the other sign; the mean velocity over
    ``[r, t]`` is that of the network from ``1 - t`` up to ``1 - r``.

    Attributes:
        net: Network, called as ``net(z, r, t, *cond)``.
    """

    net: Callable[..., Tensor]

    def __call__(
        self, z: Tensor, r: Tensor, t: Tensor, back: Tensor, *cond: Tensor, **guidance: Tensor
    ) -> Tensor:
        """Mean velocity as each row sees it."""
        u = self.net(z, torch.where(back, 1 - r, r), torch.where(back, 1 - t, t), *cond, **guidance)
        return torch.where(expand(back, u), -u, u)


def reversible(field: Field, back: Bool[Tensor, "b"]) -> Conditioned:
    """Return a field that some rows see from the other end of the path.

    Args:
        field: Field of a joint path.
        back: Rows whose path is reversed, (b,).
    """
    if not isinstance(field, Conditioned):
        return Conditioned(ReversibleNet(field), (back,))
    null = None if field.null is None else (back, *field.null)
    return Conditioned(ReversibleNet(field.net), (back, *field.cond), null, field.guidance)
