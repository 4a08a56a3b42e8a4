"""Recording of a network's hidden activations while a loss is evaluated."""

import functools
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
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


def mean_pool(
    h: Float[Tensor, "n *d"], frames: int | None, mask: Bool[Tensor, "b *f"] | None, batch: int
) -> Float[Tensor, "n *c"]:
    """Average features over their frames, without padding.

    Args:
        h: Output of a layer, for the batch or several times the batch, (n, *d).
        frames: Axis of the frames. With ``None``, and for vectors, ``h`` is returned unchanged.
        mask: Mask of the data, with frames on one axis only, or ``None``.
        batch: Number of rows of the batch; ``n`` is a multiple of it.

    Returns:
        Features without the axis of frames, (n, *c).

    Raises:
        InputError: If there is padding and no axis is given, or the mask has more axes.
    """
    if h.ndim == 2 or (frames is None and mask is None):
        return h
    if frames is None:
        raise InputError("data with padding: set frames to the layers' axis of frames, 1 or 2")
    h = h.movedim(frames, -1)
    if mask is None:
        return h.mean(-1)
    if sum(size > 1 for size in mask.shape[1:]) > 1:
        raise InputError(f"mask: only one axis besides the batch may exceed 1, not {mask.shape}")
    real = downsample_mask(mask.flatten(1), h.shape[-1]).repeat(len(h) // batch, 1)
    real = real.reshape(len(real), *([1] * (h.ndim - 2)), -1)
    return h.masked_fill(~real, 0.0).sum(-1) / real.sum(-1).clamp(min=1)


def downsample_mask(real: Bool[Tensor, "b n"], frames: int) -> Bool[Tensor, "b m"]:
    """Reduce a mask to the frame rate of a layer: True where any of the merged frames is real.

    A layer's rate is that of the data divided by a power of two; lengths are rounded up.
    """
    factor = 1
    while factor * frames < real.shape[1]:
        factor *= 2
    real = nn.functional.pad(real, (0, factor * frames - real.shape[1]))
    return real.reshape(-1, frames, factor).any(2)
