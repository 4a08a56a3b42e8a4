"""Any objective with a dispersive loss on hidden layers (arXiv 2506.09027, arXiv 2510.07865)."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.losses.dispersion import Dispersion, InfoNCEL2
from oneleap.core.losses.hooks import ActivationRecorder, RecordsActivations
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch


@dataclass(frozen=True)
class Dispersed(Objective):
    """``L + weight * mean over layers of a dispersion``, Wang & He Eq. (1).

    The features are those of the objective's own forward pass, of every call of the network that
    carries a gradient: nothing is evaluated twice. Cost: the objective's, and for each layer
    ``b^2 D`` operations and the memory of its output.

    A model of a domain puts the hooks on its network when it is built; who calls ``loss`` alone
    calls :meth:`record_activations` first. The dispersion is one number for the batch and is added to every
    row, so a domain that weights rows does not change its mean.

    Traps: it depends on the batch, and each process of a parallel run disperses its own. Features
    of padding would tell lengths apart: name the axis of ``frames``. Rows of a draw that repeat a
    condition are pushed apart like others.

    Deviations: DM1's code disperses the embeddings of times and condition on a second pass at
    other times; here it is hidden layers, on the same pass.

    Attributes:
        objective: What it is added to; ``None`` is ``MeanFlow()``. (A default object would lend
            its settings to any class that a YAML file names in its place.)
        dispersion: Which of the four.
        layers: Names of layers, see :mod:`oneleap.core.nets`; empty takes the network's first of
            :data:`oneleap.core.losses.hooks.FIRST`. The paper's is a quarter of the way in.
        weight: The paper's is 0.5; DM1 tries 0.1, 0.5 and 0.9.
        frames: Axis of the frames in the layers' outputs, which are averaged over it with padding
            left out: 1 for ``DiT1d`` and ``ConvNeXt1d``, 2 for ``UNet1d`` and ``WaveNet``.
            ``None`` compares whole sequences, frame by frame, as the paper does.
    """

    objective: Objective | None = None
    dispersion: Dispersion = field(default_factory=InfoNCEL2)
    layers: tuple[str, ...] = ()
    weight: float = 0.5
    frames: int | None = None
    _default: Objective = field(default_factory=MeanFlow, init=False, repr=False, compare=False)
    _hidden: ActivationRecorder = field(
        default_factory=ActivationRecorder, init=False, repr=False, compare=False
    )

    @property
    def inner(self) -> Objective:
        """The objective that is dispersed."""
        return self._default if self.objective is None else self.objective

    def record_activations(self, net: nn.Module) -> None:
        """Put hooks on the layers of the network being trained; its average needs none.

        Raises:
            InputError: If it has no such layers.
        """
        self._hidden.record_activations(net, self.layers)
        if isinstance(self.inner, RecordsActivations):
            self.inner.record_activations(net)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """The objective's own."""
        return self.inner.draw(x, generator, progress)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """See the class."""
        with self._hidden as hidden:
            loss = self.inner.loss(batch, draw)
            layers = [
                self.dispersion(pooled(h, self.frames, batch.mask, len(batch.x)))
                for h in hidden.rows().values()
            ]
        dispersion = torch.stack(layers).mean()
        logs = {**loss.logs, "dispersion": dispersion.detach()}
        return replace(loss, per_sample=loss.per_sample + self.weight * dispersion, logs=logs)


def pooled(
    h: Float[Tensor, "n *d"], frames: int | None, mask: Bool[Tensor, "b *f"] | None, batch: int
) -> Float[Tensor, "n *c"]:
    """Features averaged over their frames, padding left out.

    Args:
        h: A layer's output, for the batch or several times the batch.
        frames: Axis of its frames; ``None``, or vectors without frames, are left as they are.
        mask: Of the data, with frames on one axis only.
        batch: Rows of the batch.

    Raises:
        InputError: If there is padding and no axis is named, or the mask is of more than frames.
    """
    if h.ndim == 2 or (frames is None and mask is None):
        return h
    if frames is None:
        raise InputError("data with padding: say which axis of the layers are frames (1 or 2)")
    h = h.movedim(frames, -1)
    if mask is None:
        return h.mean(-1)
    if sum(size > 1 for size in mask.shape[1:]) > 1:
        raise InputError(f"a mask of frames has one axis beside the batch, not {mask.shape}")
    real = at_rate(mask.flatten(1), h.shape[-1]).repeat(len(h) // batch, 1)
    real = real.reshape(len(real), *([1] * (h.ndim - 2)), -1)
    return h.masked_fill(~real, 0.0).sum(-1) / real.sum(-1).clamp(min=1)


def at_rate(real: Bool[Tensor, "b n"], frames: int) -> Bool[Tensor, "b m"]:
    """Which of a layer's fewer frames hold any real one; rates are halved, lengths rounded up."""
    factor = 1
    while factor * frames < real.shape[1]:
        factor *= 2
    real = nn.functional.pad(real, (0, factor * frames - real.shape[1]))
    return real.reshape(-1, frames, factor).any(2)
