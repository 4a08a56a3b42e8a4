"""A distance of samples in the hidden layers of the teacher (SoundCTM, arXiv 2405.18503)."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.losses.hooks import ActivationRecorder, downsample_mask
from oneleap.core.losses.metrics import Metric, masked_mean
from oneleap.core.types import Field, TrainingBatch


@dataclass(frozen=True)
class FeatureDistance(Metric):
    """Squared distance of unit-normalized features of the frozen teacher, summed over layers.

    Both samples enter the teacher at the early time ``time``, under the conditions of the batch. No
    network from elsewhere is needed. It compares samples: use it with consistency distillation,
    consistency training from a teacher's weights, CTM or direct distillation. Cost: 2 passes of the
    teacher, and a backward pass of it to its input.

    Traps: it is no squared error of velocities, so its minimum is no mean: objectives that regress
    a velocity refuse it. Features are normalized over channels, so a change of their common size
    does not count: keep some squared error.

    Attributes:
        layers: Names of layers of the teacher, see :mod:`oneleap.core.nets`; empty selects the
            first of :data:`oneleap.core.losses.hooks.DEFAULT_LAYERS`.
        time: Time at which the teacher sees the samples.
        frames: Axis of the frames in the layers' outputs, see
            :class:`oneleap.core.objectives.Dispersed`; ``None`` has the channels last.
        squared: Weight of the squared error of the samples beside it.
    """

    layers: tuple[str, ...] = ()
    time: float = 0.05
    frames: int | None = None
    squared: float = 0.1
    _recorder: ActivationRecorder = field(
        default_factory=ActivationRecorder, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Reject times outside (0, 1], and a negative weight."""
        if not 0 < self.time <= 1:
            raise InputError(f"time of FeatureDistance must be in (0, 1], not {self.time}")
        if self.squared < 0:
            raise InputError(f"squared must not be negative, not {self.squared}")

    def record_activations(self, teacher: nn.Module) -> None:
        """Register hooks on the teacher's network; a model does so when it loads its teacher.

        Raises:
            InputError: If the network has no such layers.
        """
        self._recorder.record_activations(teacher, self.layers)

    def for_batch(self, batch: TrainingBatch) -> Metric:
        """Return the distance under the conditions of a batch.

        Raises:
            InputError: If the batch has no teacher.
        """
        if batch.teacher is None:
            raise InputError(
                "FeatureDistance compares samples in a teacher's layers, and none was given: "
                "set the model's teacher"
            )
        return _BoundFeatureDistance(self, batch.teacher)

    def __call__(
        self,
        prediction: Float[Tensor, "b *d"],
        target: Float[Tensor, "b *d"],
        mask: Bool[Tensor, "b *#d"] | None = None,
    ) -> Float[Tensor, "b"]:
        """Refuse: the objective does not compare samples.

        Raises:
            InputError: Always.
        """
        raise InputError(
            "FeatureDistance compares samples, and this objective regresses a velocity: use it "
            "with ConsistencyDistillation, ConsistencyTrajectory or DirectDistillation"
        )

    def between(
        self,
        teacher: Field,
        prediction: Float[Tensor, "b *d"],
        target: Float[Tensor, "b *d"],
        mask: Bool[Tensor, "b *#d"] | None,
    ) -> Float[Tensor, "b"]:
        """Distance of two samples in the layers of a teacher.

        Args:
            teacher: Teacher under the conditions of the batch.
            prediction: Samples, with gradient.
            target: Samples.
            mask: True where the samples are data.

        Returns:
            Distances, (b,).
        """
        b = len(prediction)
        t = torch.full((b,), self.time, dtype=prediction.dtype, device=prediction.device)
        with torch.enable_grad(), self._recorder as recorder:
            teacher(prediction, t, t)
            teacher(target.detach(), t, t)
            layers = list(recorder.activations().values())
        total = self.squared * masked_mean((prediction - target).square(), mask)
        for h in layers:
            axis = 1 if self.frames == 2 else -1
            unit = h / (h.square().sum(axis, keepdim=True) + 1e-10).sqrt()
            gap = (unit[:b] - unit[b:].detach()).square().sum(axis)
            real = None
            if mask is not None and gap.ndim > 1:
                real = downsample_mask(mask.flatten(1), gap.shape[1])
            total = total + masked_mean(gap, real)
        return total


@dataclass(frozen=True)
class _BoundFeatureDistance(Metric):
    """A :class:`FeatureDistance` with the teacher of a batch."""

    distance: FeatureDistance
    teacher: Field

    def __call__(
        self,
        prediction: Float[Tensor, "b *d"],
        target: Float[Tensor, "b *d"],
        mask: Bool[Tensor, "b *#d"] | None = None,
    ) -> Float[Tensor, "b"]:
        """See :meth:`Metric.__call__`."""
        return self.distance.between(self.teacher, prediction, target, mask)
