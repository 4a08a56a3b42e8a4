"""NCT, noise consistency training (Luo et al. 2025, arXiv 2506.19741): a new control."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import consistency_function, require_teacher
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import expand
from oneleap.core.types import (
    Conditioned,
    Draw,
    Field,
    Loss,
    Objective,
    TeacherUse,
    TrainingBatch,
    noise_like,
)


class Control(ABC):
    """A measurement of samples that a generator is to obey; subclasses are frozen dataclasses."""

    @abstractmethod
    def __call__(
        self, x: Float[Tensor, "b *d"], mask: Bool[Tensor, "b *#d"] | None = None
    ) -> Float[Tensor, "b k"]:
        """Measure each sample.

        Args:
            x: Samples as the network sees them, (b, *d).
            mask: True where ``x`` is data, False where it is padding.

        Returns:
            ``k`` numbers for each sample.
        """


@dataclass(frozen=True)
class MeanLevel(Control):
    """The mean of a sample, such as the level of a spectrogram."""

    def __call__(
        self, x: Float[Tensor, "b *d"], mask: Bool[Tensor, "b *#d"] | None = None
    ) -> Float[Tensor, "b k"]:
        """See :meth:`Control.__call__`."""
        return masked_mean(x, mask).unsqueeze(1)


@dataclass(frozen=True)
class NoiseConsistency(Objective):
    """Teach a finished one-step generator a control, without data and without a multi-step teacher.

    The frozen generator makes ``x = f(e)``, and its measurement ``c`` is a condition of the student
    ``F``. Noise ``z_l = sqrt(1 - l^2) e + l n`` forgets ``e``, and so ``c``, as ``l`` rises, and is
    standard normal at every level. ``F`` must give the same at neighboring levels, and ``f(e)`` at
    ``l = 0``:

        ``d(F(z_l, l, c), sg F(z_k, k, c)) + boundary d(F(e, 0, c), f(e))``.

    This is consistency training on the law of ``e`` given ``c``. At ``l = 1`` the noise is fresh,
    so ``F(n, 1, c)`` samples ``p(x | c)``. Only the shape and the conditions of the data are used.
    Cost: 2 forward and backward passes, 1 forward pass, and 1 pass of the frozen generator.

    The teacher is the finished generator, a model of one step. The student starts from its weights
    (``recipe.init_from``) and has the control among its conditions.

    Traps: without ``control``, the batch's conditions must already be those of the frozen
    generator's samples. Few levels narrow the samples, as in all consistency training. The mean of
    a distance other than the squared error is not the conditional mean.

    Deviations: the level is an input of the student, as ``r = 1 - l`` at ``t = 1``; without it, one
    function would have to be ``f(z)`` and a sample under ``c`` at the same ``z``. ``boundary`` is
    fixed, not adapted by dual ascent; squared error instead of LPIPS.

    Attributes:
        steps: Number of levels of noise.
        boundary: Weight of the boundary term.
        control: What is measured; its ``k`` numbers replace the last ``k`` entries of the last
            condition vector. ``None`` takes the batch's conditions as they are.
        metric: Distance between samples.
    """

    teacher: ClassVar[TeacherUse] = "required"

    steps: int = 20
    boundary: float = 1.0
    control: Control | None = None
    metric: Metric = field(default_factory=SquaredError)

    def __post_init__(self) -> None:
        """Reject a chain without steps, and a weight that is negative."""
        if self.steps < 1:
            raise InputError(f"steps of NoiseConsistency must be at least 1, not {self.steps}")
        if self.boundary < 0:
            raise InputError(f"boundary must not be negative, not {self.boundary}")

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw both noises and a level ``l``; ``r = 1 - l``, and ``s`` is for the level below."""
        e, n = noise_like(x, generator), noise_like(x, generator)
        k = torch.randint(1, self.steps + 1, (len(x),), generator=generator, device=x.device)
        level = k.to(x) / self.steps
        return Draw(e, 1 - level, torch.ones_like(level), 1 - level + 1 / self.steps, renoise=(n,))

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """Consistency between levels, and the frozen generator's sample at the first."""
        teacher = require_teacher(batch, "NoiseConsistency", "MeanFlow")
        if draw.renoise is None or draw.s is None:
            raise InputError("NoiseConsistency needs the noise and levels of its own draw()")
        (n,), one = draw.renoise, draw.t
        with torch.no_grad():
            x = consistency_function(teacher, draw.e, one)
        student = batch.field
        if self.control is not None:
            student = with_control(student, self.control(x, batch.mask))

        def sample(r: Tensor) -> Tensor:
            z = noised(draw.e, n, 1 - r)
            return z - student(z, r, one)

        with torch.no_grad():
            target = sample(draw.s)
        found, start = sample(draw.r), draw.e - student(draw.e, one, one)
        consistency = self.metric(found, target, batch.mask)
        boundary = self.metric(start, x, batch.mask)
        logs = {"consistency": consistency.detach().mean(), "boundary": boundary.detach().mean()}
        return Loss(consistency + self.boundary * boundary, logs)


def noised(
    e: Float[Tensor, "b *d"], n: Float[Tensor, "b *d"], level: Float[Tensor, "b"]
) -> Float[Tensor, "b *d"]:
    """``sqrt(1 - l^2) e + l n``, standard normal at every level.

    Args:
        e: Noise that the control depends on, (b, *d).
        n: Fresh noise, (b, *d).
        level: Levels in [0, 1], (b,).
    """
    level = expand(level, e)
    return (1 - level.square()).clamp(min=0.0).sqrt() * e + level * n


def with_control(field: Field, c: Float[Tensor, "b k"]) -> Conditioned:
    """Replace the last entries of a field's last condition vector.

    Args:
        field: Field under conditions.
        c: New entries, (b, k).

    Raises:
        InputError: If no condition is a vector of at least ``k`` numbers.
    """
    cond = field.cond if isinstance(field, Conditioned) else ()
    vectors = [i for i, v in enumerate(cond) if v.ndim == 2 and v.is_floating_point()]
    if not vectors or cond[vectors[-1]].shape[1] < c.shape[1]:
        raise InputError(
            f"control: it measures {c.shape[1]} numbers, and the model has no condition vector "
            "with as many entries"
        )
    assert isinstance(field, Conditioned)
    index = vectors[-1]
    kept = cond[index][:, : -c.shape[1]]
    new = torch.cat([kept, c.to(kept)], dim=1)
    return replace(field, cond=(*cond[:index], new, *cond[index + 1 :]))
