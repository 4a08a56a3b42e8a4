"""Closed-form solutions on any Gaussian path, a mixture by its ODE, and shared test cases."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from support.exact import Gaussian, seeded
from torch import Tensor, nn

import oneleap.core.fields.jvp  # noqa: F401  (loads the rules of torch.func.jvp without a warning)
from oneleap.core.losses.metrics import Metric
from oneleap.core.paths.base import GaussianPath, LinearPath, expand
from oneleap.core.paths.ddpm import CosineBetas, LinearBetas, VPBetas
from oneleap.core.paths.edm import EDM
from oneleap.core.paths.trigflow import TrigFlow
from oneleap.core.types import Draw, Field, Objective, TrainingBatch

CONTINUOUS: list[GaussianPath] = [LinearPath(), EDM(), TrigFlow(), TrigFlow(1.0), TrigFlow(2.0)]
DISCRETE = [LinearBetas(), LinearBetas(100, 1e-4, 0.06), CosineBetas(), VPBetas()]
PATHS = [*CONTINUOUS, *DISCRETE]


def own_times(path: GaussianPath, n: int) -> Tensor:
    """Times of the path itself, without pure data and pure noise."""
    if path in DISCRETE:
        return torch.linspace(1, path.steps, n).double().round()
    return path.tau(torch.linspace(0.02, 0.97, n).double())


def posterior(truth: Gaussian, path: GaussianPath, x: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
    """Posterior means of data and noise by regression on ``x_tau``, without the linear path."""
    a, b = (expand(c, x) for c in path.scales(tau))
    gain = (x - a * truth.mean) / ((a * truth.std).square() + b.square())
    return truth.mean + a * truth.std**2 * gain, b * gain


@dataclass(frozen=True)
class Mixture:
    """A field that is exact for eight Gaussians on a circle; Runge-Kutta solves for the flow map.

    The mean velocity is the mean of the slopes, so nothing is divided by ``t - r``.
    """

    std: float = 0.3
    radius: float = 1.2
    steps: int = 96

    def posterior(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        angle = torch.arange(8, dtype=z.dtype) * (math.pi / 4)
        centres = self.radius * torch.stack([angle.cos(), angle.sin()], 1)
        w = t.reshape(-1, 1, 1)
        variance = ((1 - w) * self.std).square() + w.square()
        apart = z.unsqueeze(1) - (1 - w) * centres
        share = torch.softmax(-apart.square().sum(2, keepdim=True) / (2 * variance), 1)
        data = centres + (1 - w) * self.std**2 / variance * apart
        return (share * data).sum(1), (share * w / variance * apart).sum(1)

    def velocity(self, z: Tensor, t: Tensor) -> Tensor:
        x, e = self.posterior(z, t)
        return e - x

    def teacher(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """The field a multi-step model would be, much cheaper than the flow map."""
        return self.velocity(z, t)

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        h = (r - t) / self.steps
        step, total = expand(h, z), torch.zeros_like(z)
        for k in range(self.steps):
            now = t + k * h
            k1 = self.velocity(z, now)
            k2 = self.velocity(z + step / 2 * k1, now + h / 2)
            k3 = self.velocity(z + step / 2 * k2, now + h / 2)
            k4 = self.velocity(z + step * k3, now + h)
            slope = (k1 + 2 * k2 + 2 * k3 + k4) / 6
            z, total = z + step * slope, total + slope
        return total / self.steps


@dataclass(frozen=True)
class Point:
    """A field exact for data at one point, finite at ``t = 0`` too."""

    at: float = 0.7

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return (z - self.at) / expand(t, z).clamp(min=1e-30)


@dataclass(frozen=True)
class Recorder(Metric):
    """A metric that records its arguments."""

    metric: Metric
    seen: list[tuple[Tensor, Tensor]]

    def __call__(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        self.seen.append((prediction, target))
        return self.metric(prediction, target, mask)


class Pointwise(nn.Module):
    """A small network that treats the positions of a sequence separately and equally."""

    def __init__(self, dim: int, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.inner, self.outer = nn.Linear(dim + 2, 16), nn.Linear(16, dim)
        self.double()

    def forward(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        times = [expand(h, z).expand(*z.shape[:-1], 1) for h in (t, t - r)]
        return self.outer(torch.tanh(self.inner(torch.cat([z, *times], -1))))


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def full(n: int, t: float) -> Tensor:
    return torch.full((n,), t, dtype=torch.float64)


def gradients(loss: Tensor, net: nn.Module) -> Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.parameters()))])


def posterior_nodes(truth: Gaussian, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Data and noise whose paths pass ``z_t``, and their weights by quadrature: each (b, k)."""
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(8))
    mean, _ = truth.posterior(z, t)
    x = mean.unsqueeze(1) + (truth.std * t / truth.sigma(t)).unsqueeze(1) * nodes
    e = (z.unsqueeze(1) - (1 - t).unsqueeze(1) * x) / t.unsqueeze(1)
    return x, e, (weights / weights.sum()).expand_as(x)


def teacher_of(truth: Gaussian | Mixture) -> Field:
    """Return an exact field's velocity as a field."""
    return truth.teacher if isinstance(truth, Mixture) else truth


def flipped(truth: Field) -> Field:
    """A mutant: the sign of the velocity is flipped."""
    return lambda z, r, t: -truth(z, r, t)


def swapped(truth: Field) -> Field:
    """A mutant: the two times are swapped."""
    return lambda z, r, t: truth(z, t, r)


def check_padding(objective: Objective) -> None:
    """Check that neither value nor gradient of a masked loss depends on the padding."""
    net, x = Pointwise(3), randn(6, 5, 3)
    mask = (torch.arange(5) < torch.tensor([[5], [4], [3], [2], [1], [5]])).unsqueeze(2)
    draw = objective.draw(x, seeded(3), 0.5)
    seen = []
    for filler in (0.0, 99.0):
        padded = torch.where(mask, x, filler)
        spoilt = replace(draw, e=torch.where(mask, draw.e, -filler))
        batch = TrainingBatch(
            field=net, x=padded, mask=mask, target=Pointwise(3, 1), teacher=Pointwise(3, 2)
        )
        loss = objective.loss(batch, spoilt).per_sample
        seen.append((loss, gradients(loss.sum(), net)))
    for clean, dirty in zip(*seen, strict=True):
        torch.testing.assert_close(clean, dirty, rtol=1e-12, atol=1e-14)
    unmasked = replace(batch, mask=None)
    assert not torch.allclose(objective.loss(unmasked, spoilt).per_sample, seen[1][0])


def check_seeds(objective: Objective) -> None:
    """Check that a seed determines a draw exactly, in the data's dtype, with ``r <= s <= t``."""
    for dtype in (torch.float32, torch.float64):
        x = torch.zeros(50, 2, dtype=dtype)
        first, again, other = (objective.draw(x, seeded(k), 0.3) for k in (1, 1, 2))
        for name, value in vars(first).items():
            if value is not None:
                assert value.dtype == dtype
                assert torch.equal(value, getattr(again, name)), name
        assert not torch.equal(first.e, other.e)
        assert not torch.equal(first.t, other.t)
        middle = first.r if first.s is None else first.s
        assert ((first.r >= 0) & (first.r <= middle) & (middle <= first.t)).all()
        assert (first.t <= 1).all()


def check_per_sample(objective: Objective, truth: Field, shape: tuple[int, ...]) -> Draw:
    """Check that there is one loss per sample, for any shape of data."""
    x = randn(*shape)
    draw = objective.draw(x, seeded())
    loss = objective.loss(TrainingBatch(field=truth, x=x, teacher=truth), draw)
    assert loss.per_sample.shape == shape[:1]
    assert loss.per_sample.isfinite().all()
    assert all(value.ndim == 0 and not value.requires_grad for value in loss.logs.values())
    return draw
