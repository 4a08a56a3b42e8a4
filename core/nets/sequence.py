"""The base class of all networks over sequences: arguments and padding."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from oneleap.core.nets.embed import Context
from oneleap.core.nets.layers import apply_mask


class SequenceNet(nn.Module, ABC):
    """A mean-velocity network over (b, c, n): ``net(z, r, t, [sequence], [vector], [mask])``.

    :mod:`oneleap.core.nets` documents the arguments. A subclass implements ``velocity``. It
    receives checked conditions with zeros at padding, and one context per sample that combines
    times, vector and guidance.

    Args:
        dim: Channels of the data.
        sequence_dim: Channels of the condition per frame; 0 for none.
        cond_dim: Size of the condition vector; 0 for none.
        context_dim: Size of the context.
        guided: Whether the network takes a guidance scale per row, ``guidance=w``.
        time_dim: Number of features of each of the two times.
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
        """Compute the mean velocity; values at padding are arbitrary.

        Args:
            z: States ``z_t``, zero at padding, (b, c, n).
            context: Context of each sample, (b, context_dim).
            sequence: Condition of each frame, zero at padding, (b, sequence_dim, n), or ``None``.
            mask: True where frames are real, (b, 1, n), or ``None``.

        Returns:
            Mean velocities, (b, c, n).
        """

    def forward(
        self,
        z: Float[Tensor, "b c n"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        *cond: Shaped[Tensor, "b ..."],
        guidance: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b c n"]:
        """Mean velocity of ``z`` over ``[r, t]``.

        Args:
            z: States ``z_t``, (b, c, n).
            r: Target times, (b,).
            t: Current times, (b,).
            *cond: Sequence, vector and mask, as far as the network takes them.
            guidance: Guidance scales, (b,).

        Returns:
            Mean velocities, (b, c, n), in the dtype of ``z``; 0 at padding.

        Raises:
            ValueError: If the network was not built for these conditions.
        """
        sequence, vector, mask = self.split_conditions(z, cond)
        if sequence is not None:
            sequence = apply_mask(sequence, mask)
        context = self.embed_times(r, t, vector, guidance)
        u = self.velocity(apply_mask(z, mask), context, sequence, mask)
        return apply_mask(u, mask).to(z.dtype)

    def embed_times(
        self,
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        vector: Float[Tensor, "b v"] | None,
        guidance: Float[Tensor, "b"] | None,
    ) -> Float[Tensor, "b g"]:
        """Compute the context of each sample, as :meth:`velocity` takes it."""
        context: Tensor = self.context(r, t, vector, guidance)
        return context

    def split_conditions(
        self, z: Tensor, cond: tuple[Tensor, ...]
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Separate sequence, vector and mask, and check their shapes."""
        b, _, n = z.shape
        mask = cond[-1] if cond and cond[-1].dtype == torch.bool else None
        given = cond if mask is None else cond[:-1]
        expected: list[tuple[int, ...]] = []
        if self.sequence_dim > 0:
            expected.append((b, self.sequence_dim, n))
        if self.cond_dim > 0:
            expected.append((b, self.cond_dim))
        mask_fits = mask is None or tuple(mask.shape) == (b, 1, n)
        if [tuple(c.shape) for c in given] != expected or z.shape[1] != self.dim or not mask_fits:
            raise ValueError(self._shape_error(z, cond))
        converted = [c.to(z.dtype) for c in given]
        sequence = converted[0] if self.sequence_dim else None
        return sequence, converted[-1] if self.cond_dim else None, mask

    def _shape_error(self, z: Tensor, cond: tuple[Tensor, ...]) -> str:
        b, n = len(z), z.shape[-1]
        parts = [f"z ({b}, {self.dim}, {n})"]
        parts += [f"a sequence ({b}, {self.sequence_dim}, {n})"] * (self.sequence_dim > 0)
        parts += [f"a vector ({b}, {self.cond_dim})"] * (self.cond_dim > 0)
        got = ", ".join(f"{tuple(c.shape)} {str(c.dtype)[6:]}" for c in (z, *cond))
        return (
            f"this {type(self).__name__} takes {', '.join(parts)} and optionally a bool mask "
            f"({b}, 1, {n}); it got {got}"
        )


def concat_sequence(
    z: Float[Tensor, "b c n"], sequence: Float[Tensor, "b s n"] | None
) -> Float[Tensor, "b _ n"]:
    """Concatenate the data and the condition of each frame along the channels."""
    return z if sequence is None else torch.cat([z, sequence], dim=1)
