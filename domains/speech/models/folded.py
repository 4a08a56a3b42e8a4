"""A ConvNeXt decoder over groups of frames: half the positions, half the cost."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.nets import ConvNeXt1d


class FoldedConvNeXt1d(ConvNeXt1d):
    """A :class:`ConvNeXt1d` over groups of neighboring frames, with the group's channels stacked.

    It is called like any network over (b, c, n), with any length. Zeros fill the last group.

    Args:
        dim: Channels of the data.
        sequence_dim: Channels of the condition of each frame; 0 for none.
        cond_dim: Size of the condition vector; 0 for none.
        width: Channels of the blocks.
        depth: Number of blocks.
        expansion: Hidden channels of a block as a multiple of ``width``.
        fold: Number of frames in a group.
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
        """See :meth:`oneleap.core.nets.sequence.SequenceNet.velocity`."""
        n = z.shape[-1]
        groups = None if mask is None else self._group(mask.to(z.dtype)).amax(1, True) > 0
        grouped = None if sequence is None else self._group(sequence)
        u = super().velocity(self._group(z), context, grouped, groups)
        return rearrange(u, "b (c f) n -> b c (n f)", f=self.fold)[..., :n]

    def _group(self, x: Float[Tensor, "b c n"]) -> Float[Tensor, "b d m"]:
        if x.shape[-1] % self.fold:
            x = torch.nn.functional.pad(x, (0, -x.shape[-1] % self.fold))
        return rearrange(x, "b c (n f) -> b (c f) n", f=self.fold)
