"""The skeleton of all methods that train a second network beside a one-step generator.

Notation of the package: ``x`` is the generator's sample, ``n`` is noise, ``z = (1 - t) x + t n``.
The index ``r`` is the frozen teacher ("real") and ``f`` the fake, the network that learns the
generator's own samples. ``p_t`` and ``q_t`` are their laws of ``z``. With the velocity
``v = u(z, t, t)``,

===========  =========================  =============================================
data         ``D = z - t v``            mean of the data given ``z``
score        ``s = -(z - (1 - t) D) / t^2``  gradient of the log-density of ``z``
score gap    ``s_f - s_r = (1 - t) / t^2 (D_f - D_r)``
===========  =========================  =============================================

The gradient of ``KL(q_t | p_t)`` is ``E[(s_f - s_r) dz] = E[(1 - t)^2 / t^2 (D_f - D_r) dx]``.
"""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import require_teacher
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.paths.base import LinearPath, expand, jump
from oneleap.core.paths.times import LogitNormal, Times, Uniform
from oneleap.core.types import (
    Conditioned,
    Draw,
    Field,
    Loss,
    Objective,
    SecondNetworks,
    TeacherUse,
    TrainingBatch,
    noise_like,
)


@dataclass(frozen=True)
class Matching(Objective):
    """A generator against a frozen teacher, judged by a second network: the fake.

    Every step trains the fake by flow matching on the generator's samples (:meth:`fit`). Every
    ``ratio``-th step first moves the generator (:meth:`push`), against the fake as it stands. Both
    losses share no trained weight, so the gradient of their sum is each one's own, and one
    optimizer trains both. A method is its :meth:`push`.

    Training keeps the second networks beside the model, in its checkpoints but not in what is
    saved. They start as the teacher, so the teacher must have the student's network. The moving
    average, and its schedule, count the generator's steps. Cost of a generator's step: 1 forward
    and backward pass of the generator and of the fake, and 1 forward pass of fake and teacher
    (2 of a guided teacher). Else: 1 forward pass of the generator, 1 forward and backward pass of
    the fake.

    Traps: a teacher that learned flow matching gives ``e - u(e, 1, 1) = E[x]`` from pure noise. A
    generator with its weights (``from_teacher``) starts with no spread, which is a saddle: the
    gradient of the spread is 0. Start from a short MeanFlow or Reflow student
    (``recipe.init_from``). Do not use dropout.

    Attributes:
        ratio: Steps of the fake for each step of the generator.
        fake_lr: Learning rate of the second networks, as a multiple of the generator's.
        fake_rank: Rank of low-rank adapters on all linear maps of the fake, which are then all that
            it trains (SwiftBrush: 64); ``None`` trains all its weights. The gap starts at 0.
        times: Distribution of the times at which the generator is judged, mapped from [0, 1] onto
            ``[t_min, t_max]``.
        fake_times: Distribution of the fake's training times.
        t_min: Earliest time of judging.
        t_max: Latest time of judging.
        guidance: Guidance scale of the teacher, whose conditions must be droppable; ``None`` leaves
            it unchanged. The fake is unguided.
        only: Entry of the first condition vector, from 0, that a row must have to count. Students
            that share a teacher divide the conditions among them (multi-student distillation, Song
            et al. 2024, arXiv 2410.23274). The loss of all other rows is 0, and that of a batch is
            the mean over its own rows. ``None`` counts all rows.
    """

    teacher: ClassVar[TeacherUse] = "required"
    judged: ClassVar[bool] = False
    """Whether it needs a judge, a classifier of samples and data."""

    ratio: int = 5
    fake_lr: float = 1.0
    fake_rank: int | None = None
    times: Times = field(default_factory=Uniform)
    fake_times: Times = field(default_factory=lambda: LogitNormal(-0.5, 1.2))
    t_min: float = 0.02
    t_max: float = 0.98
    guidance: float | None = None
    only: int | None = None

    def __post_init__(self) -> None:
        """Reject an empty interval, and ratios below 1."""
        name = type(self).__name__
        if self.ratio < 1:
            raise InputError(f"ratio of {name} must be at least 1, not {self.ratio}")
        if self.fake_rank is not None and self.fake_rank < 1:
            raise InputError(f"fake_rank of {name} must be at least 1, not {self.fake_rank}")
        if self.fake_lr <= 0:
            raise InputError(f"fake_lr of {name} must be positive, not {self.fake_lr}")
        if not 0 < self.t_min < self.t_max < 1:
            raise InputError(
                f"t_min and t_max of {name} must rise within (0, 1), not {self.t_min}, {self.t_max}"
            )

    def is_distance(self) -> bool:
        """Return False: a divergence enters by its gradient."""
        return False

    def generates(self, step: int, progress: float) -> bool:
        """Return whether a gradient step, from 0, trains the generator: the last of each turn."""
        return (step + 1) % self.ratio == 0

    def turn(self, draw: Draw, step: int, progress: float) -> Draw:
        """Return the draw as a gradient step uses it: without judging if it trains the fake."""
        return draw if self.generates(step, progress) else replace(draw, judging=None)

    @property
    def pool(self) -> tuple[int, int] | None:
        """Bands of noise levels, and judges for each; ``None`` without a pool of judges."""
        return None

    @property
    def refresh(self) -> float:
        """Share of the pool's judges that a step renews."""
        return 0.0

    def attend(self, fake: nn.Module) -> None:
        """Prepare to read hidden layers of the fake, if the method does; called once."""
        return

    @property
    def kept(self) -> int:
        """Number of copies of the fake that training keeps, to teach the generator later."""
        return 0

    def copies(self, progress: float) -> int:
        """Return how many copies have been made at a share of the run."""
        return 0

    def taught_by(self, progress: float) -> int | None:
        """Return the copy that teaches at a share of the run; ``None`` for the teacher itself."""
        return None

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw the generator's noise, and noise and times of judging and of fitting."""
        e, judging, fitting = (noise_like(x, generator) for _ in range(3))
        ones = x.new_ones(len(x))
        t = self.times.sample((len(x),), x, generator)
        t = self.t_min + (self.t_max - self.t_min) * t
        s = self.fake_times.sample((len(x),), x, generator)
        return Draw(e, 0 * ones, ones, judging=Draw(judging, t, t), fitting=Draw(fitting, s, s))

    def leap(self, batch: TrainingBatch, draw: Draw) -> Float[Tensor, "b *d"]:
        """Generate samples, ``x = e - u(e, 0, 1)``."""
        return jump(draw.e, batch.field(draw.e, draw.r, draw.t), draw.r, draw.t)

    @abstractmethod
    def push(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """Loss of the generator.

        Args:
            batch: Batch with the teacher, guided, and the second networks.
            x: The generator's samples, with gradient.
            draw: Noise and times of judging.
        """

    def anchor(
        self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw
    ) -> Float[Tensor, "b"] | None:
        """Loss that ties samples to the noise they come from, ``draw.e``; ``None`` for none."""
        return None

    def fit(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """Loss of the fake: flow matching on the generator's samples, without their gradient."""
        fake, n = second_networks(batch).fake, noise_of(batch, x, draw)
        z = LinearPath().point(x, n, draw.t)
        error = (fake(z, draw.t, draw.t) - LinearPath().velocity(x, n)).square()
        per_sample = masked_mean(error, batch.mask)
        return Loss(per_sample, {"fake_error": per_sample.detach().mean()})

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """Sum of the generator's loss, in its steps, and the fake's, over the rows that count."""
        loss = self._total(batch, draw)
        if self.only is None:
            return loss
        own = has_entry(batch.field, self.only, "only", batch.x).to(loss.per_sample)
        share = own.mean().clamp(min=1 / len(own))
        return replace(loss, per_sample=own / share * loss.per_sample)

    def _total(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """Sum of the generator's loss, in its steps, and the fake's."""
        name = type(self).__name__
        teacher = require_teacher(batch, name, "MeanFlow", self.guidance)
        if batch.second is None:
            raise InputError(
                f"{name} trains a second network, which is missing here: use it as the model's own "
                "objective, neither inside Dispersed nor in an actor-critic"
            )
        if draw.fitting is None:
            raise InputError(f"{name} needs the fitting draw of its own draw()")
        batch = replace(batch, teacher=teacher)
        if draw.judging is None:
            with torch.no_grad():
                x = self.leap(batch, draw)
            return self.fit(batch, x, draw.fitting)
        x = self.leap(batch, draw)
        pushed = self.push(batch, x, draw.judging)
        fitted = self.fit(batch, x.detach(), draw.fitting)
        total, logs = pushed.per_sample + fitted.per_sample, {**pushed.logs, **fitted.logs}
        anchor = self.anchor(batch, x, draw)
        if anchor is not None:
            total, logs["anchor"] = total + anchor, anchor.detach().mean()
        return Loss(total, logs)


def has_entry(
    field: Field, index: int, setting: str, like: Float[Tensor, "b *d"]
) -> Bool[Tensor, "b"]:
    """Whether an entry of the first condition vector of each row is positive.

    Args:
        field: Field under conditions.
        index: Entry, from 0.
        setting: Name of the setting, for the error message.
        like: Data, (b, *d).

    Raises:
        InputError: If there is no such entry.
    """
    cond = field.cond if isinstance(field, Conditioned) else ()
    entries = cond[0].flatten(1) if cond else like.new_zeros(len(like), 0)
    if not 0 <= index < entries.shape[1]:
        raise InputError(
            f"{setting}: {index} is no entry of the condition, which has {entries.shape[1]}"
        )
    return entries[:, index] > 0


def second_networks(batch: TrainingBatch) -> SecondNetworks:
    """Return the second networks of a batch, which :meth:`Matching.loss` has checked for."""
    assert batch.second is not None
    return batch.second


def teacher_of(batch: TrainingBatch) -> Field:
    """Return the teacher of a batch, which :meth:`Matching.loss` has checked for and guided."""
    assert batch.teacher is not None
    return batch.teacher


def noise_of(batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Float[Tensor, "b *d"]:
    """Noise of a draw at the field's time 1: ``n``, or ``(1 - depth) x + depth n``."""
    return draw.e if batch.depth == 1 else (1 - batch.depth) * x + batch.depth * draw.e


def noised(batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Float[Tensor, "b *d"]:
    """State ``z_t = (1 - t) x + t n`` of samples."""
    return LinearPath().point(x, noise_of(batch, x, draw), draw.t)


def path_times(batch: TrainingBatch, draw: Draw, x: Tensor) -> Float[Tensor, "b *ones"]:
    """Times of a draw on the linear path, for weights and scores."""
    return expand(batch.depth * draw.t, x)


def data_mean(
    field: Field, z: Float[Tensor, "b *d"], t: Float[Tensor, "b"]
) -> Float[Tensor, "b *d"]:
    """Mean of the data given ``z``, ``D = z - t u(z, t, t)``; 1 evaluation."""
    return z - expand(t, z) * field(z, t, t)


def half_square(
    x: Float[Tensor, "b *d"], g: Float[Tensor, "b *d"], mask: Bool[Tensor, "b *#d"] | None
) -> Float[Tensor, "b"]:
    """``1/2 |x - sg(x - g)|^2``, whose gradient in ``x`` is ``g``; the mean over dimensions."""
    return masked_mean((x - (x - g).detach()).square(), mask) / 2


def relative_scale(
    x: Float[Tensor, "b *d"], d: Float[Tensor, "b *d"], mask: Bool[Tensor, "b *#d"] | None
) -> Float[Tensor, "b *ones"]:
    """``1 / mean|x - D_r|`` of each sample without gradient, DMD2's and SiD's normalizer."""
    gap = masked_mean((x - d).detach().abs(), mask)
    return expand(1 / (gap + 1e-6), x)
