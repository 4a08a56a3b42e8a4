"""Gaussian and deterministic policies as fields, and the objectives that train them."""

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.losses.metrics import masked_sum
from oneleap.core.paths.base import expand
from oneleap.core.sampling.ode import sample
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch


class GaussianField(nn.Module):
    """The mean velocity of data ``N(mean(s), std^2)``, in closed form.

    One step from noise is ``e - u(e, 0, 1) = mean + std e``. Any number of steps gives the same.
    ``mean`` is a ReLU network that ends in a tanh. ``std`` does not depend on ``s``. It is learned,
    as in IQL, or 0 for a deterministic policy. The flow preserves
    ``(z_t - (1 - t) mean) / sigma_t`` with ``sigma_t^2 = (1 - t)^2 std^2 + t^2``, which gives
    ``z_r``.

    Args:
        dim: Size of an action.
        cond_dim: Size of an observation.
        width: Units per hidden layer.
        depth: Number of hidden layers.
        stochastic: Whether to learn ``std``; else it is 0, and the field is singular at ``t = 0``.
    """

    def __init__(
        self, dim: int, cond_dim: int, width: int = 256, depth: int = 2, stochastic: bool = True
    ) -> None:
        super().__init__()
        self.dim, self.cond_dim, self.width, self.depth = dim, cond_dim, width, depth
        self.stochastic = stochastic
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise([cond_dim] + [width] * depth):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.mean = nn.Sequential(*layers, nn.Linear(width, dim), nn.Tanh())
        self.log_std = nn.Parameter(torch.zeros(dim)) if stochastic else None

    def forward(
        self,
        z: Float[Tensor, "b dim"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        s: Float[Tensor, "b cond"],
    ) -> Float[Tensor, "b dim"]:
        """Compute ``(z_t - z_r) / (t - r)``, with ``t - r`` canceled.

        Args:
            z: State at time ``t``.
            r: Earlier times.
            t: Later times.
            s: Normalized observations.

        Returns:
            The mean velocity.
        """
        mean, r, t = self.mean(s), expand(r, z), expand(t, z)
        log_std = self.log_std
        variance = z.new_zeros(()) if log_std is None else (2 * log_std.clamp(-5, 2)).exp()
        now, then = (((1 - c).square() * variance + c.square()).sqrt() for c in (t, r))
        slope = (t + r - variance * (2 - t - r)) / (now * (now + then))
        u: Tensor = (z - (1 - t) * mean) * slope - mean
        return u


class OneStepObjective(Objective):
    """Base of objectives that only need one-step samples: there is nothing to draw."""

    teacher: ClassVar[TeacherUse] = "none"

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Return zero noise and the interval ``[0, 1]``.

        Args:
            x: Data; only shape, dtype and device are used.
            generator: Unused.
            progress: Unused.

        Returns:
            The draw.
        """
        return Draw(torch.zeros_like(x), x.new_zeros(len(x)), x.new_ones(len(x)))


@dataclass(frozen=True)
class GaussianLikelihood(OneStepObjective):
    """``-log N(x; mean, std^2)`` of a field with Gaussian actions, summed over dimensions.

    The one-step sample of such a field is affine in the noise ``e``: it is ``mean`` at ``e = 0``
    and ``mean + std`` at ``e = 1``. Cost: 2 forward and backward passes.
    """

    def loss(self, bound: TrainingBatch, draw: Draw) -> Loss:
        """Compute the negative log-likelihood."""
        mean = sample(bound.field, draw.e)
        std = sample(bound.field, torch.ones_like(draw.e)) - mean
        minus_log = ((bound.x - mean) / std).square() / 2 + std.log() + math.log(2 * math.pi) / 2
        logs = {"action_error": (bound.x - mean).square().mean(), "std": std.mean()}
        return Loss(masked_sum(minus_log, bound.mask), {k: v.detach() for k, v in logs.items()})


@dataclass(frozen=True)
class ActionRegression(OneStepObjective):
    """``|| mean - x ||^2``, summed over dimensions; ``mean`` is the one-step sample of zero noise.

    This is the penalty of TD3+BC and ReBRAC on a deterministic policy. Cost: 1 forward and backward
    pass.
    """

    def loss(self, bound: TrainingBatch, draw: Draw) -> Loss:
        """Compute the squared error."""
        error = masked_sum((sample(bound.field, draw.e) - bound.x).square(), bound.mask)
        return Loss(error, {"action_error": error.detach().mean()})
