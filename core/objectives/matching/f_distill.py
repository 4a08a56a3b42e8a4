"""f-distill (Xu et al. 2025, arXiv 2502.15681): one-step generators by any f-divergence."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from oneleap.core.objectives.matching.base import second_networks
from oneleap.core.objectives.matching.dmd2 import DMD2
from oneleap.core.objectives.matching.judge import logit
from oneleap.core.paths.base import expand
from oneleap.core.types import Draw, TrainingBatch

Divergence = Literal[
    "reverse-kl", "forward-kl", "js", "softened-reverse-kl", "hellinger", "jeffreys", "neyman"
]


@dataclass(frozen=True)
class FDistill(DMD2):
    """DMD2 with the gap times ``h(rho)``, where the judge knows ``rho = p_t / q_t``.

    For ``D_f = E_q f(rho)`` the gradient is ``E[h(rho) (s_f - s_r) dz]`` with
    ``h = rho^2 f''(rho)``, Eq. (7). Up to a factor:

    ===================  ============================  ===============
    divergence           ``f``                         ``h``
    ===================  ============================  ===============
    reverse-kl           ``-log rho``                  1
    forward-kl           ``rho log rho``               ``rho``
    js                   Jensen-Shannon                ``rho / (1 + rho)``
    softened-reverse-kl  ``(1+rho) log((1+rho)/rho)``  ``1 / (1 + rho)``
    hellinger            ``(1 - sqrt(rho))^2``         ``sqrt(rho)``
    jeffreys             ``(rho - 1) log rho``         ``1 + rho``
    neyman               ``1 / rho``                   ``1 / rho``
    ===================  ============================  ===============

    ``h`` grows with ``rho`` where the divergence covers modes, and falls where it seeks them. Cost:
    DMD2's.

    Traps: everything rests on the judge; with an untrained one, ``rho = 1`` and this is DMD2. A
    large batch is needed for the normalization of ``h``.

    Deviation: ``rho`` is not divided by its mean in bins of time.

    Attributes:
        divergence: Name of the divergence.
        balanced: Whether ``h`` is divided by its mean over the batch, as in the authors' code.
    """

    divergence: Divergence = "js"
    balanced: bool = True

    def weight(
        self, batch: TrainingBatch, x: Tensor, z: Tensor, d_r: Tensor, draw: Draw
    ) -> Tensor | float:
        """``h(rho) / mean|x - D_r|`` with ``rho`` cut to [0.1, 20]."""
        score = logit(second_networks(batch).judge, z, draw.t, batch.mask)
        h = f_weight(self.divergence, score.clamp(-10.0, 10.0).exp().clamp(0.1, 20.0))
        if self.balanced:
            h = h / (h.mean() + 1e-6)
        return expand(h, x) * super().weight(batch, x, z, d_r, draw)


def f_weight(divergence: Divergence, rho: Tensor) -> Tensor:
    """``h(rho) = rho^2 f''(rho)`` of a divergence, up to a constant factor."""
    match divergence:
        case "reverse-kl":
            return torch.ones_like(rho)
        case "forward-kl":
            return rho
        case "js":
            return rho / (1 + rho)
        case "softened-reverse-kl":
            return 1 / (1 + rho)
        case "hellinger":
            return rho.sqrt()
        case "jeffreys":
            return 1 + rho
        case "neyman":
            return 1 / rho
