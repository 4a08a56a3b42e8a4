"""Diffusion's own losses, EDM's (arXiv 2206.00364) and DDPM's (arXiv 2006.11239), on a field."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath, expand
from oneleap.core.paths.ddpm import DiscreteVPPath, LinearBetas
from oneleap.core.paths.times import LogitNormal, Times
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch, noise_like


def weighted(batch: TrainingBatch, draw: Draw, weight: Float[Tensor, "b"], metric: Metric) -> Loss:
    """Distance between ``weight u(z_t, t, t)`` and ``weight (e - x)``."""
    path = LinearPath()
    u = batch.field(path.point(batch.x, draw.e, draw.t), draw.t, draw.t)
    v, w = path.velocity(batch.x, draw.e), expand(weight, u)
    error = masked_mean((u - v).detach().square(), batch.mask).mean()
    return Loss(metric(w * u, w * v, batch.mask), {"velocity_error": error})


@dataclass(frozen=True)
class Denoising(Objective):
    """EDM, Sec. 5 and Table 1: ``E lambda(sigma) || D(x + sigma e, sigma) - x ||^2``.

    On the linear path ``D - x = t (v - u)``, so with EDM's ``lambda`` it is flow matching under
    another weight, ``(t / sigma_data)^2 + (1 - t)^2`` for the squared error: the error in units of
    the output ``F`` of EDM's preconditioned network. Lognormal ``sigma`` is logit-normal ``t``.
    Cost: 1 forward and backward pass.

    Trap: the times are those of data with a standard deviation of ``sigma_data``; noise as strong
    as 80 is hardly ever drawn, so a teacher knows times near 1 by continuation only.

    Attributes:
        times: Of ``t``; EDM's ``P_mean, P_std`` are -1.2, 1.2.
        sigma_data: Standard deviation of the data.
        metric: Distance between prediction and target.
    """

    times: Times = field(default_factory=lambda: LogitNormal(-1.2, 1.2))
    sigma_data: float = 0.5
    metric: Metric = field(default_factory=SquaredError)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise and ``r = t``."""
        e = noise_like(x, generator)
        t = self.times.sample((len(x),), x, generator)
        return Draw(e, t, t)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """See the class."""
        weight = torch.hypot(draw.t / self.sigma_data, 1 - draw.t)
        return weighted(batch, draw, weight, self.metric)


@dataclass(frozen=True)
class NoisePrediction(Objective):
    """DDPM, Eq. (14): ``E || eps(x_k, k) - e ||`` over uniform steps ``k``.

    On the linear path ``N - e = (1 - t) (u - v)``: flow matching under another weight, at the
    times of the schedule. Cost: 1 forward and backward pass.

    Trap: see :class:`oneleap.core.paths.ddpm.DiscreteVPPath` on one-step sampling of a field trained so.

    Attributes:
        schedule: Of the noise.
        metric: ``SquaredError`` (DiscreteVPPath, Diffusion-QL) or ``AbsoluteError`` (DiffSinger's).
    """

    schedule: DiscreteVPPath = field(default_factory=LinearBetas)
    metric: Metric = field(default_factory=SquaredError)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Noise and ``r = t``, the time of a step from 1 to the last."""
        e = noise_like(x, generator)
        last = self.schedule.steps
        k = torch.randint(1, last + 1, (len(x),), generator=generator, device=x.device)
        t = self.schedule.time(k.to(x.dtype))
        return Draw(e, t, t)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """See the class."""
        return weighted(batch, draw, 1 - draw.t, self.metric)
