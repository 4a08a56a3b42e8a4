"""Hidden layers by name: what passes through a network while a loss is evaluated."""

import functools
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from oneleap.core.errors import InputError, nearest

FIRST = ("blocks.0.gate", "blocks.0", "layers.1", "mid")
"""The layer to look at where none is named: the first of these that a network has.

For each class it is the one in the table of :mod:`oneleap.core.nets`.
"""


@runtime_checkable
class RecordsActivations(Protocol):
    """An objective that looks into the network being trained; a domain introduces the two."""

    def record_activations(self, net: nn.Module) -> None:
        """Put hooks on ``net``, before anything is compiled and after it was copied."""


class ActivationRecorder:
    """Outputs of a network's named layers, gathered inside a ``with`` block.

    Hooks are put on the layers once, by :meth:`record_activations`: torch cannot compile their registration.
    Outside a block they do nothing. Inside, they keep what passes while gradients are on, so a
    target that is computed without gradient is left out, whatever network computes it. Each call
    adds its rows: a loss that calls the network for one part of the batch and then for the rest
    leaves the whole batch, in order.

    Works in compiled code, under ``functional_call`` and within a JVP (the value's gradient is
    kept, its tangent is not), if what was gathered is used up before the compiled function ends.
    """

    def __init__(self) -> None:
        self._open = False
        self._seen: dict[str, list[Tensor]] = {}

    def record_activations(self, net: nn.Module, layers: tuple[str, ...] = ()) -> None:
        """Put hooks on the named layers of ``net``, or on the first of :data:`FIRST`.

        Raises:
            InputError: If the network has no such layer.
        """
        modules = dict(net.named_modules())
        if not layers:
            layers = tuple(name for name in FIRST if name in modules)[:1]
            if not layers:
                raise InputError(f"name the layers of {type(net).__name__} to look at")
        for name in layers:
            if name not in modules:
                raise InputError(
                    f"{type(net).__name__} has no layer '{name}'{nearest(name, modules)}"
                )
            modules[name].register_forward_hook(functools.partial(self._keep, name))

    def _keep(self, name: str, module: nn.Module, args: Any, output: Tensor) -> None:
        if self._open and torch.is_grad_enabled():
            self._seen.setdefault(name, []).append(output)

    def __enter__(self) -> "ActivationRecorder":
        self._open = True
        self._seen.clear()
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        self._seen.clear()

    def rows(self) -> dict[str, Tensor]:
        """What was gathered so far by layer, the rows of all calls below each other.

        Raises:
            InputError: If nothing was, because no network is watched.
        """
        if not self._seen:
            raise InputError(
                "no hidden layer was seen: watch(net) before the first loss, as a model of a "
                "domain does when it is built"
            )
        return {name: torch.cat(parts) for name, parts in self._seen.items()}
