"""Any objective plus a dispersive loss on hidden layers (arXiv 2506.09027, arXiv 2510.07865)."""

from dataclasses import dataclass, field, replace

import torch
from torch import nn

from oneleap.core.losses.dispersion import Dispersion, InfoNCEL2
from oneleap.core.losses.hooks import ActivationRecorder, mean_pool
from oneleap.core.objectives.pairing.around import Around
from oneleap.core.types import Draw, Loss, TrainingBatch


@dataclass(frozen=True)
class Dispersed(Around):
    """``L + weight * dispersion``, the dispersion being averaged over layers, Wang & He Eq. (1).

    The features come from the objective's own forward passes, that is, from every call of the
    network that carries a gradient. No pass is repeated. Cost: that of the objective, plus
    ``b^2 D`` operations and the memory of its output for each layer.

    A domain's model registers the hooks on its network when it is built. Code that calls ``loss``
    without such a model must call :meth:`record_activations` first. The dispersion is one number
    for the batch. It is added to every row, so a domain that weights rows does not change its mean.

    Traps: the dispersion depends on the batch, and each process of a parallel run disperses its own
    rows. Features of padding would reveal the lengths: set ``frames`` for padded sequences. Rows
    with the same condition are pushed apart like all others.

    Deviations: DM1's code disperses the embeddings of times and condition, in a second pass at
    other times. Here hidden layers of the training pass are dispersed.

    Attributes:
        objective: Objective to which the dispersion is added; ``None`` is ``MeanFlow()``. (The
            default is not an object, because jsonargparse would apply the settings of a default
            object to any other class that a YAML file names.)
        dispersion: Dispersive loss.
        layers: Names of layers, see :mod:`oneleap.core.nets`. Empty selects the first of
            :data:`oneleap.core.losses.hooks.DEFAULT_LAYERS`. The paper uses a layer at a quarter of
            the depth.
        weight: Weight of the dispersion; 0.5 in the paper. DM1 tries 0.1, 0.5 and 0.9.
        frames: Axis of the frames in the layers' outputs: 1 for ``DiT1d`` and ``ConvNeXt1d``, 2 for
            ``UNet1d`` and ``WaveNet``. Outputs are averaged over it, without padding. ``None``
            compares whole sequences, frame by frame, as the paper does.
    """

    dispersion: Dispersion = field(default_factory=InfoNCEL2)
    layers: tuple[str, ...] = ()
    weight: float = 0.5
    frames: int | None = None
    _recorder: ActivationRecorder = field(
        default_factory=ActivationRecorder, init=False, repr=False, compare=False
    )

    def record_activations(self, net: nn.Module) -> None:
        """Register hooks on layers of the network being trained; its average needs none.

        Raises:
            InputError: If the network has no such layers.
        """
        self._recorder.record_activations(net, self.layers)
        super().record_activations(net)

    def is_distance(self) -> bool:
        """Return False: a dispersion can be negative."""
        return False

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """See the class."""
        with self._recorder as recorder:
            loss = self.inner.loss(batch, draw)
            per_layer = [
                self.dispersion(mean_pool(h, self.frames, batch.mask, len(batch.x)))
                for h in recorder.activations().values()
            ]
        dispersion = torch.stack(per_layer).mean()
        logs = {**loss.logs, "dispersion": dispersion.detach()}
        return replace(loss, per_sample=loss.per_sample + self.weight * dispersion, logs=logs)
