"""Exponential moving averages of network weights."""

import copy
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import torch
from torch import nn

from oneleap.core.errors import InputError
from oneleap.core.nets.low_rank import plain_weights

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class PowerEMA:
    """An average whose window grows with the run, from EDM2 (Karras et al. 2024, arXiv 2312.02696).

    Step ``k`` of ``n`` has the weight ``k^gamma``, Sec. 3.1. The noisy start of training is thus
    forgotten in proportion, for any ``n``. The decay at step ``t`` is ``(1 - 1/t)^(gamma + 1)``; at
    the first step the average becomes a copy.

    Attributes:
        sigma_rel: Standard deviation of the weights over time, as a share of the run. EDM2 uses
            0.05 and 0.1, which correspond to ``gamma`` 16.97 and 6.94.
    """

    sigma_rel: float = 0.05

    def __post_init__(self) -> None:
        """Reject a width that no ``gamma >= 0`` has."""
        if not 0 < self.sigma_rel <= 12**-0.5:
            raise InputError(
                f"sigma_rel must be above 0 and at most {12**-0.5:.3f}, the width of equal "
                f"weights, not {self.sigma_rel}"
            )

    @cached_property
    def gamma(self) -> float:
        """Exponent: ``sigma_rel^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3))``, by bisection."""
        low, high = 0.0, 1.0 / self.sigma_rel
        for _ in range(100):
            middle = (low + high) / 2
            width = math.sqrt((middle + 1) / (middle + 3)) / (middle + 2)
            low, high = (middle, high) if width > self.sigma_rel else (low, middle)
        return low

    def decay(self, step: int) -> float:
        """Return the decay at a gradient step, counted from 0."""
        return math.pow(step / (step + 1), self.gamma + 1)


def frozen_copy(module: M) -> M:
    """Return a copy without gradients, for a target network or a moving average."""
    return copy.deepcopy(module).requires_grad_(False)


def trainable(average: M) -> M:
    """Return a copy of a moving average with gradients."""
    return copy.deepcopy(average).requires_grad_(True)


def frozen_view(module: M) -> M:
    """Return a module with the same weights in the same memory, as constants without gradient.

    Training the module changes the view. A loss can thus send gradients through the inputs of a
    network, and others to its weights, in one graph.
    """
    view = frozen_copy(module)
    own = [*view.parameters(), *view.buffers()]
    for mine, theirs in zip(own, [*module.parameters(), *module.buffers()], strict=True):
        mine.data = theirs.data
    return view


@torch.no_grad()
def ema_update(
    average: nn.Module, online: nn.Module, decay: float | PowerEMA, step: int | None = None
) -> None:
    """Update ``average <- decay * average + (1 - decay) * online``; buffers are copied.

    Args:
        average: Module to update in place.
        online: Module being trained; unchanged. It may have low-rank adapters, the average not.
        decay: Constant, or a schedule.
        step: Gradient step, from 0; required by a schedule.

    Raises:
        ValueError: If a schedule is given without a step.
    """
    if isinstance(decay, PowerEMA):
        if step is None:
            raise ValueError("the decay of a PowerEMA depends on the step: pass step")
        decay = decay.decay(step)
    weights = plain_weights(online)
    new = [weights[name] for name, _ in average.named_parameters()]
    torch._foreach_lerp_(list(average.parameters()), new, weight=1.0 - decay)
    for average_buffer, buffer in zip(average.buffers(), online.buffers(), strict=True):
        average_buffer.copy_(buffer)
