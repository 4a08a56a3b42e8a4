"""Recording of a network's hidden activations while a loss is evaluated."""

import functools
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from oneleap.core.errors import InputError, suggest

DEFAULT_LAYERS = ("blocks.0.gate", "blocks.0", "layers.1", "mid")
"""Layers that are recorded if none are named: the first of these that the network has.

They are the layers in the table of :mod:`oneleap.core.nets`.
"""


@runtime_checkable
class RecordsActivations(Protocol):
    """An objective that reads activations of the network being trained."""

    def record_activations(self, net: nn.Module) -> None:
        """Register hooks on ``net``, after it was copied and before anything is compiled."""


class ActivationRecorder:
    """Outputs of a network's named layers, recorded inside a ``with`` block.

    :meth:`record_activations` registers the hooks once, because torch cannot compile their
    registration. Outside a block they do nothing. Inside, they record outputs while gradients are
    enabled, so targets computed without gradient are left out, whichever network computes them.
    Each call of the network adds its rows. A loss that calls the network for one part of the batch
    and then for the rest thus records the whole batch, in order.

    Recording works in compiled code, under ``functional_call`` and within a JVP (with the gradient
    of the value, without its tangent). The recorded tensors must then be used before the compiled
    function ends.
    """

    def __init__(self) -> None:
        self._recording = False
        self._outputs: dict[str, list[Tensor]] = {}

    def record_activations(self, net: nn.Module, layers: tuple[str, ...] = ()) -> None:
        """Register hooks on the named layers of ``net``, or on a default layer.

        Raises:
            InputError: If the network has no such layer.
        """
        modules = dict(net.named_modules())
        if not layers:
            layers = tuple(name for name in DEFAULT_LAYERS if name in modules)[:1]
            if not layers:
                kind = type(net).__name__
                raise InputError(f"{kind} has none of the default layers: name the layers")
        for name in layers:
            if name not in modules:
                raise InputError(
                    f"{type(net).__name__} has no layer '{name}'{suggest(name, modules)}"
                )
            modules[name].register_forward_hook(functools.partial(self._record, name))

    def _record(self, name: str, module: nn.Module, args: Any, output: Tensor) -> None:
        if self._recording and torch.is_grad_enabled():
            self._outputs.setdefault(name, []).append(output)

    def __enter__(self) -> "ActivationRecorder":
        self._recording = True
        self._outputs.clear()
        return self

    def __exit__(self, *error: object) -> None:
        self._recording = False
        self._outputs.clear()

    def activations(self) -> dict[str, Tensor]:
        """Return the activations recorded so far by layer; the rows of all calls are concatenated.

        Raises:
            InputError: If nothing was recorded, because no network has hooks.
        """
        if not self._outputs:
            raise InputError(
                "no activations were recorded: call record_activations(net) before the first loss"
            )
        return {name: torch.cat(parts) for name, parts in self._outputs.items()}
