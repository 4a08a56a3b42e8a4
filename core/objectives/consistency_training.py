"""Consistency training without a teacher: CT (arXiv 2303.01469) and iCT (arXiv 2310.14189)."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import consistency_pair, intermediate_times
from oneleap.core.losses.metrics import Metric, PseudoHuber, SquaredError, masked_mean
from oneleap.core.paths.edm import Karras
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like


@dataclass(frozen=True)
class ConsistencyTraining(Objective):
    """Regress ``f(z_t, t)`` onto ``f(z_s, s)`` with the same data and noise, Eq. (10).

    The grid has ``N(p) = ceil(sqrt(p ((s1 + 1)^2 - s0^2) + s0^2) - 1) + 1`` nodes at the share
    ``p`` of the training run. The target uses a moving average, if the domain provides one, whose
    decay rises with the grid, ``mu(p) = exp(s0 ln(mu0) / N(p))``. iCT shows that any average biases
    training from data; prefer :class:`ImprovedConsistencyTraining`. Cost: 1 forward and backward
    pass, and 1 forward pass.

    Traps: see :class:`oneleap.core.objectives.ConsistencyDistillation`.

    Deviations: the grid covers [0, 1], see :class:`oneleap.core.paths.edm.Karras`. The metric is
    the squared error instead of LPIPS.

    Attributes:
        grid: Noise levels.
        first: Initial number of levels, ``s0``.
        last: Final number of levels, ``s1``: 150, or 200 at 64 x 64 pixels.
        metric: Distance between ``f(z_t, t)`` and ``f(z_s, s)``.
        mu0: Initial decay of the moving average that gives the targets. ``None`` takes them from
            the average that generates samples.
    """

    teacher: ClassVar[TeacherUse] = "none"

    grid: Karras = field(default_factory=Karras)
    first: int = 2
    last: int = 150
    metric: Metric = field(default_factory=SquaredError)
    mu0: float | None = 0.95

    def __post_init__(self) -> None:
        """Reject a decay outside (0, 1)."""
        if self.mu0 is not None and not 0 < self.mu0 < 1:
            raise InputError(f"mu0: {self.mu0} is not in (0, 1)")

    def target_decay(self, progress: float) -> float | None:
        """``mu`` at a share of the training run."""
        if self.mu0 is None:
            return None
        return math.exp(self.first * math.log(self.mu0) / self.nodes(progress))

    def nodes(self, progress: float) -> int:
        """Return the number of nodes ``N`` at a share of the training run."""
        squared = progress * ((self.last + 1) ** 2 - self.first**2) + self.first**2
        return math.ceil(math.sqrt(squared) - 1) + 1

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, a node ``t`` and the next node ``s`` toward the data; ``r = 0``."""
        e, n = noise_like(x, generator), self.nodes(progress)
        nodes = self.grid.times(n, x)
        i = torch.randint(1, n, (len(x),), generator=generator, device=x.device)
        return Draw(e, torch.zeros_like(nodes[i]), nodes[i], nodes[i - 1])

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``d( f(z_t, t), sg f(z_s, s) )``."""
        s = intermediate_times(draw, "ConsistencyTraining")
        source = batch.field if batch.target is None else batch.target
        prediction, target = consistency_pair(batch, draw, s, source)
        error = masked_mean((prediction - target).detach().square(), batch.mask).mean()
        return Loss(
            self.metric.for_batch(batch)(prediction, target, batch.mask),
            {"consistency_error": error},
        )


@dataclass(frozen=True)
class ImprovedConsistencyTraining(Objective):
    """iCT: consistency training with five improvements, Table 1 of the paper.

    The weight is ``1 / (sigma_{i+1} - sigma_i)``, Sec. 3.1. The target uses no moving average, Sec.
    3.2. The distance is pseudo-Huber, Sec. 3.3. The grid has ``min(s0 2^k, s1) + 1`` nodes and
    doubles after equal shares of training, Sec. 3.4. Intervals follow a lognormal distribution,
    Sec. 3.5. Cost: 1 forward and backward pass, and 1 forward pass.

    Traps: see :class:`oneleap.core.objectives.ConsistencyDistillation`. The weight makes the loss
    large, and larger as the grid grows. Adapt the learning rate and the weights of other losses.

    Attributes:
        grid: Noise levels, in units of the data; they define the weights and the distribution.
        first: Initial number of intervals, ``s0``.
        last: Final number of intervals, ``s1``.
        log_mean: Mean of ``ln sigma``.
        log_std: Standard deviation of ``ln sigma``.
        metric: Distance between ``f(z_t, t)`` and ``f(z_s, s)``.
    """

    teacher: ClassVar[TeacherUse] = "none"

    grid: Karras = field(default_factory=Karras)
    first: int = 10
    last: int = 1280
    log_mean: float = -1.1
    log_std: float = 2.0
    metric: Metric = field(default_factory=PseudoHuber)

    def nodes(self, progress: float) -> int:
        """Return the number of nodes of the grid at a share of the training run."""
        stages = (self.last // self.first).bit_length()  # floor(log2) + 1
        stage = min(int(progress * stages), stages - 1)
        return min(self.first << stage, self.last) + 1

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise and the ends ``s < t`` of an interval; ``r = 0``."""
        e, n = noise_like(x, generator), self.nodes(progress)
        probabilities = self.grid.log_normal(self.grid.sigmas(n, x), self.log_mean, self.log_std)
        i = torch.multinomial(probabilities, len(x), replacement=True, generator=generator)
        nodes = self.grid.times(n, x)
        return Draw(e, torch.zeros_like(nodes[i]), nodes[i + 1], nodes[i])

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``d( f(z_t, t), sg f(z_s, s) ) / (sigma_t - sigma_s)``."""
        s = intermediate_times(draw, "ImprovedConsistencyTraining")
        prediction, target = consistency_pair(batch, draw, s, batch.field)
        gap = self.grid.sigma(draw.t) - self.grid.sigma(s)
        error = masked_mean((prediction - target).detach().square(), batch.mask).mean()
        return Loss(
            self.metric.for_batch(batch)(prediction, target, batch.mask) / gap,
            {"consistency_error": error},
        )
