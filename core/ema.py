"""Exponential moving averages of network weights."""

import copy
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def frozen_copy(module: M) -> M:
    """A copy that takes no gradient: a target network, or an average in the making."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def ema_update(average: nn.Module, online: nn.Module, decay: float) -> None:
    """``average <- decay * average + (1 - decay) * online``; buffers are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(online.parameters()), weight=1.0 - decay)
    for mine, theirs in zip(average.buffers(), online.buffers(), strict=True):
        mine.copy_(theirs)
