"""Policies that denoise: DDPM's ancestral sampling, as Diffusion-QL and IDQL use it."""

import itertools
import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.paths.ddpm import DiscreteVPPath
from oneleap.core.sampling.diffusion import timesteps
from oneleap.core.sampling.samplers import DDPMSampler
from oneleap.core.types import Field
from oneleap.domains.rl.algorithms.policy import Policy


class DenoisingStep(NamedTuple):
    """Coefficients of one step ``x' = data * D + state * x + noise * e``.

    ``D`` is the prediction of the data, ``x`` the state before the step, and ``e`` fresh noise.

    Attributes:
        t: Time of ``x`` on the linear path.
        scale: Factor of the state: ``x / scale`` lies on the linear path.
        data: Weight of the data.
        state: Weight of the state.
        noise: Weight of the noise.
    """

    t: float
    scale: float
    data: float
    state: float
    noise: float


def denoising_steps(
    schedule: DiscreteVPPath, steps: int | None = None
) -> tuple[DenoisingStep, ...]:
    """Compute the coefficients of ancestral sampling in float64.

    They are mean and variance of ``q(x' | x, D)``, Ho et al. 2020 (arXiv 2006.11239), Eqs. (6) and
    (7).

    Args:
        schedule: Noise schedule.
        steps: Number of its steps to take; by default all of them.

    Returns:
        The steps, from noise to data.

    Raises:
        InputError: The schedule has fewer steps.
    """
    found = []
    for k, then in itertools.pairwise(timesteps(schedule, steps)):
        now, left = schedule.alphas_cumprod[k], schedule.alphas_cumprod[then]
        a, b = math.sqrt(now), math.sqrt(1 - now)
        variance = (1 - left) / (1 - now) * (1 - now / left)
        state = math.sqrt(max(0.0, 1 - left - variance)) / b
        data = math.sqrt(left) - a * state
        found.append(DenoisingStep(b / (a + b), a + b, data, state, math.sqrt(variance)))
    return tuple(found)


def ancestral_sampling(
    field: Field, noise: Float[Tensor, "k b a"], chain: tuple[DenoisingStep, ...]
) -> Float[Tensor, "b a"]:
    """Denoise ``noise[0]``, with the predicted data clipped to [-1, 1] in each step.

    This is :func:`oneleap.core.sampling.diffusion.ddpm` with a third of the small operations, which
    take most of the time of a policy's small network, and with all noise as an argument, so that it
    can be compiled. The two agree up to rounding. Cost: ``len(chain)`` network evaluations.

    Args:
        field: Mean velocity given the observations.
        noise: Initial noise, then the noise of each step but the last.
        chain: Steps from :func:`denoising_steps`.

    Returns:
        Data.
    """
    x = noise[0]
    for i, step in enumerate(chain):
        t = x.new_full((len(x),), step.t)
        z = x / step.scale
        data = (z - step.t * field(z, t, t)).clamp(-1, 1)
        x = step.data * data + step.state * x
        if step.noise > 0:
            x = x + step.noise * noise[i + 1]
    return x


class DenoisingPolicy(Policy):
    """A policy whose actions are the end of a chain of denoising steps.

    Its network is a field on the linear path, like all networks here. What the papers call epsilon
    prediction is ``N = z + (1 - t) u`` in its terms, an affine function of the same output.
    """

    sampler: DDPMSampler
    """The sampler that :meth:`generate` implements."""

    chain: tuple[DenoisingStep, ...]

    def set_schedule(self, schedule: DiscreteVPPath) -> None:
        """Set the noise schedule; the policy takes all its steps."""
        self.sampler = DDPMSampler(schedule, steps=schedule.steps)
        self.chain = denoising_steps(schedule)

    def noise(
        self, n: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "k n_actions a"]:
        """Draw the initial noise of a chain, and the noise of all its steps but the last."""
        shape, device = (self.steps, n, self.spec.chunk_dim), self.act_half.device
        return torch.randn(shape, generator=generator, device=device)

    def generate(
        self,
        field: Field,
        noise: Float[Tensor, "k b a"],
        steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b a"]:
        """Generate actions on [-1, 1] by ancestral sampling.

        Args:
            field: Mean velocity given the observations.
            noise: Noise from :meth:`noise`.
            steps: Number of the schedule's steps to take; by default all of them.
            generator: Unused, because ``noise`` contains all noise.

        Returns:
            The actions.
        """
        schedule = self.sampler.schedule
        chain = self.chain if steps is None else denoising_steps(schedule, steps)
        return ancestral_sampling(field, noise, chain)
