"""The Gaussian bench: a generator ``x = a e + b`` against a teacher ``N(m, s^2)``, exactly.

Rows of a batch are the nodes of a product rule over the generator's noise and that of judging, so a
weighted sum over rows is an expectation. All fields are exact, and networks are closures.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from support.exact import Gaussian
from torch import Tensor

from oneleap.core.paths.base import expand
from oneleap.core.types import Draw, Field, SecondNetworks, TrainingBatch

M, S, A, B, T = 0.7, 0.5, 0.9, -0.4, 0.6
NODES = 24


def normal_nodes(n: int = NODES) -> tuple[Tensor, Tensor]:
    """Nodes and weights of ``E f(e)`` for a standard normal ``e``."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return torch.from_numpy(nodes), torch.from_numpy(weights / math.sqrt(2 * math.pi))


def product_nodes(n: int = NODES) -> tuple[Tensor, Tensor, Tensor]:
    """Nodes ``(e, n)`` and weights of ``E f(e, n)``, each flat."""
    nodes, weights = normal_nodes(n)
    e, other = torch.meshgrid(nodes, nodes, indexing="ij")
    return e.flatten(), other.flatten(), torch.outer(weights, weights).flatten()


def interval_nodes(low: float, high: float, n: int = 40) -> tuple[Tensor, Tensor]:
    """Nodes and weights of ``int f(t) dt``."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    half = (high - low) / 2
    return torch.from_numpy(low + half * (nodes + 1)), torch.from_numpy(half * weights)


@dataclass(frozen=True)
class Bench:
    """Parameters of the generator and the teacher."""

    m: float = M
    s: float = S
    a: float = A
    b: float = B

    def parameters(self) -> tuple[Tensor, Tensor]:
        """``a`` and ``b``, with gradient."""
        a, b = torch.tensor([self.a, self.b], dtype=torch.float64)
        return a.requires_grad_(), b.requires_grad_()

    def log_ratio(self, z: Tensor, t: Tensor) -> Tensor:
        """``log p_t(z) - log q_t(z)``."""
        return log_density(self.m, self.s, z, t) - log_density(self.b, self.a, z, t)

    def batch(self, a: Tensor, b: Tensor, like: Tensor) -> TrainingBatch:
        """Batch with exact second networks; only the generator depends on ``a`` and ``b``."""
        fake = Gaussian(self.b, abs(self.a))

        def generator(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
            return z - (a * z + b)

        def judge(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
            return self.log_ratio(z, expand(t, z))

        second = SecondNetworks(fake=fake, frozen_fake=fake, judge=judge, frozen_judge=judge)
        teacher = Gaussian(self.m, self.s)
        return TrainingBatch(field=generator, x=0 * like, teacher=teacher, second=second)


def log_density(mean: float, std: float, z: Tensor, t: Tensor) -> Tensor:
    """Logarithm of the density of ``z_t`` for data ``N(mean, std^2)``."""
    variance = ((1 - t) * std) ** 2 + t**2
    return -((z - (1 - t) * mean) ** 2) / (2 * variance) - variance.log() / 2


def judged_draw(objective: Any, t: float = T) -> tuple[Draw, Tensor]:
    """Draw over the nodes at one time of judging, and the weights of its rows."""
    e, n, weights = product_nodes()
    draw = objective.draw(e.unsqueeze(1), torch.Generator().manual_seed(0))
    at = torch.full_like(e, t)
    judging = replace(draw.judging, e=n.unsqueeze(1), t=at, r=0 * at)
    return replace(draw, e=e.unsqueeze(1), judging=judging), weights


def pushed_gradient(
    objective: Any,
    bench: Bench,
    t: float = T,
    change: Callable[[TrainingBatch], TrainingBatch] = lambda batch: batch,
) -> Tensor:
    """Expectation of the generator's gradient in ``(a, b)`` at one time."""
    draw, weights = judged_draw(objective, t)
    a, b = bench.parameters()
    batch = change(bench.batch(a, b, draw.e))
    x = objective.leap(batch, draw)
    loss = (weights * objective.push(batch, x, draw.judging).per_sample).sum()
    return torch.stack(torch.autograd.grad(loss, (a, b)))


def kl_gradient(bench: Bench, t: float = T) -> Tensor:
    """Gradient of ``KL(q_t | p_t)`` in ``(a, b)``."""
    v_q, v_p = ((1 - t) * bench.a) ** 2 + t**2, ((1 - t) * bench.s) ** 2 + t**2
    k = 1 / v_p - 1 / v_q
    return (1 - t) ** 2 * torch.tensor([bench.a * k, (bench.b - bench.m) / v_p]).double()


def fisher_gradients(bench: Bench, t: float = T) -> tuple[Tensor, Tensor]:
    """Gradients of ``E_q|s_f - s_r|^2``: through the samples, and through the fake's weights."""
    v_q, v_p = ((1 - t) * bench.a) ** 2 + t**2, ((1 - t) * bench.s) ** 2 + t**2
    k, c = 1 / v_p - 1 / v_q, (1 - t) * (bench.b - bench.m) / v_p
    samples = [2 * (1 - t) ** 2 * bench.a * k**2, 2 * c * (1 - t) * k]
    weights = [4 * (1 - t) ** 2 * bench.a * k / v_q, 2 * c * (1 - t) / v_q]
    return torch.tensor(samples).double(), torch.tensor(weights).double()


def negated(field: Field) -> Field:
    return lambda z, r, t: -field(z, r, t)
