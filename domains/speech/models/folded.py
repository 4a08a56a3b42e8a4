"""A decoder that sees several frames as one: half the positions, half the cost."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.nets import ConvNeXt1d


class Folded(ConvNeXt1d):
    """:class:`ConvNeXt1d` over groups of neighbouring frames, whose channels are stacked.

    Called like any network over (b, c, n), of any length: the last group is filled with zeros.

    Args:
        dim: Channels of the data.
        sequence_dim: Channels of the condition per frame; 0 for none.
        cond_dim: Size of the condition vector; 0 for none.
        width: Channels inside.
        depth: Blocks.
        expansion: Hidden channels of a block, in widths.
        fold: Frames of a group.
    """

    def __init__(
        self,
        dim: int,
        sequence_dim: int,
        cond_dim: int,
        width: int,
        depth: int,
        expansion: int,
        fold: int,
    ) -> None:
        super().__init__(fold * dim, fold * sequence_dim, cond_dim, width, depth, expansion)
        self.dim, self.sequence_dim, self.fold = dim, sequence_dim, fold

    def velocity(
        self,
        z: Float[Tensor, "b c n"],
        context: Float[Tensor, "b g"],
        sequence: Float[Tensor, "b s n"] | None,
        mask: Bool[Tensor, "b 1 n"] | None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`oneleap.core.nets.sequence.SequenceNet`."""
        n = z.shape[-1]
        groups = None if mask is None else self._grouped(mask.to(z.dtype)).amax(1, True) > 0
        wide = None if sequence is None else self._grouped(sequence)
        u = super().velocity(self._grouped(z), context, wide, groups)
        return rearrange(u, "b (c f) n -> b c (n f)", f=self.fold)[..., :n]

    def _grouped(self, x: Float[Tensor, "b c n"]) -> Float[Tensor, "b d m"]:
        if x.shape[-1] % self.fold:
            x = torch.nn.functional.pad(x, (0, -x.shape[-1] % self.fold))
        return rearrange(x, "b c (n f) -> b (c f) n", f=self.fold)
