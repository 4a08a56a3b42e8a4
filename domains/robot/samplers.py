"""From noise to a chunk of actions: what each kind of policy does at run time."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.ddpm import DDPM, CosineBetas
from oneleap.core.sampling import euler, sample
from oneleap.core.sampling_consistency import consistency
from oneleap.core.sampling_diffusion import ddim, ddpm
from oneleap.core.types import Field


class Sampler(ABC):
    """How chunks are drawn; subclasses are frozen dataclasses with a field ``steps``."""

    steps: int
    """Network calls."""

    @abstractmethod
    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b a n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b a n"]:
        """A chunk for each noise; ``generator`` is of further noise, where there is any."""


@dataclass(frozen=True)
class Leap(Sampler):
    """Leaps along the mean velocity: MeanFlow, SplitMeanFlow, Shortcut and their kin.

    Attributes:
        steps: Of equal length; 1 is what they are trained for.
    """

    steps: int = 1

    def __call__(
        self, field: Field, noise: Float[Tensor, "b a n"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b a n"]:
        """See :class:`Sampler`."""
        return sample(field, noise, steps=self.steps)


@dataclass(frozen=True)
class Euler(Sampler):
    """Euler's method along the instantaneous velocity: flow matching.

    Attributes:
        steps: Of equal length.
    """

    steps: int = 10

    def __call__(
        self, field: Field, noise: Float[Tensor, "b a n"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b a n"]:
        """See :class:`Sampler`."""
        return euler(field, noise, steps=self.steps)


@dataclass(frozen=True)
class Ancestral(Sampler):
    """DDPM, as Diffusion Policy samples.

    Attributes:
        schedule: Of the noise, that of training.
        steps: Of the schedule's steps.
        clip: Greatest magnitude of normalised actions; none unless they are scaled by range.
    """

    schedule: DDPM = field(default_factory=CosineBetas)
    steps: int = 100
    clip: float | None = 1.0

    def __call__(
        self, field: Field, noise: Float[Tensor, "b a n"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b a n"]:
        """See :class:`Sampler`."""
        return ddpm(
            field, noise, self.schedule, steps=self.steps, clip=self.clip, generator=generator
        )


@dataclass(frozen=True)
class Implicit(Sampler):
    """DDIM, deterministic.

    Attributes:
        schedule: Of the noise, that of training.
        steps: Of the schedule's steps.
        clip: Greatest magnitude of normalised actions; none unless they are scaled by range.
    """

    schedule: DDPM = field(default_factory=CosineBetas)
    steps: int = 10
    clip: float | None = 1.0

    def __call__(
        self, field: Field, noise: Float[Tensor, "b a n"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b a n"]:
        """See :class:`Sampler`."""
        return ddim(field, noise, self.schedule, steps=self.steps, clip=self.clip)


@dataclass(frozen=True)
class Consistency(Sampler):
    """Jumps to the data and back to some noise: what was trained by a consistency objective.

    Attributes:
        steps: Jumps.
    """

    steps: int = 1

    def __call__(
        self, field: Field, noise: Float[Tensor, "b a n"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b a n"]:
        """See :class:`Sampler`."""
        return consistency(field, noise, steps=self.steps, generator=generator)
