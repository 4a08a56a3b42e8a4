"""From noise, and a rough spectrogram if there is one, to a spectrogram."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.paths.ddpm import DiscreteVPPath, LinearBetas
from oneleap.core.sampling.consistency import consistency
from oneleap.core.sampling.diffusion import ddpm, plms
from oneleap.core.sampling.ode import euler, sample
from oneleap.core.types import Conditioned
from oneleap.domains.singing.models.shallow import FirstBetas, blend, scaled


def diffsinger() -> DiscreteVPPath:
    """The schedule of DiffSinger's hundred steps; a fresh one, for it keeps what it computes."""
    return LinearBetas(steps=100, first=1e-4, last=0.06)


class Sampler(ABC):
    """How spectrograms are drawn; subclasses are frozen dataclasses with a field ``steps``."""

    steps: int
    """Of the sampler; not always calls of the network."""

    @abstractmethod
    def __call__(
        self,
        field: Conditioned,
        noise: Float[Tensor, "b c n"],
        coarse_mel: Float[Tensor, "b c n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b c n"]:
        """Data for each noise.

        Args:
            field: Of the decoder, over the true times [0, 1].
            noise: Standard normal.
            coarse_mel: Spectrogram that a shallow start starts from.
            generator: Of further noise, where there is any.
        """


class FromDepth(Sampler):
    """A sampler with a field ``depth``, the time on [0, 1] at which it starts."""

    depth: float

    def __post_init__(self) -> None:
        """Refuse what is no time."""
        if not 0 < self.depth <= 1:
            raise InputError(f"depth: a time above 0, at most 1, not {self.depth}")


@dataclass(frozen=True)
class FlowMapSampler(FromDepth):
    """Leaps along the mean velocity: MeanFlow, SplitMeanFlow and their kin.

    Attributes:
        steps: Of equal length; calls of the network.
        depth: Where it starts; 1 is noise alone.
    """

    steps: int = 1
    depth: float = 1.0

    def __call__(
        self,
        field: Conditioned,
        noise: Float[Tensor, "b c n"],
        coarse_mel: Float[Tensor, "b c n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`Sampler`."""
        start = blend(coarse_mel, noise, self.depth)
        return sample(scaled(field, self.depth), start, steps=self.steps)


@dataclass(frozen=True)
class EulerSampler(FromDepth):
    """Euler's method along the instantaneous velocity: rectified flow (openvpi's 20 steps).

    Attributes:
        steps: Of equal length; calls of the network.
        depth: Where it starts; openvpi's ``T_start`` is 1 less this.
    """

    steps: int = 20
    depth: float = 0.6

    def __call__(
        self,
        field: Conditioned,
        noise: Float[Tensor, "b c n"],
        coarse_mel: Float[Tensor, "b c n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`Sampler`."""
        start = blend(coarse_mel, noise, self.depth)
        return euler(scaled(field, self.depth), start, steps=self.steps)


@dataclass(frozen=True)
class ConsistencySampler(FromDepth):
    """Jumps to the data and back to some noise: CoMoSpeech-SVS, one jump.

    Attributes:
        steps: Jumps; calls of the network.
        depth: Where it starts.
    """

    steps: int = 1
    depth: float = 1.0

    def __call__(
        self,
        field: Conditioned,
        noise: Float[Tensor, "b c n"],
        coarse_mel: Float[Tensor, "b c n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`Sampler`."""
        times = self.depth * torch.arange(self.steps, 0, -1) / self.steps
        start = blend(coarse_mel, noise, self.depth)
        return consistency(field, start, times=times, generator=generator)


class Diffusion(Sampler):
    """A sampler of noise prediction that may start at step ``boundary`` of its schedule."""

    schedule: DiscreteVPPath
    boundary: int | None

    def start(self, noise: Tensor, coarse_mel: Tensor) -> tuple[Tensor, DiscreteVPPath]:
        """The state to start from, and the steps from there on."""
        if self.boundary is None:
            return noise, self.schedule
        if not 1 <= self.boundary <= self.schedule.steps:
            raise InputError(
                f"boundary: a step from 1 to {self.schedule.steps}, not {self.boundary}"
            )
        first = FirstBetas(self.schedule, self.boundary)
        k = noise.new_full((len(noise),), self.boundary)
        return first.point(coarse_mel, noise, k), first


@dataclass(frozen=True)
class DDPMSampler(Diffusion):
    """DDPM's sampling, DiffSinger's: every step of the schedule from the boundary on.

    Attributes:
        steps: At most so many, evenly spread, if the boundary leaves more.
        schedule: Of the noise.
        boundary: DiffSinger's K, the step to start from with a rough spectrogram; ``None`` starts
            from noise alone. The paper has 54 for song, its code 51 to 71 (T = 100).
    """

    steps: int = 100
    schedule: DiscreteVPPath = field(default_factory=diffsinger)
    boundary: int | None = None

    def __call__(
        self,
        field: Conditioned,
        noise: Float[Tensor, "b c n"],
        coarse_mel: Float[Tensor, "b c n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`Sampler`."""
        start, schedule = self.start(noise, coarse_mel)
        steps = min(self.steps, schedule.steps)
        return ddpm(field, start, schedule, steps=steps, generator=generator)


@dataclass(frozen=True)
class PLMSSampler(Diffusion):
    """PNDM's linear multistep sampling, of few steps and deterministic.

    Attributes:
        steps: Of the sampler; one call of the network more than that.
        schedule: Of the noise.
        boundary: See :class:`DDPMSampler`.
    """

    steps: int = 10
    schedule: DiscreteVPPath = field(default_factory=diffsinger)
    boundary: int | None = None

    def __call__(
        self,
        field: Conditioned,
        noise: Float[Tensor, "b c n"],
        coarse_mel: Float[Tensor, "b c n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`Sampler`."""
        start, schedule = self.start(noise, coarse_mel)
        return plms(field, start, schedule, steps=min(self.steps, schedule.steps))


@dataclass(frozen=True)
class CoarseMelSampler(Sampler):
    """The auxiliary decoder's spectrogram as it is: FFT-Singer, the baseline without diffusion.

    Attributes:
        steps: None are taken.
    """

    steps: int = 1

    def __call__(
        self,
        field: Conditioned,
        noise: Float[Tensor, "b c n"],
        coarse_mel: Float[Tensor, "b c n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b c n"]:
        """See :class:`Sampler`."""
        return coarse_mel
