"""A limit on the memory of a model that is built from a file."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from oneleap.core.errors import InputError
from oneleap.core.reading.guard import FREE

RATIO = 32
"""Bytes that a model may have for each byte of its weights' file; with 8 bits, it has 8."""

MOST_TENSORS = 20_000
"""Number of tensors that a model may create."""

SHAPED = (
    *(torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full),
    *(torch.Tensor.new_zeros, torch.Tensor.new_ones, torch.Tensor.new_empty, torch.Tensor.repeat),
    *(torch.Tensor.expand, torch.Tensor.new_full, torch.eye, torch.hann_window),
)
"""Functions that make a tensor of a given shape."""


class Budget(TorchFunctionMode):
    """Refuses to create more memory than a weights' file can fill.

    A configuration can ask for a layer of 1e9 units in a few bytes. Its weights would have to be in
    the file beside it, so the size of that file bounds the model.

    Args:
        where: The configuration, for the message.
        stored: Size of the file of weights, in bytes.
    """

    def __init__(self, where: str, stored: int) -> None:
        super().__init__()
        self.where, self.left, self.tensors = where, FREE + RATIO * stored, 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Count what a function creates, and call it."""
        size = 0
        if func in SHAPED:
            size = _numbers((kwargs or {}).get("size") or [x for x in args if not _is_tensor(x)])
        elif func in (torch.arange, torch.linspace):
            size = max((abs(int(x)) for x in args if _is_number(x)), default=0)
        self.left -= 4 * size
        self.tensors += func in SHAPED
        if self.left < 0 or self.tensors > MOST_TENSORS:
            raise InputError(
                f"{self.where}: describes a model that is far larger than its weights: "
                "is it the file that was saved with them?"
            )
        return func(*args, **(kwargs or {}))


def _numbers(given: Sequence[Any]) -> int:
    """Return the size of a shape that is given as numbers, or as a tuple of numbers."""
    shape = next((x for x in given if isinstance(x, tuple | list | torch.Size)), given)
    sizes = [int(x) for x in shape if _is_number(x)]
    return math.prod(max(1, x) for x in sizes)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)
