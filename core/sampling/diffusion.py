"""Samplers of multi-step diffusion models, on fields: DDIM, DDPM, PLMS, and EDM's."""

import itertools
import math
from collections import deque

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.paths.ddpm import DiscreteVPPath
from oneleap.core.paths.edm import EDM, Karras
from oneleap.core.sampling.consistency import fresh
from oneleap.core.sampling.ode import Progress
from oneleap.core.types import Field

ADAMS_BASHFORTH = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


def nodes(schedule: DiscreteVPPath, steps: int | None) -> list[int]:
    """``steps + 1`` noising steps, evenly spread from the last down to 0, which is data.

    Raises:
        InputError: If the schedule has fewer than ``steps`` steps, or there are none to take.
    """
    last = schedule.steps
    steps = last if steps is None else steps
    if not 1 <= steps <= last:
        raise InputError(f"a schedule of {last} steps samples in 1 to {last} steps, not {steps}")
    return [round(last * (steps - i) / steps) for i in range(steps + 1)]


def ddim(
    field: Field,
    noise: Float[Tensor, "b *d"],
    schedule: DiscreteVPPath,
    *,
    steps: int | None = None,
    eta: float = 0.0,
    clip: float | None = None,
    noises: Float[Tensor, "n b *d"] | None = None,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> Float[Tensor, "b *d"]:
    """DDIM (Song et al. 2021, arXiv 2010.02502), Eq. (12), first order.

    ``x' = a' D + sqrt(b'^2 - s^2) N + s e`` with the noise ``s`` of Eq. (16). Cost: ``steps``
    network evaluations.

    Args:
        field: Of whose velocity ``u(z, t, t)`` the means ``D`` of data and ``N`` of noise are.
        noise: Taken for ``x`` at the schedule's last step.
        schedule: Of the noise.
        steps: How many of the schedule's steps to take; all by default.
        eta: 0 is deterministic, 1 is DDPM's ancestral sampling.
        clip: Greatest magnitude of the data, to which ``D`` is cut.
        noises: Fresh noise of each step but the last, instead of drawn.
        generator: Of that noise.
        progress: Called after each step with the number of steps done and the state.
    """
    x = noise
    for i, (k, then) in enumerate(itertools.pairwise(nodes(schedule, steps))):
        tau = x.new_full((len(x),), k)
        data, e = schedule.posterior_means(field, x, tau)
        if clip is not None:
            data, e = schedule.from_data(data.clamp(-clip, clip), x, tau)
        now, left = schedule.alphas_cumprod[k], schedule.alphas_cumprod[then]
        variance = eta**2 * (1 - left) / (1 - now) * (1 - now / left)
        x = math.sqrt(left) * data + math.sqrt(max(0.0, 1 - left - variance)) * e
        if variance > 0:
            x = x + math.sqrt(variance) * fresh(noises, i, x, generator)
        if progress is not None:
            progress(i + 1, x)
    return x


def ddpm(
    field: Field,
    noise: Float[Tensor, "b *d"],
    schedule: DiscreteVPPath,
    *,
    steps: int | None = None,
    clip: float | None = None,
    noises: Float[Tensor, "n b *d"] | None = None,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> Float[Tensor, "b *d"]:
    """Ancestral sampling (Ho et al. 2020, arXiv 2006.11239), Algorithm 2.

    Each step draws from ``q(x' | x, D)``, the posterior with the smaller of the two variances the
    paper offers: DDIM with ``eta = 1``, whose arguments these are.
    """
    return ddim(
        field,
        noise,
        schedule,
        steps=steps,
        eta=1.0,
        clip=clip,
        noises=noises,
        generator=generator,
        progress=progress,
    )


def plms(
    field: Field,
    noise: Float[Tensor, "b *d"],
    schedule: DiscreteVPPath,
    *,
    steps: int | None = None,
    progress: Progress | None = None,
) -> Float[Tensor, "b *d"]:
    """PNDM's linear multistep method (Liu et al. 2022, arXiv 2202.09778), second order.

    DDIM's step along noise extrapolated from the last four by Adams and Bashforth's formula, the
    start by fewer and, at first, by an Euler step averaged with its successor, as DiffSinger
    samples. Deterministic. Cost: ``steps + 1`` network evaluations.

    Args:
        field: Of whose velocity the means of data and noise are.
        noise: Taken for ``x`` at the schedule's last step.
        schedule: Of the noise.
        steps: How many of the schedule's steps to take; all by default.
        progress: Called after each step with the number of steps done and the state.
    """

    def predict(x: Tensor, k: int) -> Tensor:
        return schedule.posterior_means(field, x, x.new_full((len(x),), k))[1]

    def transfer(x: Tensor, e: Tensor, k: int, then: int) -> Tensor:
        now, left = schedule.alphas_cumprod[k], schedule.alphas_cumprod[then]
        return math.sqrt(left) * (x - math.sqrt(1 - now) * e) / math.sqrt(now) + (
            math.sqrt(1 - left) * e
        )

    x, past = noise, deque[Tensor](maxlen=4)
    for i, (k, then) in enumerate(itertools.pairwise(nodes(schedule, steps))):
        past.appendleft(predict(x, k))
        if i == 0:
            e = (past[0] + predict(transfer(x, past[0], k, then), then)) / 2
        else:
            weights = ADAMS_BASHFORTH[len(past) - 1]
            e = torch.stack([w * p for w, p in zip(weights, past, strict=True)]).sum(0)
        x = transfer(x, e, k, then)
        if progress is not None:
            progress(i + 1, x)
    return x


def edm(
    field: Field,
    noise: Float[Tensor, "b *d"],
    *,
    steps: int,
    levels: Karras = Karras(),  # noqa: B008  (frozen)
    heun: bool = True,
    progress: Progress | None = None,
) -> Float[Tensor, "b *d"]:
    """EDM's deterministic sampler (Karras et al. 2022, arXiv 2206.00364), Algorithm 1.

    Second order with Heun's step, first with Euler's. Cost: ``2 steps - 1`` network evaluations,
    ``steps`` with Euler.

    Args:
        field: Of whose velocity the means of data and noise are.
        noise: Standard normal; the start is ``sigma_max`` times it.
        steps: Number of noise levels; the last step leads from the least to 0.
        levels: Noise levels.
        heun: Heun's step, on all but the last level.
        progress: Called after each step with the number of steps done and the state.

    Raises:
        InputError: If ``steps`` is not positive.
    """
    if steps < 1:
        raise InputError(f"sampling takes at least 1 step, not {steps}")
    path, x = EDM(), noise * levels.sigma_max
    sigmas = [*reversed(levels.sigmas(steps, torch.empty(0).double()).tolist()), 0.0]
    for i, (sigma, then) in enumerate(itertools.pairwise(sigmas)):
        slope = path.posterior_means(field, x, x.new_full((len(x),), sigma))[
            1
        ]  # dx/dsigma is the noise
        if heun and then > 0:
            trial = x + (then - sigma) * slope
            slope = (slope + path.posterior_means(field, trial, x.new_full((len(x),), then))[1]) / 2
        x = x + (then - sigma) * slope
        if progress is not None:
            progress(i + 1, x)
    return x
