"""Means over the processes of a run, for gradients that Lightning does not exchange."""

import torch
from torch import Tensor, distributed

from oneleap.domains.rl.algorithms.compiled_step import Weights


@torch.library.custom_op("oneleap::process_mean", mutates_args=())
def process_mean(x: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes; it has no derivative.

    It is an operator of its own, so a derivative of ``torch.func`` and a compiled graph may contain
    it. All processes must call it in the same order.

    Args:
        x: Tensor of the same shape on each process.

    Returns:
        The mean, equal on each process.
    """
    total = x.clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


@process_mean.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def mean_weights(*parts: Weights) -> list[Weights]:
    """Return the means of several dictionaries of tensors over all processes, by one exchange."""
    tensors = [tensor for part in parts for tensor in part.values()]
    mean = process_mean(torch.cat([tensor.flatten() for tensor in tensors]))
    pieces = iter(mean.split([tensor.numel() for tensor in tensors]))
    return [{name: next(pieces).view_as(x) for name, x in part.items()} for part in parts]
