"""Samplers that configurations can name; each generates data from noise.

Each sampler is a frozen dataclass around a function of this package. With a coarse guess of the
data, most can start at an intermediate time, see :mod:`oneleap.core.sampling.shallow`.
"""

from dataclasses import dataclass, field, is_dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import guide
from oneleap.core.paths.ddpm import CosineBetas, DiscreteVPPath
from oneleap.core.paths.edm import Karras
from oneleap.core.sampling.base import Sampler as Sampler
from oneleap.core.sampling.base import ScheduleSampler, VelocitySampler, check_times
from oneleap.core.sampling.consistency import consistency, gamma_sampling
from oneleap.core.sampling.diffusion import ddim, ddpm, edm, plms
from oneleap.core.sampling.multistep import dpm_solver, unipc
from oneleap.core.sampling.negative import steer_away
from oneleap.core.sampling.ode import euler, heun, sample
from oneleap.core.sampling.shallow import shallow_start
from oneleap.core.types import Field

S = TypeVar("S", bound="Sampler")


def with_steps(sampler: S, steps: int | None) -> S:
    """Return the sampler with another number of steps, equally spaced; ``None`` changes nothing.

    Raises:
        InputError: If the number is not positive.
    """
    if steps is None:
        return sampler
    if steps < 1:
        raise InputError(f"steps: at least 1, not {steps}")
    assert is_dataclass(sampler)
    assert not isinstance(sampler, type)
    if steps != sampler.steps and isinstance(
        sampler, FlowMapSampler | ConsistencySampler | GammaSampler
    ):
        return replace(sampler, steps=steps, times=None)
    return replace(sampler, steps=steps)


@dataclass(frozen=True)
class FlowMapSampler(Sampler):
    """Steps along the mean velocity: for MeanFlow, SplitMeanFlow, Shortcut and similar methods.

    Deviations: SNOOPI's NASA acts on the cross-attention to a text; here ``negative`` acts on the
    self-attention to frames under the null condition.

    Attributes:
        steps: Number of steps, one network call each; the methods are trained for 1.
        depth: Start time if there is a coarse guess; 1 starts from noise alone.
        times: Falling times at which steps start, the first being 1, such as those that
            :func:`oneleap.core.sampling.search.search_times` finds; ``None`` spaces them equally.
        negative: Weight of the attention without conditions that is taken away (NASA), at twice the
            calls; 0 for none. See :class:`oneleap.core.sampling.negative.NegativeAway`.
    """

    steps: int = 1
    depth: float = 1.0
    times: tuple[float, ...] | None = None
    negative: float = 0.0

    def __post_init__(self) -> None:
        """Reject times that are not those of so many steps."""
        check_times(self.steps, self.times)

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        field = steer_away(field, self.negative, noise)
        start = shallow_start(field, noise, guess, self.depth)
        return sample(*start, steps=self.steps, times=_tensor(self.times))


@dataclass(frozen=True)
class EulerSampler(VelocitySampler):
    """Euler's method on the instantaneous velocity: for flow matching.

    A step takes one network call, two under guidance.
    """

    def solve(self, field: Field, start: Float[Tensor, "b *d"]) -> Float[Tensor, "b *d"]:
        """See :meth:`VelocitySampler.solve`."""
        return euler(field, start, steps=self.steps)


@dataclass(frozen=True)
class HeunSampler(VelocitySampler):
    """Heun's method on the instantaneous velocity, second order.

    A step takes two network calls, four under guidance.
    """

    def solve(self, field: Field, start: Float[Tensor, "b *d"]) -> Float[Tensor, "b *d"]:
        """See :meth:`VelocitySampler.solve`."""
        return heun(field, start, steps=self.steps)


@dataclass(frozen=True)
class DPMSolverSampler(VelocitySampler):
    """DPM-Solver++(2M), second order at Euler's cost: for flow matching with few steps.

    A step takes one network call, two under guidance.
    """

    def solve(self, field: Field, start: Float[Tensor, "b *d"]) -> Float[Tensor, "b *d"]:
        """See :meth:`VelocitySampler.solve`."""
        return dpm_solver(field, start, steps=self.steps)


@dataclass(frozen=True)
class UniPCSampler(VelocitySampler):
    """UniPC of order 2: DPM-Solver++(2M), corrected without a further network call.

    A step takes one network call, two under guidance.
    """

    def solve(self, field: Field, start: Float[Tensor, "b *d"]) -> Float[Tensor, "b *d"]:
        """See :meth:`VelocitySampler.solve`."""
        return unipc(field, start, steps=self.steps)


@dataclass(frozen=True)
class EDMSampler(Sampler):
    """EDM's solver on Karras' noise levels; CoMoSpeech's teacher takes Euler's steps.

    Attributes:
        steps: Number of noise levels.
        levels: Spacing and range of the noise levels.
        heun: Whether to take Heun's steps, of two network calls each.
        guidance: Scale of classifier-free guidance; 1 means none.
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
        velocity = guide(field, self.guidance, noise)
        return edm(velocity, noise, steps=self.steps, levels=self.levels, heun=self.heun)


@dataclass(frozen=True)
class ConsistencySampler(Sampler):
    """Multistep consistency sampling: step to the data, add noise, and step again.

    Attributes:
        steps: Number of steps, one network call each.
        depth: Start time if there is a coarse guess; 1 starts from noise alone.
        times: Falling times at which steps start, the first being 1, such as those that
            :func:`oneleap.core.sampling.search.search_times` finds; ``None`` spaces them equally.
    """

    steps: int = 1
    depth: float = 1.0
    times: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Reject times that are not those of so many steps."""
        check_times(self.steps, self.times)

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        times = _tensor(self.times)
        if self.depth == 1:
            return consistency(field, noise, steps=self.steps, times=times, generator=generator)
        _, start = shallow_start(field, noise, guess, self.depth)
        if times is None:
            times = torch.arange(self.steps, 0, -1) / self.steps
        return consistency(field, start, times=self.depth * times, generator=generator)


@dataclass(frozen=True)
class GammaSampler(Sampler):
    """CTM's gamma-sampling: step too far along the flow map, then add the missing noise.

    Attributes:
        steps: Number of steps, one network call each.
        gamma: Share of fresh noise, from 0 (deterministic) to 1 (:class:`ConsistencySampler`).
        times: Falling times at which steps start, the first being 1, such as those that
            :func:`oneleap.core.sampling.search.search_times` finds; ``None`` spaces them equally.
    """

    steps: int = 1
    gamma: float = 0.0
    times: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Reject times that are not those of so many steps."""
        check_times(self.steps, self.times)

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """See :class:`Sampler`."""
        times = _tensor(self.times)
        return gamma_sampling(
            field, noise, steps=self.steps, gamma=self.gamma, times=times, generator=generator
        )


@dataclass(frozen=True)
class DDPMSampler(ScheduleSampler):
    """DDPM's ancestral sampling, as in Diffusion Policy and DiffSinger.

    Attributes:
        schedule: Noise schedule of training.
        steps: Number of steps taken, evenly spread over the schedule; one network call each.
        clip: Bound on the magnitude of normalized data; ``None`` for data without a fixed range.
        start_step: Step to start from if there is a coarse guess, DiffSinger's K; ``None`` starts
            from noise alone.
        one_more: Whether to start from pure noise by One More Step, at one further call; the model
            must have learned it (``NoisePrediction`` with ``p_end``).
    """

    schedule: DiscreteVPPath = field(default_factory=CosineBetas)
    steps: int = 100
    clip: float | None = 1.0
    start_step: int | None = None
    one_more: bool = False

    def solve(
        self,
        field: Field,
        start: Float[Tensor, "b *d"],
        schedule: DiscreteVPPath,
        steps: int,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "b *d"]:
        """See :meth:`ScheduleSampler.solve`."""
        return ddpm(field, start, schedule, steps=steps, clip=self.clip, generator=generator)


@dataclass(frozen=True)
class DDIMSampler(ScheduleSampler):
    """DDIM without fresh noise (deterministic).

    Attributes:
        schedule: Noise schedule of training.
        steps: Number of steps taken, evenly spread over the schedule; one network call each.
        clip: Bound on the magnitude of normalized data; ``None`` for data without a fixed range.
        start_step: Step to start from if there is a coarse guess; ``None`` starts from noise alone.
        one_more: Whether to start from pure noise by One More Step, at one further call; the model
            must have learned it (``NoisePrediction`` with ``p_end``).
    """

    schedule: DiscreteVPPath = field(default_factory=CosineBetas)
    steps: int = 10
    clip: float | None = 1.0
    start_step: int | None = None
    one_more: bool = False

    def solve(
        self,
        field: Field,
        start: Float[Tensor, "b *d"],
        schedule: DiscreteVPPath,
        steps: int,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "b *d"]:
        """See :meth:`ScheduleSampler.solve`."""
        return ddim(field, start, schedule, steps=steps, clip=self.clip)


@dataclass(frozen=True)
class PLMSSampler(ScheduleSampler):
    """PNDM's linear multistep sampling: deterministic, with few steps.

    Attributes:
        schedule: Noise schedule of training.
        steps: Number of steps taken, evenly spread over the schedule; one network call each, and
            one extra call.
        start_step: Step to start from if there is a coarse guess; ``None`` starts from noise alone.
        leading: Whether the first step is one stride below the last of the schedule, as in
            DiffSinger's code.
        one_more: Whether to start from pure noise by One More Step, at one further call; the model
            must have learned it (``NoisePrediction`` with ``p_end``).
    """

    schedule: DiscreteVPPath = field(default_factory=CosineBetas)
    steps: int = 10
    start_step: int | None = None
    leading: bool = False
    one_more: bool = False

    def solve(
        self,
        field: Field,
        start: Float[Tensor, "b *d"],
        schedule: DiscreteVPPath,
        steps: int,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "b *d"]:
        """See :meth:`ScheduleSampler.solve`."""
        return plms(field, start, schedule, steps=steps, leading=self.leading)


def _tensor(times: tuple[float, ...] | None) -> Tensor | None:
    """Times as a tensor, if there are any."""
    return None if times is None else torch.tensor(times, dtype=torch.float64)
