"""Inductive moment matching (Zhou, Ermon & Song 2025, arXiv 2503.07565)."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import flow_map, intermediate_times
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.times import Times, Uniform
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like


@dataclass(frozen=True)
class InductiveMomentMatching(Objective):
    """Match the samples that the map makes from ``t`` with those that it makes from ``s < t``.

    Groups of ``particles`` rows share their times. Within a group the sets ``a = X(z_t, t, r)`` and
    ``b = sg X(z_s, s, r)``, from the same data and noise, are compared by the kernel's distance of
    distributions (MMD), ``mean k(a, a') + k(b, b') - 2 k(a, b')``, with the Laplace kernel
    ``k = exp(-|a - b| / (t - r))``. For ``r = s`` the set ``b`` are the points of the path
    themselves; from there the equality spreads to longer intervals. No derivative and no moving
    average. One particle is consistency training with this kernel. Cost: 1 forward and backward
    pass, and 1 forward pass.

    Traps: kernels tell distributions apart in few dimensions; for long sequences the distance of a
    row to itself is all that is left. The gap ``t - s`` must be small where ``t`` is, see ``gap``.

    Deviations: distances are divided by ``sqrt(D)``, not by ``D``, so the kernel is the same at any
    size of the data, and are smooth below ``smoothing``; without that, the distance of a row to
    itself pulls towards the median of its targets instead of their mean. Rows of a group are
    different samples, whatever their conditions. The noise of the data given several noised copies
    of it is not that given one, so copies of one row would move the exact map.

    Attributes:
        particles: Rows of a group.
        times: Distribution of ``t``, scaled to ``[0, t_max]``; ``r`` is uniform below it.
        gap: Exponent ``k`` of the gap: ``eta_s = eta_t - eta_max / 2^k``, ``eta = t / (1 - t)``; 12
            in the paper, 15 for CIFAR-10.
        t_max: Latest time; pure noise is treated as this time's state.
        a: Exponent of ``1 - t`` in the weight, 1 or 2.
        b: Shift of the log-signal-to-noise ratio in the weight.
        smoothing: Distance below which the kernel is quadratic.
    """

    teacher: ClassVar[TeacherUse] = "none"

    particles: int = 4
    times: Times = field(default_factory=Uniform)
    gap: float = 12.0
    t_max: float = 0.994
    a: int = 1
    b: float = 4.0
    smoothing: float = 1e-2

    def __post_init__(self) -> None:
        """Reject empty groups, and times without noise or without data."""
        if self.particles < 1:
            raise InputError(f"particles must be at least 1, not {self.particles}")
        if not 0 < self.t_max < 1:
            raise InputError(f"t_max must be in (0, 1), not {self.t_max}")
        if self.smoothing <= 0:
            raise InputError(f"smoothing must be positive, not {self.smoothing}")

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise for each row, and ``r <= s < t`` for each group of rows."""
        e, n = noise_like(x, generator), len(x)
        groups = -(-n // self.particles)
        t = self.t_max * self.times.sample((groups,), x, generator)
        r = t * Uniform().sample((groups,), x, generator)
        eta_max = self.t_max / (1 - self.t_max)
        eta = (t / (1 - t) - eta_max / 2**self.gap).clamp(min=0.0)
        s = torch.maximum(eta / (1 + eta), r)
        r, s, t = (h.repeat_interleave(self.particles)[:n] for h in (r, s, t))
        return Draw(e, r, t, s)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``w(t) MMD^2(X(z_t, t, r), sg X(z_s, s, r))`` within each group."""
        path, r, t = LinearPath(), draw.r, draw.t
        s = intermediate_times(draw, "InductiveMomentMatching")
        with torch.no_grad():
            target = flow_map(batch.field, path.point(batch.x, draw.e, s), r, s)
        prediction = flow_map(batch.field, path.point(batch.x, draw.e, t), r, t)
        whole, parts = len(t) - len(t) % self.particles, []
        for part, m in ((slice(0, whole), self.particles), (slice(whole, None), len(t) - whole)):
            if len(t[part]) > 0:  # the last group may be smaller
                mask = None if batch.mask is None else batch.mask[part]
                pair = (prediction[part], target[part], (t - r)[part])
                parts.append(self._distance(*pair, mask, m))
        distance = torch.cat(parts)
        return Loss(self.weight(t) * distance, {"mmd": distance.detach().mean()})

    def weight(self, t: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """``1/2 sigmoid(b - lambda) (-dlambda/dt) (1 - t)^a / ((1 - t)^2 + t^2)``.

        ``lambda`` is the log-signal-to-noise ratio, ``2 ln((1 - t) / t)``.
        """
        odds = (t / (1 - t)).square()
        early = odds / (odds + torch.exp(t.new_tensor(-self.b)))  # sigmoid(b - lambda)
        weight: Tensor = early * (1 - t) ** (self.a - 1) / ((1 - t).square() + t.square())
        return weight / t.clamp(min=1e-6)

    def _distance(
        self,
        a: Float[Tensor, "n *d"],
        b: Float[Tensor, "n *d"],
        scale: Float[Tensor, "n"],
        mask: Bool[Tensor, "n *#d"] | None,
        m: int,
    ) -> Float[Tensor, "n"]:
        """Squared MMD of groups of ``m`` rows, as one term for each row of ``a``."""
        real = torch.ones_like(a) if mask is None else mask.expand_as(a).to(a)
        shape = (len(a) // m, m, -1)
        a, b, real = (h.reshape(shape) for h in (a, b, real))
        both = real.unsqueeze(1) * real.unsqueeze(2)
        width = scale.reshape(-1, m, 1).clamp(min=1e-6)

        def kernel(p: Tensor, q: Tensor) -> Tensor:
            gap = (both * (p.unsqueeze(2) - q.unsqueeze(1)).square()).sum(3)
            gap = gap / both.sum(3).clamp(min=1) + self.smoothing**2
            return torch.exp(-(gap.sqrt() - self.smoothing) / width)

        cross = kernel(a, b)
        return (kernel(a, a) + kernel(b, b) - cross - cross.transpose(1, 2)).mean(2).flatten()
