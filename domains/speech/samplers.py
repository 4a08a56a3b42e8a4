"""From noise to a spectrogram: how each kind of model is sampled."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.edm import Karras
from oneleap.core.guidance import unconditional
from oneleap.core.sampling import Guided, euler, sample
from oneleap.core.sampling_consistency import consistency
from oneleap.core.sampling_diffusion import edm
from oneleap.core.types import Conditioned, Field


class Sampler(ABC):
    """How spectrograms are drawn; subclasses are frozen dataclasses with a field ``steps``."""

    steps: int
    """Of the sampler; not always calls of the network."""

    @abstractmethod
    def __call__(
        self,
        field: Conditioned,
        noise: Float[Tensor, "b mels n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b mels n"]:
        """A spectrogram for each noise; ``generator`` is of further noise, where there is any."""


def guided(field: Conditioned, scale: float) -> Field:
    """The field under guidance; itself at the scale 1."""
    if scale == 1:
        return field
    return Guided(field, unconditional(field, field.cond[0][:, 0, 0]), scale)


@dataclass(frozen=True)
class Leap(Sampler):
    """Leaps along the mean velocity: MeanFlow, SplitMeanFlow, Shortcut and their kin.

    Attributes:
        steps: Of equal length; calls of the network.
    """

    steps: int = 1

    def __call__(
        self,
        field: Conditioned,
        noise: Float[Tensor, "b mels n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b mels n"]:
        """See :class:`Sampler`."""
        return sample(field, noise, steps=self.steps)


@dataclass(frozen=True)
class Euler(Sampler):
    """Euler's method along the instantaneous velocity: flow matching (Matcha-TTS).

    Attributes:
        steps: Of equal length; one call of the network each, two under guidance.
        guidance: Scale of classifier-free guidance; 1 is none.
    """

    steps: int = 10
    guidance: float = 1.0

    def __call__(
        self,
        field: Conditioned,
        noise: Float[Tensor, "b mels n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b mels n"]:
        """See :class:`Sampler`."""
        return euler(guided(field, self.guidance), noise, steps=self.steps)


@dataclass(frozen=True)
class EDMSolver(Sampler):
    """EDM's solver, as CoMoSpeech's teacher is sampled: Euler over Karras' levels.

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
        self,
        field: Conditioned,
        noise: Float[Tensor, "b mels n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b mels n"]:
        """See :class:`Sampler`."""
        chosen = guided(field, self.guidance)
        return edm(chosen, noise, steps=self.steps, levels=self.levels, heun=self.heun)


@dataclass(frozen=True)
class Consistency(Sampler):
    """Jumps to the data and back to some noise: what was trained by a consistency objective.

    Attributes:
        steps: Jumps; calls of the network.
    """

    steps: int = 1

    def __call__(
        self,
        field: Conditioned,
        noise: Float[Tensor, "b mels n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b mels n"]:
        """See :class:`Sampler`."""
        return consistency(field, noise, steps=self.steps, generator=generator)
