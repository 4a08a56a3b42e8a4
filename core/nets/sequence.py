"""What all networks over sequences have in common: how they are called and what padding does."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from oneleap.core.nets.embed import Context
from oneleap.core.nets.layers import keep


class SequenceNet(nn.Module, ABC):
    """A mean-velocity network over (b, c, n): ``net(z, r, t, [sequence], [vector], [mask])``.

    The contract is written down in :mod:`oneleap.core.nets`. A subclass writes ``velocity``; the
    conditions arrive there checked, with zeros at padding, and times, vector and guidance already
    made into one context per sample.

    Args:
        dim: Channels of the data.
        sequence_dim: Channels of the condition per frame; 0 for none.
        cond_dim: Size of the condition vector; 0 for none.
        context_dim: Size of the context.
        guided: Takes a guidance scale per row, ``guidance=w``.
        time_dim: Size of each set of time features.
    """

    def __init__(
        self,
        dim: int,
        sequence_dim: int,
        cond_dim: int,
        context_dim: int,
        guided: bool,
        time_dim: int,
    ) -> None:
        super().__init__()
        self.dim, self.sequence_dim, self.cond_dim = dim, sequence_dim, cond_dim
        self.context_dim, self.guided, self.time_dim = context_dim, guided, time_dim
        self.context = Context(context_dim, cond_dim, guided, time_dim)

    @abstractmethod
    def velocity(
        self,
        z: Float[Tensor, "b c n"],
        context: Float[Tensor, "b g"],
        sequence: Float[Tensor, "b s n"] | None,
        mask: Bool[Tensor, "b 1 n"] | None,
    ) -> Float[Tensor, "b c n"]:
        """The mean velocity, anything at padding."""

    def forward(
        self,
        z: Float[Tensor, "b c n"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        *cond: Shaped[Tensor, "b ..."],
        guidance: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b c n"]:
        """Mean velocity of ``z`` over ``[r, t]``, in the dtype of ``z``; 0 at padding.

        Raises:
            ValueError: If the conditions are not those that the network was built for.
        """
        sequence, vector, mask = self.conditions(z, cond)
        if sequence is not None:
            sequence = keep(sequence, mask)
        context = self.context(r, t, vector, guidance)
        u = self.velocity(keep(z, mask), context, sequence, mask)
        return keep(u, mask).to(z.dtype)

    def conditions(
        self, z: Tensor, cond: tuple[Tensor, ...]
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Tell sequence, vector and mask apart, and check them."""
        b, _, n = z.shape
        mask = cond[-1] if cond and cond[-1].dtype == torch.bool else None
        given = cond if mask is None else cond[:-1]
        wanted = [(b, self.sequence_dim, n)] * (self.sequence_dim > 0)
        vectors = [(b, self.cond_dim)] * (self.cond_dim > 0)
        shapes = [tuple(c.shape) for c in given]
        masked = mask is None or tuple(mask.shape) == (b, 1, n)
        if shapes != [*wanted, *vectors] or z.shape[1] != self.dim or not masked:
            raise ValueError(self._complaint(z, cond))
        rest = [c.to(z.dtype) for c in given]
        sequence = rest[0] if self.sequence_dim else None
        return sequence, rest[-1] if self.cond_dim else None, mask

    def _complaint(self, z: Tensor, cond: tuple[Tensor, ...]) -> str:
        b, n = len(z), z.shape[-1]
        parts = [f"z ({b}, {self.dim}, {n})"]
        parts += [f"a sequence ({b}, {self.sequence_dim}, {n})"] * (self.sequence_dim > 0)
        parts += [f"a vector ({b}, {self.cond_dim})"] * (self.cond_dim > 0)
        got = ", ".join(f"{tuple(c.shape)} {str(c.dtype)[6:]}" for c in (z, *cond))
        return (
            f"this {type(self).__name__} takes {', '.join(parts)} and perhaps a bool mask "
            f"({b}, 1, {n}); it got {got}"
        )


def stacked(
    z: Float[Tensor, "b c n"], sequence: Float[Tensor, "b s n"] | None
) -> Float[Tensor, "b _ n"]:
    """The condition of each frame below its data, as more channels."""
    return z if sequence is None else torch.cat([z, sequence], dim=1)
