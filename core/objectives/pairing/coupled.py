"""Any objective on noise that is paired with the data by optimal transport within the batch."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.objectives.pairing.around import Around
from oneleap.core.types import Conditioned, Draw, TrainingBatch


@dataclass(frozen=True)
class Coupled(Around):
    """Minibatch optimal transport (Tong et al. 2023, arXiv 2302.00482; MeanFlow: 2509.22592).

    The noise of a batch is reassigned to its data so that the sum of squared distances is smallest.
    Lines between data and noise then hardly cross, the velocity scatters less about its mean, and
    trajectories are straighter. Every row's noise is still standard normal over batches. Cost: that
    of the objective, and an assignment of ``b`` rows on the host, ``O(b^3)``: keep ``b`` at 256 or
    below.

    Traps: noise that depends on the data within one condition biases nothing, but across conditions
    it would: only rows with equal conditions exchange noise. Where each row has its own (a state, a
    text), nothing changes; use it without conditions or with few classes. Lines of a minibatch are
    not straight, so a flow map still needs its own objective. Rows with different padding exchange
    nothing.

    Attributes:
        objective: Objective; ``None`` is ``MeanFlow()``, see
            :class:`oneleap.core.objectives.Dispersed` for the reason.
    """

    def pair(self, batch: TrainingBatch, draw: Draw) -> Draw:
        """Reassign the noise of a draw to the data; training calls this before the loss.

        Args:
            batch: Batch with its conditions bound.
            draw: Draw of this objective.

        Returns:
            The draw with its noise permuted.

        Raises:
            InputError: If scipy is not installed.
        """
        cond = batch.field.cond if isinstance(batch.field, Conditioned) else ()
        if batch.mask is not None:
            cond = (*cond, batch.mask.expand(len(batch.x), *batch.mask.shape[1:]))
        groups = same_conditions(cond, len(batch.x), batch.x)
        order = torch.arange(len(batch.x), device=batch.x.device)
        for group in range(int(groups.max()) + 1):
            own = (groups == group).nonzero().flatten()
            if len(own) > 1:
                order[own] = own[assignment(batch.x[own], draw.e[own])]
        return replace(draw, e=draw.e[order])


def same_conditions(cond: tuple[Tensor, ...], n: int, like: Tensor) -> Int[Tensor, "n"]:
    """Number the rows by their conditions: equal numbers where all conditions are equal.

    Args:
        cond: Conditions; the first axis of each is the batch.
        n: Number of rows.
        like: Tensor whose device the result has.
    """
    if not cond:
        return torch.zeros(n, dtype=torch.long, device=like.device)
    table = torch.cat([c.flatten(1).double() for c in cond], dim=1)
    index: Tensor = torch.unique(table, dim=0, return_inverse=True)[1]
    return index


@torch.no_grad()
def assignment(x: Float[Tensor, "b *d"], e: Float[Tensor, "b *d"]) -> Int[Tensor, "b"]:
    """Optimal assignment of noise to data under the squared distance.

    Args:
        x: Data, (b, *d).
        e: Noise, (b, *d).

    Returns:
        For each row of the data, the row of its noise.

    Raises:
        InputError: If scipy is not installed.
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        raise InputError("Coupled needs scipy: pip install 'oneleap[coupling]'") from None
    cost = -(x.flatten(1).double() @ e.flatten(1).double().T)  # the other terms are constant
    _, index = linear_sum_assignment(cost.cpu().numpy())
    return torch.from_numpy(index).to(x.device)
