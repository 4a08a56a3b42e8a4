"""Samplers as values: how a model goes from noise to data, named in its configuration.

Each sampler is a frozen dataclass around a function of this package. With a coarse guess of the
data, most can start part of the way, see :mod:`oneleap.core.sampling.shallow`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, is_dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import guided
from oneleap.core.paths.ddpm import CosineBetas, DiscreteVPPath
from oneleap.core.paths.edm import Karras
from oneleap.core.sampling.consistency import consistency, gamma_sampling
from oneleap.core.sampling.diffusion import ddim, ddpm, edm, plms
from oneleap.core.sampling.ode import euler, heun, sample
from oneleap.core.sampling.shallow import shallow_diffusion, shallow_start
from oneleap.core.types import Field

S = TypeVar("S", bound="Sampler")


class Sampler(ABC):
    """How data are generated; subclasses are frozen dataclasses."""

    steps: int
    """Steps of the sampler. Some take more than one network call per step."""

    @abstractmethod
    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """Generate data, one row for each row of noise.

        Args:
            field: Mean velocity of the model under its conditions.
            noise: Standard normal noise.
            generator: Source of further noise, for samplers that draw any.
            guess: Coarse guess of the data, for samplers that start part of the way.

        Returns:
            Data, of the shape of ``noise``.
        """


def with_steps(sampler: S, steps: int | None) -> S:
    """Return the sampler with another number of steps; ``None`` leaves it as it is.

    Raises:
        InputError: If the number is not positive.
    """
    if steps is None:
        return sampler
    if steps < 1:
        raise InputError(f"steps: at least 1, not {steps}")
    assert is_dataclass(sampler)
    assert not isinstance(sampler, type)
    return replace(sampler, steps=steps)


@dataclass(frozen=True)
class FlowMapSampler(Sampler):
    """Jumps along the mean velocity: MeanFlow, SplitMeanFlow, Shortcut and similar methods.

    Attributes:
        steps: Jumps of equal length, one network call each; the methods are trained for 1.
        depth: Time to start from, with a coarse guess; 1 starts from noise alone.
    """

    steps: int = 1
    depth: float = 1.0

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        return sample(*shallow_start(field, noise, guess, self.depth), steps=self.steps)


@dataclass(frozen=True)
class EulerSampler(Sampler):
    """Euler's method along the instantaneous velocity: flow matching.

    Attributes:
        steps: Steps of equal length; one network call each, two under guidance.
        guidance: Scale of classifier-free guidance; 1 is none.
        depth: Time to start from, with a coarse guess; openvpi's ``T_start`` is 1 minus this.
    """

    steps: int = 10
    guidance: float = 1.0
    depth: float = 1.0

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        velocity = guided(field, self.guidance, noise)
        return euler(*shallow_start(velocity, noise, guess, self.depth), steps=self.steps)


@dataclass(frozen=True)
class HeunSampler(Sampler):
    """Heun's method along the instantaneous velocity, of second order.

    Attributes:
        steps: Steps of equal length; two network calls each, four under guidance.
        guidance: Scale of classifier-free guidance; 1 is none.
        depth: Time to start from, with a coarse guess; 1 starts from noise alone.
    """

    steps: int = 10
    guidance: float = 1.0
    depth: float = 1.0

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        velocity = guided(field, self.guidance, noise)
        return heun(*shallow_start(velocity, noise, guess, self.depth), steps=self.steps)


@dataclass(frozen=True)
class EDMSampler(Sampler):
    """EDM's solver over Karras' noise levels; CoMoSpeech's teacher takes Euler's steps.

    Attributes:
        steps: Noise levels.
        levels: Spacing and range of the noise levels.
        heun: Take Heun's step, of two network calls.
        guidance: Scale of classifier-free guidance; 1 is none.
    """

    steps: int = 50
    levels: Karras = field(default_factory=Karras)
    heun: bool = False
    guidance: float = 1.0

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        velocity = guided(field, self.guidance, noise)
        return edm(velocity, noise, steps=self.steps, levels=self.levels, heun=self.heun)


@dataclass(frozen=True)
class ConsistencySampler(Sampler):
    """Jumps to the data and back to some noise, for consistency models.

    Attributes:
        steps: Jumps, one network call each.
        depth: Time to start from, with a coarse guess; 1 starts from noise alone.
    """

    steps: int = 1
    depth: float = 1.0

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        if self.depth == 1:
            return consistency(field, noise, steps=self.steps, generator=generator)
        _, start = shallow_start(field, noise, guess, self.depth)
        times = self.depth * torch.arange(self.steps, 0, -1) / self.steps
        return consistency(field, start, times=times, generator=generator)


@dataclass(frozen=True)
class GammaSampler(Sampler):
    """CTM's gamma-sampling: jumps too far along the flow map, then adds the noise that is missing.

    Attributes:
        steps: Jumps of equal length, one network call each.
        gamma: Share of fresh noise, from 0 (deterministic) to 1 (:class:`ConsistencySampler`).
    """

    steps: int = 1
    gamma: float = 0.0

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        return gamma_sampling(field, noise, steps=self.steps, gamma=self.gamma, generator=generator)


@dataclass(frozen=True)
class DDPMSampler(Sampler):
    """DDPM's ancestral sampling, as in Diffusion Policy and DiffSinger.

    Attributes:
        schedule: Noise schedule of training.
        steps: Steps of the schedule that are taken, evenly spread; one network call each.
        clip: Greatest magnitude of normalized data; ``None`` for data not scaled by their range.
        start_step: Step to start from with a coarse guess, DiffSinger's K; ``None`` starts from
            noise alone.
    """

    schedule: DiscreteVPPath = field(default_factory=CosineBetas)
    steps: int = 100
    clip: float | None = 1.0
    start_step: int | None = None

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        start, schedule = shallow_diffusion(self.schedule, noise, guess, self.start_step)
        steps = _at_most(self.steps, schedule, self.start_step)
        return ddpm(field, start, schedule, steps=steps, clip=self.clip, generator=generator)


@dataclass(frozen=True)
class DDIMSampler(Sampler):
    """DDIM, deterministic.

    Attributes:
        schedule: Noise schedule of training.
        steps: Steps of the schedule that are taken, evenly spread; one network call each.
        clip: Greatest magnitude of normalized data; ``None`` for data not scaled by their range.
        start_step: Step to start from with a coarse guess; ``None`` starts from noise alone.
    """

    schedule: DiscreteVPPath = field(default_factory=CosineBetas)
    steps: int = 10
    clip: float | None = 1.0
    start_step: int | None = None

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        start, schedule = shallow_diffusion(self.schedule, noise, guess, self.start_step)
        steps = _at_most(self.steps, schedule, self.start_step)
        return ddim(field, start, schedule, steps=steps, clip=self.clip)


@dataclass(frozen=True)
class PLMSSampler(Sampler):
    """PNDM's linear multistep sampling: deterministic, with few steps.

    Attributes:
        schedule: Noise schedule of training.
        steps: Steps of the schedule that are taken, evenly spread; one network call each, and one
            more.
        start_step: Step to start from with a coarse guess; ``None`` starts from noise alone.
    """

    schedule: DiscreteVPPath = field(default_factory=CosineBetas)
    steps: int = 10
    start_step: int | None = None

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        start, schedule = shallow_diffusion(self.schedule, noise, guess, self.start_step)
        return plms(field, start, schedule, steps=_at_most(self.steps, schedule, self.start_step))


def _at_most(steps: int, schedule: DiscreteVPPath, start_step: int | None) -> int:
    """Limit the steps after a shallow start to those that are left."""
    return steps if start_step is None else min(steps, schedule.steps)
