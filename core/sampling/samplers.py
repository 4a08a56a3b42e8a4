"""Samplers as values: which way a model goes from noise to data, named in its configuration."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, is_dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import unconditional
from oneleap.core.paths.ddpm import CosineBetas, DiscreteVPPath
from oneleap.core.paths.edm import Karras
from oneleap.core.sampling.consistency import consistency
from oneleap.core.sampling.diffusion import ddim, ddpm, edm
from oneleap.core.sampling.ode import Guided, euler, sample
from oneleap.core.types import Field

Stepped = TypeVar("Stepped")
"""A frozen dataclass with a field ``steps``: a sampler of this file, or a domain's own."""


class Sampler(ABC):
    """How data are drawn; subclasses are frozen dataclasses with a field ``steps``."""

    steps: int
    """Of the sampler; not always calls of the network."""

    @abstractmethod
    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b *d"]:
        """Data for each noise; ``generator`` is of further noise, where there is any."""


def with_steps(sampler: Stepped, steps: int | None) -> Stepped:
    """The sampler with another number of steps; as it is, if that is ``None``.

    Raises:
        InputError: If it is not positive.
    """
    if steps is None:
        return sampler
    if steps < 1:
        raise InputError(f"steps: at least 1, not {steps}")
    assert is_dataclass(sampler)
    assert not isinstance(sampler, type)
    return replace(sampler, steps=steps)


def guided(field: Field, scale: float, noise: Float[Tensor, "b *d"]) -> Field:
    """The field under classifier-free guidance; as it is, at the scale 1.

    Raises:
        InputError: If its conditions cannot be dropped.
    """
    if scale == 1:
        return field
    return Guided(field, unconditional(field, noise.new_ones(len(noise))), scale)


@dataclass(frozen=True)
class FlowMapSampler(Sampler):
    """Leaps along the mean velocity: MeanFlow, SplitMeanFlow, Shortcut and their kin.

    Attributes:
        steps: Of equal length, one call of the network each; 1 is what they are trained for.
    """

    steps: int = 1

    def __call__(
        self, field: Field, noise: Float[Tensor, "b *d"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        return sample(field, noise, steps=self.steps)


@dataclass(frozen=True)
class EulerSampler(Sampler):
    """Euler's method along the instantaneous velocity: flow matching.

    Attributes:
        steps: Of equal length; one call of the network each, two under guidance.
        guidance: Scale of classifier-free guidance; 1 is none.
    """

    steps: int = 10
    guidance: float = 1.0

    def __call__(
        self, field: Field, noise: Float[Tensor, "b *d"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        return euler(guided(field, self.guidance, noise), noise, steps=self.steps)


@dataclass(frozen=True)
class EDMSampler(Sampler):
    """EDM's solver over Karras' levels; by Euler's steps, as CoMoSpeech's teacher is sampled.

    Attributes:
        steps: Noise levels.
        levels: Which.
        heun: Heun's step, of two calls of the network.
        guidance: Scale of classifier-free guidance; 1 is none.
    """

    steps: int = 50
    levels: Karras = field(default_factory=Karras)
    heun: bool = False
    guidance: float = 1.0

    def __call__(
        self, field: Field, noise: Float[Tensor, "b *d"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        chosen = guided(field, self.guidance, noise)
        return edm(chosen, noise, steps=self.steps, levels=self.levels, heun=self.heun)


@dataclass(frozen=True)
class ConsistencySampler(Sampler):
    """Jumps to the data and back to some noise: what was trained by a consistency objective.

    Attributes:
        steps: Jumps; calls of the network.
    """

    steps: int = 1

    def __call__(
        self, field: Field, noise: Float[Tensor, "b *d"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        return consistency(field, noise, steps=self.steps, generator=generator)


@dataclass(frozen=True)
class DDPMSampler(Sampler):
    """DDPM, as Diffusion Policy samples.

    Attributes:
        schedule: Of the noise, that of training.
        steps: Of the schedule's steps; calls of the network.
        clip: Greatest magnitude of normalised data; none unless they are scaled by range.
    """

    schedule: DiscreteVPPath = field(default_factory=CosineBetas)
    steps: int = 100
    clip: float | None = 1.0

    def __call__(
        self, field: Field, noise: Float[Tensor, "b *d"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        return ddpm(
            field, noise, self.schedule, steps=self.steps, clip=self.clip, generator=generator
        )


@dataclass(frozen=True)
class DDIMSampler(Sampler):
    """DDIM, deterministic.

    Attributes:
        schedule: Of the noise, that of training.
        steps: Of the schedule's steps; calls of the network.
        clip: Greatest magnitude of normalised data; none unless they are scaled by range.
    """

    schedule: DiscreteVPPath = field(default_factory=CosineBetas)
    steps: int = 10
    clip: float | None = 1.0

    def __call__(
        self, field: Field, noise: Float[Tensor, "b *d"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        return ddim(field, noise, self.schedule, steps=self.steps, clip=self.clip)
