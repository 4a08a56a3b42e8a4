"""The losses of EDM (arXiv 2206.00364) and DDPM (arXiv 2006.11239), written for a field."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import LinearPath, expand
from oneleap.core.paths.ddpm import DiscreteVPPath, LinearBetas
from oneleap.core.paths.times import LogitNormal, Times
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch, noise_like


def weighted_velocity_loss(
    batch: TrainingBatch, draw: Draw, weight: Float[Tensor, "b"], metric: Metric
) -> Loss:
    """Distance between ``weight u(z_t, t, t)`` and ``weight (e - x)``.

    Args:
        batch: Batch with field and data.
        draw: Noise and times.
        weight: Weights of the rows, (b,).
        metric: Distance between the weighted velocities.

    Returns:
        Loss of each sample, and the unweighted error for the log.
    """
    path = LinearPath()
    u = batch.field(path.point(batch.x, draw.e, draw.t), draw.t, draw.t)
    v, w = path.velocity(batch.x, draw.e), expand(weight, u)
    error = masked_mean((u - v).detach().square(), batch.mask).mean()
    return Loss(metric(w * u, w * v, batch.mask), {"velocity_error": error})


@dataclass(frozen=True)
class Denoising(Objective):
    """EDM, Sec. 5 and Table 1: ``E lambda(sigma) || D(x + sigma e, sigma) - x ||^2``.

    On the linear path ``D - x = t (v - u)``. With EDM's ``lambda`` the loss is therefore flow
    matching with another weight. For the squared error, the weight is
    ``(t / sigma_data)^2 + (1 - t)^2``, which measures the error in units of the output ``F`` of
    EDM's preconditioned network. A lognormal ``sigma`` is a logit-normal ``t``. Cost: 1 forward and
    backward pass.

    Trap: the times suit data with standard deviation ``sigma_data``. Noise levels near 80 are
    hardly ever drawn, so a teacher only extrapolates to times near 1.

    Attributes:
        times: Distribution of ``t``; EDM's ``P_mean, P_std`` are -1.2, 1.2.
        sigma_data: Standard deviation of the data.
        metric: Distance between prediction and target.
    """

    teacher: ClassVar[TeacherUse] = "none"

    times: Times = field(default_factory=lambda: LogitNormal(-1.2, 1.2))
    sigma_data: float = 0.5
    metric: Metric = field(default_factory=SquaredError)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise and ``r = t``."""
        e = noise_like(x, generator)
        t = self.times.sample((len(x),), x, generator)
        return Draw(e, t, t)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """See the class."""
        weight = torch.hypot(draw.t / self.sigma_data, 1 - draw.t)
        return weighted_velocity_loss(batch, draw, weight, self.metric)


@dataclass(frozen=True)
class NoisePrediction(Objective):
    """DDPM, Eq. (14): ``E || eps(x_k, k) - e ||`` over uniform steps ``k``.

    On the linear path ``N - e = (1 - t) (u - v)``. The loss is therefore flow matching with another
    weight, at the times of the schedule. Cost: 1 forward and backward pass.

    Trap: a field trained with this loss gives poor samples in one step, see
    :class:`oneleap.core.paths.ddpm.DiscreteVPPath`.

    Attributes:
        schedule: Noise schedule.
        metric: ``SquaredError`` (DDPM, Diffusion-QL) or ``AbsoluteError`` (DiffSinger).
        p_end: Share of rows at pure noise, ``t = 1``, which learn the mean of the data for
            :func:`oneleap.core.sampling.diffusion.one_more_step`; 0 for none.
    """

    teacher: ClassVar[TeacherUse] = "none"

    schedule: DiscreteVPPath = field(default_factory=LinearBetas)
    metric: Metric = field(default_factory=SquaredError)
    p_end: float = 0.0

    def __post_init__(self) -> None:
        """Reject a share outside [0, 1)."""
        if not 0 <= self.p_end < 1:
            raise InputError(f"p_end must be a share in [0, 1), not {self.p_end}")

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise and ``r = t``, the time of a step from 1 to the last."""
        e = noise_like(x, generator)
        last = self.schedule.steps
        k = torch.randint(1, last + 1, (len(x),), generator=generator, device=x.device)
        t = self.schedule.time(k.to(x.dtype))
        t[: math.ceil(self.p_end * len(x))] = 1.0
        return Draw(e, t, t)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """See the class."""
        weight = torch.where(draw.t < 1, 1 - draw.t, 1.0)  # at t = 1, the error of the data's mean
        return weighted_velocity_loss(batch, draw, weight, self.metric)
