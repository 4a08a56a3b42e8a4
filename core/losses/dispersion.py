"""Dispersive losses (Wang & He 2025, arXiv 2506.09027): hidden features, pushed apart.

A contrastive loss without its positive pairs: no second view, no extra network. DM1 (arXiv
2510.07865) brought the four to one-step policies, whose features of like images collapse. These
are the forms of the first paper. DM1's released code has other signs and no ``D``: its InfoNCE
pushes far pairs most and near ones least, the opposite of what is meant.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError


class Dispersion(ABC):
    """How little the rows of a batch differ; subclasses are frozen dataclasses.

    Rows are flattened to ``D`` numbers and compared in float32 at least. Cost: ``b^2 D``
    operations and ``b^2`` numbers.
    """

    @abstractmethod
    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """One number for the batch; descending it disperses the rows.

        Raises:
            InputError: If there is one row only.
        """


@dataclass(frozen=True)
class InfoNCEL2(Dispersion):
    """``log mean_{i != j} exp(-||h_i - h_j||^2 / (D tau))``: near pairs are pushed most.

    The paper's best. Deviation: its code takes the mean over ``i = j`` too, ``1 / b`` that no
    gradient can lower.

    Attributes:
        tau: Temperature, in units of the mean squared difference.
    """

    tau: float = 0.5

    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """See the class."""
        return log_mean_exp_of_pairs(-squared_distances(rows(h)) / self.tau)


@dataclass(frozen=True)
class InfoNCECosine(Dispersion):
    """``log mean_{i != j} exp(cos(h_i, h_j) / tau)``: directions only, lengths are free.

    Attributes:
        tau: Temperature.
    """

    tau: float = 0.5

    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """See the class."""
        unit = torch.nn.functional.normalize(rows(h), dim=1)
        return log_mean_exp_of_pairs(unit @ unit.T / self.tau)


@dataclass(frozen=True)
class Hinge(Dispersion):
    """``mean_{i != j} max(0, margin - ||h_i - h_j||^2 / D)^2``: pairs beyond a margin are let be.

    Attributes:
        margin: In units of the mean squared difference.
    """

    margin: float = 1.0

    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """See the class."""
        z = rows(h)
        near = torch.relu(self.margin - squared_distances(z)).square()
        return near.masked_fill(diagonal(near), 0.0).sum() / (len(z) * (len(z) - 1))


@dataclass(frozen=True)
class Covariance(Dispersion):
    """``sum_{m != n} C_mn^2 / D``, ``C`` the correlations of features: none repeats another.

    It compares features, not rows: cost ``b D^2``, so average sequences over their frames. It
    does not see their scale, nor rows that are all the same.
    """

    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """See the class."""
        z = rows(h)
        z = z - z.mean(0)
        z = z * (z.square().sum(0) / (len(z) - 1) + 1e-6).rsqrt()
        c = z.T @ z / (len(z) - 1)
        return c.masked_fill(diagonal(c), 0.0).square().sum() / z.shape[1]


def rows(h: Float[Tensor, "b *d"]) -> Float[Tensor, "b D"]:
    """Features flattened, and widened if they are in half precision.

    Raises:
        InputError: If there is one row only.
    """
    if len(h) < 2:
        raise InputError(f"dispersion compares rows: take a batch of 2 or more, not {len(h)}")
    return h.flatten(1).to(torch.promote_types(h.dtype, torch.float32))


def squared_distances(z: Float[Tensor, "b D"]) -> Float[Tensor, "b b"]:
    """``||z_i - z_j||^2 / D``, from products: smooth where rows coincide, and ``b^2`` numbers."""
    z = z - z.mean(0).detach()  # distances stay, and rounding is of their size
    square = z.square().sum(1)
    return (square.unsqueeze(1) + square - 2 * z @ z.T) / z.shape[1]


def log_mean_exp_of_pairs(logits: Float[Tensor, "b b"]) -> Float[Tensor, ""]:
    """``log mean_{i != j} exp(logits_ij)``."""
    b = len(logits)
    pairs = logits.masked_fill(diagonal(logits), -math.inf)
    return pairs.flatten().logsumexp(0) - math.log(b * (b - 1))


def diagonal(square: Float[Tensor, "b b"]) -> Tensor:
    """True where ``i = j``."""
    return torch.eye(len(square), dtype=torch.bool, device=square.device)
