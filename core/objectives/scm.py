"""sCM, continuous-time consistency models (Lu & Song 2024, arXiv 2410.11081), on TrigFlow."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import require_teacher
from oneleap.core.fields.guidance import guide_teacher, with_guidance
from oneleap.core.fields.jvp import total_derivative
from oneleap.core.losses.metrics import Metric, SquaredError, masked_mean
from oneleap.core.paths.base import expand
from oneleap.core.paths.times import LogitNormal, Times, Uniform
from oneleap.core.paths.trigflow import TrigFlow
from oneleap.core.types import Draw, Field, Loss, Objective, TeacherUse, TrainingBatch, noise_like


@dataclass(frozen=True)
class ContinuousConsistency(Objective):
    """sCM, Algorithm 1: make ``f = cos(tau) x - sin(tau) s F`` constant along trajectories.

    ``F(x, tau)`` is the field in TrigFlow's parametrization, with ``u(z, 0, t)`` as the field's
    value. Its target is ``F + g`` without gradient. With ``c = cos(tau)`` and ``n = sin(tau)``,

        ``g = -c^2 (s F - dx/dtau) - ramp c n (x + s dF/dtau)``.

    This equals ``c df/dtau`` once ``ramp`` is 1. The loss uses ``g / (|g| + 0.1)``, where ``|g|``
    is the root mean square. ``dx/dtau`` comes from the teacher if there is one (sCD), else from the
    sample (sCT). Cost: 1 forward and backward pass with a forward tangent, and 1 pass of the
    teacher, 2 with guidance.

    Traps: only ``u(z, 0, t)`` is trained, see
    :class:`oneleap.core.objectives.ConsistencyDistillation`. The logged error is that of ``g``
    before normalization, because the loss itself stays near 1. The derivative needs float32 and
    time features of low frequency.

    Deviations: there is no adaptive weight. It would be a second network for the log-variance of
    the loss, and an objective holds no weights. The factor ``1 / sigma``, which that weight
    balances, is therefore left out too; the normalized ``g`` has the same size at every time. The
    warm-up is a share of the run, where the paper has 10,000 steps.

    Attributes:
        times: Distribution of ``t``; a lognormal ``s tan(tau)`` is a logit-normal ``t``. The
            paper's mean and standard deviation depend on the dataset.
        sigma_data: Standard deviation ``s`` of the data.
        warmup: Share of the run over which the second term of ``g`` is introduced.
        c: Constant added to the norm of ``g``.
        metric: Distance between ``F`` and its target.
        guidance: Guidance scale of the teacher (sCD), baked into the student; two numbers are the
            smallest and largest scale, drawn for each row and an input of the student. The guided
            velocity is both tangent and target. ``None`` leaves the teacher unchanged.
    """

    teacher: ClassVar[TeacherUse] = "optional"

    times: Times = field(default_factory=lambda: LogitNormal(-1.0, 1.4))
    sigma_data: float = 0.5
    warmup: float = 0.05
    c: float = 0.1
    metric: Metric = field(default_factory=SquaredError)
    guidance: float | tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Reject scales that fall or are negative."""
        if isinstance(self.guidance, tuple) and not 0 <= self.guidance[0] <= self.guidance[1]:
            raise InputError(f"guidance must be two rising scales, not {self.guidance}")

    def teacher_use(self) -> TeacherUse:
        """Return ``required`` if there is guidance, because it is the teacher that is guided."""
        return self.teacher if self.guidance is None else "required"

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, ``t`` and scales, and compute the ramp of the warm-up; ``r = 0``."""
        e = noise_like(x, generator)
        t = self.times.sample((len(x),), x, generator)
        ramp = 1.0 if self.warmup <= progress else progress / self.warmup
        w = None
        if isinstance(self.guidance, tuple):
            low, high = self.guidance
            w = low + (high - low) * Uniform().sample((len(x),), x, generator)
        return Draw(e, torch.zeros_like(t), t, w=w, ramp=torch.full_like(t, ramp))

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """``|| F - sg(F + g / (|g| + c)) ||^2``."""
        return self.loss_along(self.guided_teacher(batch, draw), batch, draw)

    def loss_along(self, teacher: Field | None, batch: TrainingBatch, draw: Draw) -> Loss:
        """Evaluate the loss along the velocity of a teacher, or of the samples.

        Args:
            teacher: Teacher, guided; ``None`` for the samples.
            batch: Batch; its teacher is not used.
            draw: Randomness of the loss.
        """
        if draw.ramp is None:
            raise InputError("ContinuousConsistency needs the ramp of its own draw()")
        student = with_guidance(batch.field, draw.w)
        path, s = TrigFlow(self.sigma_data), self.sigma_data
        tau = path.tau(draw.t)
        x = path.point(batch.x, draw.e, tau)

        def network(x: Tensor, zero: Tensor, tau: Tensor) -> Tensor:
            z, t = path.to_linear(x, tau)
            return path.network_output(student(z, zero, t), x, tau)

        with torch.no_grad():
            data, noise = batch.x, draw.e
            if teacher is not None:
                data, noise = path.posterior_means(teacher, x, tau)
            dx = path.velocity(data, noise, tau)
        f, df = total_derivative(network, x, draw.r, tau, dx)
        cos, sin, ramp = expand(tau.cos(), x), expand(tau.sin(), x), expand(draw.ramp, x)
        g = -cos.square() * (s * f.detach() - dx) - ramp * cos * sin * (x + s * df)
        error = masked_mean(g.square(), batch.mask)
        target = f.detach() + g / (expand(error.sqrt(), g) + self.c)
        return Loss(self.metric(f, target, batch.mask), {"tangent_error": error.mean()})

    def guided_teacher(self, batch: TrainingBatch, draw: Draw) -> Field | None:
        """The teacher, guided as the settings say; ``None`` without one."""
        if draw.w is not None:
            return guide_teacher(batch.teacher, draw.w)
        if batch.teacher is None and self.teacher_use() == "optional":
            return None
        scale = None if isinstance(self.guidance, tuple) else self.guidance
        return require_teacher(batch, type(self).__name__, "MeanFlow", scale)
