"""The judge: a classifier of samples and data at a noise level, and its losses."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.losses.metrics import masked_mean
from oneleap.core.objectives.matching.base import noised, second_networks
from oneleap.core.types import Draw, Field, TrainingBatch


def logit(
    judge: Field | None,
    z: Float[Tensor, "b *d"],
    t: Float[Tensor, "b"],
    mask: Bool[Tensor, "b *#d"] | None,
) -> Float[Tensor, "b"]:
    """Logit that ``z`` comes from data: the mean of the judge's output over the sample.

    A judge trained on both kinds in equal number has the logit ``log p_t(z) - log q_t(z)`` at its
    optimum. Cost: 1 evaluation.
    """
    assert judge is not None
    return masked_mean(judge(z, t, t), mask)


def deceive(batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Float[Tensor, "b"]:
    """The generator's part, ``softplus(-logit(z))``; a gradient flows through the judge's input."""
    judge = second_networks(batch).frozen_judge
    return F.softplus(-logit(judge, noised(batch, x, draw), draw.t, batch.mask))


def convict(
    batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw, r1: float = 0.0, step: float = 0.1
) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
    """The judge's part, ``softplus(logit(sample)) + softplus(-logit(data))`` at equal noise.

    Args:
        batch: Batch with the data.
        x: Samples, without gradient.
        draw: Noise and times of fitting, for both.
        r1: Weight of the penalty ``(logit(data) - logit(data + step n))^2``, which approximates
            the gradient penalty R1 (APT, arXiv 2501.08316) at 1 further evaluation.
        step: Standard deviation of the penalty's noise.

    Returns:
        The loss, and the share of right verdicts as 0, 1/2 or 1.
    """
    judge, mask, t = second_networks(batch).judge, batch.mask, draw.t
    z = noised(batch, batch.x, draw)
    guess, truth = logit(judge, noised(batch, x, draw), t, mask), logit(judge, z, t, mask)
    loss = F.softplus(guess) + F.softplus(-truth)
    if r1 > 0:
        near = z + step * draw.e.roll(1, 0)  # noise of another row, independent of z
        loss = loss + r1 * (truth - logit(judge, near, t, mask)).square()
    return loss, ((guess < 0).to(loss) + (truth > 0).to(loss)).detach() / 2
