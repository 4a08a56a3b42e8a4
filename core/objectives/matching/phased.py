"""Phased DMD (2025, arXiv 2510.27684): matching above the time that a step ends at."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.objectives.matching.base import path_times, relative_scale, second_networks
from oneleap.core.objectives.matching.dmd import DiffInstruct
from oneleap.core.paths.base import expand, jump
from oneleap.core.paths.times import Times, Uniform
from oneleap.core.types import Draw, Field, Loss, TrainingBatch


@dataclass(frozen=True)
class SegmentMatching(DiffInstruct):
    """DMD for generators that end at a time ``s`` above 0, where their samples are states ``x_s``.

    Nothing below ``s`` is known, so judging and fitting happen at ``t`` in ``[s, 1]``, at
    ``z = alpha x_s + beta n`` with ``alpha = (1 - t) / (1 - s)``, ``beta^2 = t^2 - alpha^2 s^2``.
    If ``x_s`` has the teacher's law at ``s``, ``z`` has the teacher's law at ``t``.

    The fake cannot regress ``n - x_s``: its mean given ``z`` is not the velocity. The law of ``z``
    is a mixture of normals around ``alpha x_s``, so its score is ``-E[n|z] / beta``. A score ``c``
    belongs to the velocity ``-(z + t c) / (1 - t)``, here
    ``v = -z / (1 - t) + t / ((1 - t) beta) E[n|z]``. Hence the loss
    ``|(beta / t) ((1 - t) v_f + z) - n|^2``, which is bounded at ``t = s``.

    A draw's ``r`` is the step's end ``s``, also in judging and fitting.
    """

    times: Times = field(default_factory=Uniform)
    fake_times: Times = field(default_factory=Uniform)

    def weight(
        self, batch: TrainingBatch, x: Tensor, z: Tensor, d_r: Tensor, draw: Draw
    ) -> Tensor | float:
        """``1 / mean|x_s - D_r|``."""
        return relative_scale(x, d_r, batch.mask)

    def state(
        self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw
    ) -> Float[Tensor, "b *d"]:
        """``z = alpha x_s + beta n``."""
        t, s = path_times(batch, draw, x), expand(batch.depth * draw.r, x)
        alpha, beta = coefficients(s, t)
        return alpha * x + beta * draw.e

    def fit(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """``|(beta / t) ((1 - t) v_f + z) - n|^2``."""
        t, s = path_times(batch, draw, x), expand(batch.depth * draw.r, x)
        z, (_, beta) = self.state(batch, x, draw), coefficients(s, t)
        v = second_networks(batch).fake(z, draw.t, draw.t) / batch.depth
        per_sample = masked_mean((beta / t * ((1 - t) * v + z) - draw.e).square(), batch.mask)
        return Loss(per_sample, {"fake_error": per_sample.detach().mean()})

    def leap(self, batch: TrainingBatch, draw: Draw) -> Float[Tensor, "b *d"]:
        """One step ``X(z_t, t, r)`` from the state that earlier steps reach without gradient."""
        z = travelled(batch.field, draw, self.ends_of_steps())
        return jump(z, batch.field(z, draw.r, draw.t), draw.r, draw.t)

    @abstractmethod
    def ends_of_steps(self) -> tuple[float, ...]:
        """Times at which the generator's steps end, falling to 0."""


def coefficients(s: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """``alpha`` and ``beta`` of the way from ``x_s`` to ``z_t``."""
    alpha = (1 - t) / (1 - s)
    return alpha, (t.square() - (alpha * s).square()).clamp(min=0.0).sqrt()


@torch.no_grad()
def travelled(field: Field, draw: Draw, ends: tuple[float, ...]) -> Float[Tensor, "b *d"]:
    """State of each row at its time ``draw.t``: noise, carried by the generator's own steps.

    Args:
        field: Field of the generator.
        draw: Noise ``e`` and times ``t``, each 1 or one of ``ends``.
        ends: Times at which steps end, falling; the last is no start. Costs 1 evaluation for each
            other one.
    """
    z, start = draw.e, torch.ones_like(draw.t)
    for k, end in enumerate(ends[:-1]):
        stop = torch.full_like(start, end)
        onward = jump(z, field(z, stop, start), stop, start)
        between = (end + (1.0 if k == 0 else ends[k - 1])) / 2
        z, start = torch.where(expand(draw.t < between, z), onward, z), stop
    return z


@dataclass(frozen=True)
class PhasedDMD(SegmentMatching):
    """A generator of few steps, trained one step after the other, from the noise to the data.

    In phase ``k`` of the run, equal shares of it, the step to ``ends[k]`` is trained, on samples of
    the steps before. Sample with ``FlowMapSampler`` at the same times, equal steps by default.
    Cost: DiffInstruct's, and 1 forward pass for each step but the last.

    Traps: one network holds all steps, so a later phase can harm an earlier one. The first phases
    end early in the run: nothing can be sampled before the last.

    Deviations: one network instead of a low-rank expert for each phase, and one fake instead of a
    new one; the latter begins each phase as it ended the phase before.

    Attributes:
        ratio: Steps of the fake for each of the generator.
        ends: Times at which the steps end, falling to 0.
    """

    ratio: int = 5
    ends: tuple[float, ...] = (0.5, 0.0)

    def __post_init__(self) -> None:
        """Reject ends that do not fall from below 1 to 0."""
        super().__post_init__()
        times = (1.0, *self.ends)
        falling = all(a > b for a, b in zip(times, self.ends, strict=False))
        if not (self.ends and falling and self.ends[-1] == 0):
            raise InputError(f"ends of PhasedDMD must fall from below 1 to 0, not {self.ends}")

    def ends_of_steps(self) -> tuple[float, ...]:
        """See the base."""
        return self.ends

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw as the skeleton does, for the step of this phase; times are mapped to [s, 1]."""
        phase = min(int(progress * len(self.ends)), len(self.ends) - 1)
        end, start = self.ends[phase], (1.0, *self.ends)[phase]
        draw = super().draw(x, generator, progress)
        r = torch.full_like(draw.t, end)
        return within(draw, r, torch.full_like(r, start), torch.ones_like(r))


def within(draw: Draw, s: Tensor, start: Tensor, top: Tensor) -> Draw:
    """Return a draw for steps from ``start`` to ``s``, judged and fitted in ``[s, top]``."""
    assert draw.judging is not None
    assert draw.fitting is not None
    judging, fitting = (
        replace(part, r=s, t=s + (top - s) * part.t) for part in (draw.judging, draw.fitting)
    )
    return replace(draw, r=s, t=start, judging=judging, fitting=fitting)
