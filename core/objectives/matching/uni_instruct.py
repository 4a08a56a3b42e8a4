"""Uni-Instruct (Wang et al. 2025, arXiv 2505.20755): any f-divergence of the data themselves."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.losses.metrics import masked_mean, masked_sum
from oneleap.core.objectives.matching.base import (
    Matching,
    data_mean,
    noised,
    path_times,
    second_networks,
    teacher_of,
)
from oneleap.core.objectives.matching.judge import convict, logit
from oneleap.core.types import Draw, Field, Loss, TrainingBatch

Divergence = Literal["reverse-kl", "forward-kl", "js", "chi2", "jeffreys"]


@dataclass(frozen=True)
class UniInstruct(Matching):
    """Descend an f-divergence between the data laws, as an integral of weighted Fisher divergences.

    With ``r = q_t / p_t``, ``Delta = s_f - s_r`` and ``g^2 = 2 t / (1 - t)``,

        ``E_p f(q_0 / p_0) = int g^2 / 2 E_q[psi(r) |Delta|^2] dt``, ``psi(r) = r f''(r)``.

    Its exact gradient is that of

        ``L = g^2 / 2 { phi(r) |Delta|^2 + 2 psi(r) Delta . (grad log q(z|x) - s_f) }``,
        ``phi = psi + r psi'``,

    with the weights of both networks constant and everything else differentiated through ``z``;
    ``grad log q(z|x) = -n / t``. Derivation: a change ``dq`` of the law changes the mean over
    samples and the ratio, ``dr = r dlog q``, which together give ``int dq phi |Delta|^2``, the
    first term. The change of ``s_f`` remains, ``2 E_q[psi Delta . ds_f]``; for any fixed function
    ``h``, ``E[h . (s_f - grad log q(z|x))] = 0``, and the derivative of this identity turns it into
    the second term. The judge's logit is ``-log r``, and ``r = sg(r) exp(sg(Delta) . (z - sg z))``
    has the gradient ``r Delta`` without a backward pass through the judge.

    ============  ===========  =====================
    divergence    ``psi``      ``phi``
    ============  ===========  =====================
    reverse-kl    1            1
    forward-kl    ``1 / r``    0
    js            ``1/(1+r)``  ``1 / (1 + r)^2``
    chi2          ``2 r``      ``4 r``
    jeffreys      ``1 + 1/r``  1
    ============  ===========  =====================

    Reverse-kl is :class:`oneleap.core.objectives.matching.sid.ScoreIdentity` at ``alpha = 1/2``.
    Cost: DiffInstruct's, 1 backward pass of teacher and fake to their input, 1 forward pass of the
    judge, and 2 forward and backward passes to train it.

    Traps: the judge must be trained before ``r`` means anything. In the authors' code the ratio
    comes from the scaled loss of the judge instead of its logit, and the branch of the reverse KL
    does not run; here is the formula.

    Deviations: the integral begins at ``t_min = 0.3``. Near the data the squared difference of
    scores grows as ``1 / t^4`` while both networks are least exact, and samples leave the data.

    Attributes:
        ratio: See the skeleton; all networks train in every step.
        t_min: Smallest time of the integral; 0 is the divergence of the data themselves.
        divergence: Name of the divergence; chi2 is ``E q/p - 1``.
        judge_weight: Weight of the judge's own loss.
    """

    judged: ClassVar[bool] = True

    ratio: int = 1
    t_min: float = 0.3
    t_max: float = 0.95
    divergence: Divergence = "js"
    judge_weight: float = 1e-2

    def push(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """``t / (1 - t) {phi |Delta|^2 + 2 psi Delta . (-n / t - s_f)}``."""
        mask, z, t = batch.mask, noised(batch, x, draw), path_times(batch, draw, x)
        s_f = score(second_networks(batch).frozen_fake, z, draw.t, t)
        delta = s_f - score(teacher_of(batch), z, draw.t, t)
        with torch.no_grad():
            odds = logit(second_networks(batch).judge, z, draw.t, mask)
            ratio = (-odds.clamp(-10.0, 10.0)).exp()
        ratio = ratio * masked_sum(delta.detach() * (z - z.detach()), mask).exp()
        psi, phi = fisher_weights(self.divergence, ratio)
        square = masked_mean(delta.square(), mask)
        cross = masked_mean(delta * (-draw.e / t - s_f), mask)
        half_rate = (t / (1 - t)).flatten()
        return Loss(
            half_rate * (phi * square + 2 * psi * cross), {"fisher": square.detach().mean()}
        )

    def fit(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """Flow matching of the fake, and the judge's classification."""
        loss = super().fit(batch, x, draw)
        judged, right = convict(batch, x, draw)
        logs = {**loss.logs, "judge_right": right.mean()}
        return Loss(loss.per_sample + self.judge_weight * judged, logs)


def score(
    field: Field, z: Float[Tensor, "b *d"], t: Float[Tensor, "b"], on_path: Tensor
) -> Float[Tensor, "b *d"]:
    """Score ``-(z - (1 - t) D) / t^2`` of a field's law; ``on_path`` is ``t`` on the path."""
    return -(z - (1 - on_path) * data_mean(field, z, t)) / on_path.square()


def fisher_weights(divergence: Divergence, r: Tensor) -> tuple[Tensor, Tensor]:
    """``psi(r) = r f''(r)`` and ``phi(r) = psi + r psi'`` of a divergence."""
    match divergence:
        case "reverse-kl":
            return torch.ones_like(r), torch.ones_like(r)
        case "forward-kl":
            return 1 / r, torch.zeros_like(r)
        case "js":
            return 1 / (1 + r), 1 / (1 + r).square()
        case "chi2":
            return 2 * r, 4 * r
        case "jeffreys":
            return 1 + 1 / r, torch.ones_like(r)
