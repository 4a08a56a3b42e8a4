"""NASA, negative-away steering of attention (SNOOPI, Nguyen et al. 2024, arXiv 2412.02687)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import require_droppable, unconditional
from oneleap.core.nets.attention import SelfAttention
from oneleap.core.types import Conditioned, Field


@dataclass(frozen=True)
class NegativeAway:
    """A field whose attention moves away from what it attends to under other conditions.

    Each attention layer returns ``Z - scale Z_neg``. ``Z`` is its result under the conditions; the
    same queries and the keys and values under the negative conditions give ``Z_neg``. Guidance
    extrapolates outputs, which harms a generator of one step; this acts on features and works at
    one step. Cost: 2 network evaluations.

    Traps: the layers' results shrink by ``1 - scale`` where both conditions agree; keep the scale
    low (0.1 to 0.5 in the paper). The network must have attention layers, as ``DiT1d`` has.

    Deviation: the paper steers cross-attention, whose keys and values are the text's. The networks
    here have self-attention over frames that carry their conditions, so the keys and values are
    those of the frames under the negative conditions.

    Attributes:
        field: The field under its conditions.
        negative: The field under the conditions to move away from, of the same network.
        scale: Weight of ``Z_neg``; 0 changes nothing.
    """

    field: Conditioned
    negative: Conditioned
    scale: float

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Steered mean velocity; 2 network evaluations."""
        sources: list[Tensor] = []
        with _hooked(self._layers(), lambda layer, args, result: sources.append(args[0])):
            self.negative(z, r, t)
        inputs = iter(sources)

        def away(layer: SelfAttention, args: tuple[Any, ...], result: Tensor) -> Tensor:
            x, *rest = args
            mixed = layer.mix(x, next(inputs), *rest)
            return result - self.scale * nn.functional.linear(mixed, layer.out.weight)

        with _hooked(self._layers(), away):
            return self.field(z, r, t)

    def _layers(self) -> list[SelfAttention]:
        """Attention layers of the network."""
        net = self.field.net
        layers = net.modules() if isinstance(net, nn.Module) else ()
        return [m for m in layers if isinstance(m, SelfAttention)]


@contextmanager
def _hooked(layers: list[SelfAttention], hook: Any) -> Iterator[None]:
    """Call a hook after each layer, inside the block."""
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def steer_away(field: Field, scale: float, noise: Float[Tensor, "b *d"]) -> Field:
    """Steer a field away from what it does without conditions.

    Args:
        field: Field of a network with attention, whose conditions can be dropped.
        scale: Weight of the negative attention; at 0 the field is returned unchanged.
        noise: Tensor with the rows of the batch, (b, *d).

    Raises:
        InputError: If the conditions cannot be dropped, or the network has no attention layers.
    """
    if scale == 0:
        return field
    steered = NegativeAway(
        require_droppable(field), unconditional(field, noise.new_ones(len(noise))), scale
    )
    if not steered._layers():
        raise InputError(
            "negative: this network has no attention layers, as DiT1d has: set it to 0"
        )
    return steered
