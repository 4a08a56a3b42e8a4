"""Dispersive losses (Wang & He 2025, arXiv 2506.09027), which push hidden features apart.

A dispersive loss is a contrastive loss without positive pairs: it needs no second view and no extra
network. DM1 (arXiv 2510.07865) applies four of them to one-step policies, because their features of
similar images collapse. The forms here are those of the first paper. DM1's released code uses other
signs and no ``D``: its InfoNCE pushes distant pairs most and close pairs least, which is the
opposite of the intention.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError


class Dispersion(ABC):
    """Similarity of the rows of a batch; subclasses are frozen dataclasses.

    Rows are flattened to ``D`` numbers and compared in float32 or a wider type. Cost: ``b^2 D``
    operations and ``b^2`` numbers.
    """

    @abstractmethod
    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """Compute one number for the batch; minimizing it disperses the rows.

        Raises:
            InputError: If there is only one row.
        """


@dataclass(frozen=True)
class InfoNCEL2(Dispersion):
    """``log mean_{i != j} exp(-||h_i - h_j||^2 / (D tau))``; it pushes close pairs most.

    This is the paper's best variant.

    Deviation: the paper's code also includes ``i = j`` in the mean, which adds ``1 / b`` that no
    gradient can reduce.

    Attributes:
        tau: Temperature, in units of the mean squared difference.
    """

    tau: float = 0.5

    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """See the class."""
        return log_mean_exp_of_pairs(-squared_distances(flatten_rows(h)) / self.tau)


@dataclass(frozen=True)
class InfoNCECosine(Dispersion):
    """``log mean_{i != j} exp(cos(h_i, h_j) / tau)``; it only sees directions, not lengths.

    Attributes:
        tau: Temperature.
    """

    tau: float = 0.5

    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """See the class."""
        unit = torch.nn.functional.normalize(flatten_rows(h), dim=1)
        return log_mean_exp_of_pairs(unit @ unit.T / self.tau)


@dataclass(frozen=True)
class Hinge(Dispersion):
    """``mean_{i != j} max(0, margin - ||h_i - h_j||^2 / D)^2``; it ignores pairs beyond the margin.

    Attributes:
        margin: Margin, in units of the mean squared difference.
    """

    margin: float = 1.0

    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """See the class."""
        z = flatten_rows(h)
        penalty = torch.relu(self.margin - squared_distances(z)).square()
        return penalty.masked_fill(diagonal(penalty), 0.0).sum() / (len(z) * (len(z) - 1))


@dataclass(frozen=True)
class Covariance(Dispersion):
    """``sum_{m != n} C_mn^2 / D`` with the correlation matrix ``C`` of the features.

    It removes redundancy between features. It compares features instead of rows, so its cost is
    ``b D^2``; average sequences over their frames first. It ignores the scale of the features, and
    does not detect rows that are all equal.
    """

    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """See the class."""
        z = flatten_rows(h)
        z = z - z.mean(0)
        z = z * (z.square().sum(0) / (len(z) - 1) + 1e-6).rsqrt()
        c = z.T @ z / (len(z) - 1)
        return c.masked_fill(diagonal(c), 0.0).square().sum() / z.shape[1]


def flatten_rows(h: Float[Tensor, "b *d"]) -> Float[Tensor, "b D"]:
    """Flatten the features of each row, and convert half precision to float32.

    Raises:
        InputError: If there is only one row.
    """
    if len(h) < 2:
        raise InputError(f"dispersion compares rows: use a batch of at least 2, not {len(h)}")
    return h.flatten(1).to(torch.promote_types(h.dtype, torch.float32))


def squared_distances(z: Float[Tensor, "b D"]) -> Float[Tensor, "b b"]:
    """``||z_i - z_j||^2 / D`` by matrix products.

    It is smooth where rows coincide and stores ``b^2`` numbers.
    """
    z = z - z.mean(0).detach()  # same distances, smaller rounding errors
    square = z.square().sum(1)
    return (square.unsqueeze(1) + square - 2 * z @ z.T) / z.shape[1]


def log_mean_exp_of_pairs(logits: Float[Tensor, "b b"]) -> Float[Tensor, ""]:
    """``log mean_{i != j} exp(logits_ij)``."""
    b = len(logits)
    pairs = logits.masked_fill(diagonal(logits), -math.inf)
    return pairs.flatten().logsumexp(0) - math.log(b * (b - 1))


def diagonal(square: Float[Tensor, "b b"]) -> Tensor:
    """Mask that is True where ``i = j``."""
    return torch.eye(len(square), dtype=torch.bool, device=square.device)
