"""Consistency from data alone: CT (arXiv 2303.01469) and iCT (arXiv 2310.14189)."""

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.fields.flow_map import consistency_pair, intermediate_times
from oneleap.core.losses.metrics import Metric, PseudoHuber, SquaredError, masked_mean
from oneleap.core.paths.edm import Karras
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch, noise_like


@dataclass(frozen=True)
class ConsistencyTraining(Objective):
    """``f(z_t, t)`` is drawn to ``f(z_s, s)`` with the same data and noise, Eq. (10).

    The grid grows as ``N(p) = ceil(sqrt(p ((s1 + 1)^2 - s0^2) + s0^2) - 1) + 1`` nodes with the
    share ``p`` of training that is done. The right side is the moving average's where the domain
    keeps one; CT lets its decay rise with the grid, ``mu = exp(s0 ln(mu0) / N)`` with ``mu0`` 0.95,
    iCT shows that any average biases training from data: prefer
    :class:`ImprovedConsistencyTraining`. Cost: 1 forward and backward pass, 1 forward pass.

    Traps: see :class:`oneleap.core.objectives.ConsistencyDistillation`.

    Attributes:
        grid: Noise levels.
        first: ``s0``, levels at the start.
        last: ``s1``, levels at the end; 150, or 200 at 64 x 64 pixels.
        metric: Distance between the two ends.
    """

    grid: Karras = field(default_factory=Karras)
    first: int = 2
    last: int = 150
    metric: Metric = field(default_factory=SquaredError)

    def nodes(self, progress: float) -> int:
        """``N`` at a share of the training run."""
        square = progress * ((self.last + 1) ** 2 - self.first**2) + self.first**2
        return math.ceil(math.sqrt(square) - 1) + 1

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise, a node ``t`` and the next node ``s`` towards the data; ``r = 0``."""
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
        return Loss(self.metric(prediction, target, batch.mask), {"consistency_error": error})


@dataclass(frozen=True)
class ImprovedConsistencyTraining(Objective):
    """iCT: consistency training with five mends, Table 1 of the paper.

    The weight is ``1 / (sigma_{i+1} - sigma_i)``, Sec. 3.1; there is no average on the right side,
    Sec. 3.2; the distance is pseudo-Huber, Sec. 3.3; the grid has ``min(s0 2^k, s1) + 1`` nodes,
    doubled at equal shares of training, Sec. 3.4; intervals follow a lognormal law, Sec. 3.5.
    Cost: 1 forward and backward pass, 1 forward pass.

    Traps: see :class:`oneleap.core.objectives.ConsistencyDistillation`. The weight makes the
    loss large, and larger as the grid grows: mind the learning rate and its ratio to other losses.

    Attributes:
        grid: Noise levels, in the units of the data; the weights and the law are in them, too.
        first: ``s0``, intervals at the start.
        last: ``s1``, intervals at the end.
        log_mean: Of ``sigma``'s lognormal law.
        log_std: Of the same.
        metric: Distance between the two ends.
    """

    grid: Karras = field(default_factory=Karras)
    first: int = 10
    last: int = 1280
    log_mean: float = -1.1
    log_std: float = 2.0
    metric: Metric = field(default_factory=PseudoHuber)

    def nodes(self, progress: float) -> int:
        """Nodes of the grid at a share of the training run."""
        stages = (self.last // self.first).bit_length()  # floor(log2) + 1
        stage = min(int(progress * stages), stages - 1)
        return min(self.first << stage, self.last) + 1

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise, and the two ends ``s < t`` of an interval; ``r = 0``."""
        e, n = noise_like(x, generator), self.nodes(progress)
        mass = self.grid.log_normal(self.grid.sigmas(n, x), self.log_mean, self.log_std)
        i = torch.multinomial(mass, len(x), replacement=True, generator=generator)
        nodes = self.grid.times(n, x)
        return Draw(e, torch.zeros_like(nodes[i]), nodes[i + 1], nodes[i])

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``d( f(z_t, t), sg f(z_s, s) ) / (sigma_t - sigma_s)``."""
        s = intermediate_times(draw, "ImprovedConsistencyTraining")
        prediction, target = consistency_pair(batch, draw, s, batch.field)
        gap = self.grid.sigma(draw.t) - self.grid.sigma(s)
        error = masked_mean((prediction - target).detach().square(), batch.mask).mean()
        return Loss(self.metric(prediction, target, batch.mask) / gap, {"consistency_error": error})
