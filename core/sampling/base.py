"""The interface of samplers, and what those of velocities and of noise schedules share."""

import itertools
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import guide
from oneleap.core.paths.ddpm import DiscreteVPPath
from oneleap.core.sampling.diffusion import one_more_step
from oneleap.core.sampling.shallow import shallow_diffusion, shallow_start
from oneleap.core.types import Field


class Sampler(ABC):
    """How data are generated; subclasses are frozen dataclasses."""

    steps: int
    """Number of steps. Some samplers take more than one network call per step."""

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
            noise: Standard normal noise, (b, *d).
            generator: Source of fresh noise, for samplers that draw any.
            guess: Coarse guess of the data, (b, *d), for samplers that start at an intermediate
                time.

        Returns:
            Data, (b, *d).

        Raises:
            InputError: If a setting is invalid, or a guess is needed and missing.
        """


@dataclass(frozen=True)
class VelocitySampler(Sampler):
    """A solver of the guided velocity, from noise or from the depth of a coarse guess.

    Attributes:
        steps: Number of equal steps.
        guidance: Scale of classifier-free guidance; 1 means none.
        depth: Start time if there is a coarse guess; 1 starts from noise alone. openvpi's
            ``T_start`` is 1 minus this.
    """

    steps: int = 10
    guidance: float = 1.0
    depth: float = 1.0

    @abstractmethod
    def solve(self, field: Field, start: Float[Tensor, "b *d"]) -> Float[Tensor, "b *d"]:
        """Integrate a velocity from its time 1 to data."""

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        velocity = guide(field, self.guidance, noise)
        return self.solve(*shallow_start(velocity, noise, guess, self.depth))


class ScheduleSampler(Sampler):
    """A sampler over the steps of a noise schedule, from noise or from a step of a coarse guess."""

    schedule: DiscreteVPPath
    start_step: int | None
    one_more: bool

    @abstractmethod
    def solve(
        self,
        field: Field,
        start: Float[Tensor, "b *d"],
        schedule: DiscreteVPPath,
        steps: int,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "b *d"]:
        """Sample from the last step of a schedule to data.

        Args:
            field: Mean velocity of the model under its conditions.
            start: State at the last step, (b, *d).
            schedule: Steps that are left.
            steps: Number of steps to take.
            generator: Source of fresh noise.
        """

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        if self.one_more and self.start_step is not None:
            raise InputError("one_more starts from pure noise: set start_step to null")
        start, schedule = shallow_diffusion(self.schedule, noise, guess, self.start_step)
        steps = self.steps
        if self.start_step is not None:
            steps = min(steps, schedule.steps)
        elif self.one_more:
            start = one_more_step(field, noise, schedule)
        return self.solve(field, start, schedule, steps, generator)


def check_times(steps: int, times: tuple[float, ...] | None) -> None:
    """Check that times are those of so many steps.

    Raises:
        InputError: If they do not fall from 1 within (0, 1], or are not ``steps`` in number.
    """
    if times is None:
        return
    falling = all(a > b for a, b in itertools.pairwise(times))
    if not times or times[0] != 1 or times[-1] <= 0 or not falling:
        raise InputError(f"times must fall from 1 to a time above 0, not {times}")
    if len(times) != steps:
        raise InputError(f"times: {len(times)} times are {len(times)} steps: set steps to that")
