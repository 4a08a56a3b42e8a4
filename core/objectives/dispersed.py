"""Any objective plus a dispersive loss on hidden layers (arXiv 2506.09027, arXiv 2510.07865)."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.losses.dispersion import Dispersion, InfoNCEL2
from oneleap.core.losses.hooks import ActivationRecorder, RecordsActivations
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch


@dataclass(frozen=True)
class Dispersed(Objective):
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

    teacher: ClassVar[TeacherUse] = "optional"

    objective: Objective | None = None
    dispersion: Dispersion = field(default_factory=InfoNCEL2)
    layers: tuple[str, ...] = ()
    weight: float = 0.5
    frames: int | None = None
    _default: Objective = field(default_factory=MeanFlow, init=False, repr=False, compare=False)
    _recorder: ActivationRecorder = field(
        default_factory=ActivationRecorder, init=False, repr=False, compare=False
    )

    @property
    def inner(self) -> Objective:
        """The objective to which the dispersion is added."""
        return self._default if self.objective is None else self.objective

    def teacher_use(self) -> TeacherUse:
        """Return that of the inner objective."""
        return self.inner.teacher_use()

    def record_activations(self, net: nn.Module) -> None:
        """Register hooks on layers of the network being trained; its average needs none.

        Raises:
            InputError: If the network has no such layers.
        """
        self._recorder.record_activations(net, self.layers)
        if isinstance(self.inner, RecordsActivations):
            self.inner.record_activations(net)

    def target_decay(self, progress: float) -> float | None:
        """Decay of the inner objective."""
        return self.inner.target_decay(progress)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw as the inner objective does."""
        return self.inner.draw(x, generator, progress)

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
