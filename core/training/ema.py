"""Exponential moving averages of network weights."""

import copy
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import torch
from torch import nn

from oneleap.core.errors import InputError

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class PowerEMA:
    """An average whose memory grows with the run, EDM2's (Karras et al. 2024, arXiv 2312.02696).

    Step ``k`` of ``n`` weighs as ``k^gamma``, Sec. 3.1: the noisy start of training is forgotten
    in proportion, whatever ``n``. Its decay at step ``t`` is ``(1 - 1/t)^(gamma + 1)``; at the
    first the average becomes a copy.

    Attributes:
        sigma_rel: Width of the weights, as a share of the run: their standard deviation. EDM2
            keeps 0.05 and 0.1, which are ``gamma`` 16.97 and 6.94.
    """

    sigma_rel: float = 0.05

    def __post_init__(self) -> None:
        """Refuse a width that no rising power has."""
        if not 0 < self.sigma_rel <= 12**-0.5:
            raise InputError(
                f"sigma_rel is above 0 and at most {12**-0.5:.3f}, the width of equal weights, "
                f"not {self.sigma_rel}"
            )

    @cached_property
    def gamma(self) -> float:
        """The power: ``sigma_rel^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3))``, bisected."""
        low, high = 0.0, 1.0 / self.sigma_rel
        for _ in range(100):
            middle = (low + high) / 2
            width = math.sqrt((middle + 1) / (middle + 3)) / (middle + 2)
            low, high = (middle, high) if width > self.sigma_rel else (low, middle)
        return low

    def decay(self, step: int) -> float:
        """The decay at a gradient step, counted from 0."""
        return math.pow(step / (step + 1), self.gamma + 1)


def frozen_copy(module: M) -> M:
    """A copy that takes no gradient: a target network, or an average in the making."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def ema_update(
    average: nn.Module, online: nn.Module, decay: float | PowerEMA, step: int | None = None
) -> None:
    """``average <- decay * average + (1 - decay) * online``; buffers are copied.

    Args:
        average: Updated in place.
        online: Left alone.
        decay: Constant, or a schedule.
        step: Gradient step, from 0; a schedule needs it.
    """
    if isinstance(decay, PowerEMA):
        if step is None:
            raise ValueError("the decay of a PowerEMA depends on the step: pass it")
        decay = decay.decay(step)
    torch._foreach_lerp_(list(average.parameters()), list(online.parameters()), weight=1.0 - decay)
    for mine, theirs in zip(average.buffers(), online.buffers(), strict=True):
        mine.copy_(theirs)
