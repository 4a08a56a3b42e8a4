"""Policies that denoise: the ancestral sampler of DDPM, as Diffusion-QL and IDQL use it."""

import itertools
import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.paths.ddpm import DiscreteVPPath
from oneleap.core.sampling.diffusion import nodes
from oneleap.core.types import Field
from oneleap.domains.rl.algorithms.policy import Policy


class Link(NamedTuple):
    """One step of the chain, ``x' = data * D + state * x + noise * e``."""

    t: float
    """Time of ``x`` on the linear path."""
    scale: float
    """``x / scale`` lies on the linear path."""
    data: float
    state: float
    noise: float


def links(schedule: DiscreteVPPath, steps: int | None = None) -> tuple[Link, ...]:
    """The steps of ancestral sampling, their coefficients worked out in float64.

    Mean and variance of ``q(x' | x, D)``, Ho et al. 2020 (arXiv 2006.11239), Eqs. (6) and (7), for
    ``steps`` of the schedule's steps.

    Raises:
        InputError: If the schedule has fewer steps.
    """
    found = []
    for k, then in itertools.pairwise(nodes(schedule, steps)):
        now, left = schedule.alphas_cumprod[k], schedule.alphas_cumprod[then]
        a, b = math.sqrt(now), math.sqrt(1 - now)
        variance = (1 - left) / (1 - now) * (1 - now / left)
        state = math.sqrt(max(0.0, 1 - left - variance)) / b
        data = math.sqrt(left) - a * state
        found.append(Link(b / (a + b), a + b, data, state, math.sqrt(variance)))
    return tuple(found)


def ancestral(
    field: Field, noise: Float[Tensor, "k b a"], chain: tuple[Link, ...]
) -> Float[Tensor, "b a"]:
    """Denoise ``noise[0]`` along a chain, the data clipped to [-1, 1] in each step.

    :func:`oneleap.core.sampling.diffusion.ddpm` in a third of the small operations, which is what a
    policy's network costs. Cost: ``len(chain)`` network evaluations.
    """
    x = noise[0]
    for i, link in enumerate(chain):
        t = x.new_full((len(x),), link.t)
        z = x / link.scale
        data = (z - link.t * field(z, t, t)).clamp(-1, 1)
        x = link.data * data + link.state * x
        if link.noise > 0:
            x = x + link.noise * noise[i + 1]
    return x


class Denoises(Policy):
    """A policy whose actions end a chain of ``steps`` denoising steps.

    The network is a field on the linear path as everywhere: what is called epsilon prediction is
    ``N = z + (1 - t) u`` in its terms, an affine map of the same output.
    """

    schedule: DiscreteVPPath
    chain: tuple[Link, ...]

    def noised_by(self, schedule: DiscreteVPPath) -> None:
        """Take a schedule, all of whose steps are gone through."""
        self.schedule, self.chain, self.steps = schedule, links(schedule), schedule.steps

    def noise(
        self, n: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "k n_actions a"]:
        """The start of the chain, and the noise of all its steps but the last."""
        shape = (self.steps, n, self.spec.act_dim)
        return torch.randn(shape, generator=generator, device=self.device)

    def generate(
        self, field: Field, noise: Float[Tensor, "k b a"], steps: int | None = None
    ) -> Float[Tensor, "b a"]:
        """Actions on [-1, 1] by the chain, or by one that skips some of its steps."""
        chain = self.chain if steps is None else links(self.schedule, steps)
        return ancestral(field, noise, chain)
