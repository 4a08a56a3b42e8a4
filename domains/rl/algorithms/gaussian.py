"""Gaussian and deterministic policies as fields, which act and are saved like all others."""

import itertools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.losses.metrics import masked_sum
from oneleap.core.paths.base import expand
from oneleap.core.sampling.ode import sample
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch


class Gaussian(nn.Module):
    """The mean velocity of data ``N(mean(s), std^2)``, in closed form.

    One step from noise is ``e - u(e, 0, 1) = mean + std e``; any number of steps comes to the same.
    ``mean`` is a ReLU network ending in a tanh, ``std`` is the same for all ``s`` and learnt, as in
    IQL, or 0: a deterministic policy. The flow keeps ``(z_t - (1 - t) mean) / sigma_t`` with
    ``sigma_t^2 = (1 - t)^2 std^2 + t^2``, which gives ``z_r``.

    Args:
        dim: Size of an action.
        cond_dim: Size of an observation.
        width: Units per hidden layer.
        depth: Hidden layers.
        random: Learn ``std``, else it is 0 (and ``t = 0`` is the one singular time).
    """

    def __init__(
        self, dim: int, cond_dim: int, width: int = 256, depth: int = 2, random: bool = True
    ) -> None:
        super().__init__()
        self.dim, self.cond_dim, self.width, self.depth = dim, cond_dim, width, depth
        self.random = random
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise([cond_dim] + [width] * depth):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.mean = nn.Sequential(*layers, nn.Linear(width, dim), nn.Tanh())
        self.log_std = nn.Parameter(torch.zeros(dim)) if random else None

    def forward(
        self,
        z: Float[Tensor, "b dim"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        s: Float[Tensor, "b cond"],
    ) -> Float[Tensor, "b dim"]:
        """``(z_t - z_r) / (t - r)``, with ``t - r`` cancelled."""
        mean, r, t = self.mean(s), expand(r, z), expand(t, z)
        log_std = self.log_std
        variance = z.new_zeros(()) if log_std is None else (2 * log_std.clamp(-5, 2)).exp()
        now, then = (((1 - c).square() * variance + c.square()).sqrt() for c in (t, r))
        slope = (t + r - variance * (2 - t - r)) / (now * (now + then))
        u: Tensor = (z - (1 - t) * mean) * slope - mean
        return u


class OneStep(Objective):
    """An objective of one-step samples alone: nothing to draw."""

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """No noise, and the one interval ``[0, 1]``."""
        return Draw(torch.zeros_like(x), x.new_zeros(len(x)), x.new_ones(len(x)))


@dataclass(frozen=True)
class Likelihood(OneStep):
    """``-log N(x; mean, std^2)`` of a field whose actions are Gaussian, summed over dimensions.

    A field ``u(e, 0, 1)`` that is affine in the noise tells ``mean`` at ``e = 0`` and
    ``mean + std`` at ``e = 1``. Cost: 2 forward and backward passes.
    """

    def loss(self, bound: TrainingBatch, draw: Draw) -> Loss:
        """See the class."""
        mean = sample(bound.field, draw.e)
        std = sample(bound.field, torch.ones_like(draw.e)) - mean
        minus_log = ((bound.x - mean) / std).square() / 2 + std.log() + math.log(2 * math.pi) / 2
        logs = {"action_error": (bound.x - mean).square().mean(), "std": std.mean()}
        return Loss(masked_sum(minus_log, bound.mask), {k: v.detach() for k, v in logs.items()})


@dataclass(frozen=True)
class Regression(OneStep):
    """``|| mean - x ||^2``, summed over dimensions, ``mean`` what the field makes of no noise.

    The penalty of TD3+BC and ReBRAC on a deterministic policy. Cost: 1 forward and backward pass.
    """

    def loss(self, bound: TrainingBatch, draw: Draw) -> Loss:
        """See the class."""
        error = masked_sum((sample(bound.field, draw.e) - bound.x).square(), bound.mask)
        return Loss(error, {"action_error": error.detach().mean()})
