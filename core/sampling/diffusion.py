"""Samplers of multi-step diffusion models, applied to fields: DDIM, DDPM, PLMS and EDM's."""

import itertools
import math
from collections import deque

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.paths.ddpm import DiscreteVPPath
from oneleap.core.paths.edm import EDM, Karras
from oneleap.core.sampling.consistency import fresh_noise
from oneleap.core.sampling.ode import StepCallback
from oneleap.core.types import Field

ADAMS_BASHFORTH = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)
"""Coefficients of the Adams-Bashforth methods of orders 1 to 4, newest slope first."""


def timesteps(schedule: DiscreteVPPath, steps: int | None, *, leading: bool = False) -> list[int]:
    """Return ``steps + 1`` noising steps, evenly spread from the last down to 0, which is data.

    Args:
        schedule: Noise schedule.
        steps: Number of steps to take; all by default.
        leading: Whether to take the steps ``1, 1 + d, 1 + 2 d, ...``, with ``d = last // steps``.
            The noisiest is then below the last step.

    Raises:
        InputError: If ``steps`` is not between 1 and the number of steps of the schedule.
    """
    last = schedule.steps
    steps = last if steps is None else steps
    if not 1 <= steps <= last:
        raise InputError(f"a schedule of {last} steps samples in 1 to {last} steps, not {steps}")
    if leading:
        return [*(1 + last // steps * i for i in reversed(range(steps))), 0]
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
    callback: StepCallback | None = None,
) -> Float[Tensor, "b *d"]:
    """DDIM (Song et al. 2021, arXiv 2010.02502), Eq. (12), first order.

    A step is ``x' = a' D + sqrt(b'^2 - s^2) N + s e``, with the noise ``s`` of Eq. (16) and the
    posterior means ``D`` of the data and ``N`` of the noise. Cost: ``steps`` network evaluations.

    Args:
        field: Field whose instantaneous velocity gives the posterior means.
        noise: Standard normal noise, used as the state at the schedule's last step, (b, *d).
        schedule: Noise schedule.
        steps: Number of the schedule's steps to take; all by default.
        eta: 0 is deterministic, 1 is DDPM's ancestral sampling.
        clip: Bound on the magnitude of ``D``; ``None`` for none.
        noises: Fresh noise of each step but the last, (steps - 1, b, *d); drawn by default.
        generator: Source of the fresh noise.
        callback: Called after each step with the number of steps done and the state.

    Returns:
        Data, (b, *d).

    Raises:
        InputError: If the schedule does not allow this number of steps.
    """
    x = noise
    for i, (k, k_next) in enumerate(itertools.pairwise(timesteps(schedule, steps))):
        tau = x.new_full((len(x),), k)
        data, e = schedule.posterior_means(field, x, tau)
        if clip is not None:
            data, e = schedule.from_data(data.clamp(-clip, clip), x, tau)
        abar, abar_next = schedule.alphas_cumprod[k], schedule.alphas_cumprod[k_next]
        variance = eta**2 * (1 - abar_next) / (1 - abar) * (1 - abar / abar_next)
        x = math.sqrt(abar_next) * data + math.sqrt(max(0.0, 1 - abar_next - variance)) * e
        if variance > 0:
            x = x + math.sqrt(variance) * fresh_noise(noises, i, x, generator)
        if callback is not None:
            callback(i + 1, x)
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
    callback: StepCallback | None = None,
) -> Float[Tensor, "b *d"]:
    """Ancestral sampling (Ho et al. 2020, arXiv 2006.11239), Algorithm 2.

    Each step draws from ``q(x' | x, D)``, the posterior with the smaller of the paper's two
    variances. This is DDIM with ``eta = 1``.

    Args:
        field: Field whose instantaneous velocity gives the posterior means.
        noise: Standard normal noise, used as the state at the schedule's last step, (b, *d).
        schedule: Noise schedule.
        steps: Number of the schedule's steps to take; all by default.
        clip: Bound on the magnitude of ``D``; ``None`` for none.
        noises: Fresh noise of each step but the last, (steps - 1, b, *d); drawn by default.
        generator: Source of the fresh noise.
        callback: Called after each step with the number of steps done and the state.

    Returns:
        Data, (b, *d).

    Raises:
        InputError: If the schedule does not allow this number of steps.
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
        callback=callback,
    )


def plms(
    field: Field,
    noise: Float[Tensor, "b *d"],
    schedule: DiscreteVPPath,
    *,
    steps: int | None = None,
    leading: bool = False,
    callback: StepCallback | None = None,
) -> Float[Tensor, "b *d"]:
    """PNDM's linear multistep method (Liu et al. 2022, arXiv 2202.09778), second order.

    A step is DDIM's along noise extrapolated from the last four predictions (Adams-Bashforth). The
    first steps use fewer predictions. The very first averages an Euler step with its successor, as
    DiffSinger does. Deterministic. Cost: ``steps + 1`` network evaluations.

    Deviations: the noise is the state at the schedule's last step. DiffSinger's code takes it as
    the state one stride below, as ``leading`` does; the noise level there is lower. A single step,
    whose successor is the data, is DDIM's.

    Args:
        field: Field whose instantaneous velocity gives the posterior means.
        noise: Standard normal noise, used as the state at the schedule's last step, (b, *d).
        schedule: Noise schedule.
        steps: Number of the schedule's steps to take; all by default.
        leading: Whether to start where DiffSinger's code starts, see :func:`timesteps`.
        callback: Called after each step with the number of steps done and the state.

    Returns:
        Data, (b, *d).

    Raises:
        InputError: If the schedule does not allow this number of steps.
    """

    def predict(x: Tensor, k: int) -> Tensor:
        return schedule.posterior_means(field, x, x.new_full((len(x),), k))[1]

    def transfer(x: Tensor, e: Tensor, k: int, k_next: int) -> Tensor:
        abar, abar_next = schedule.alphas_cumprod[k], schedule.alphas_cumprod[k_next]
        return math.sqrt(abar_next) * (x - math.sqrt(1 - abar) * e) / math.sqrt(abar) + (
            math.sqrt(1 - abar_next) * e
        )

    x, past = noise, deque[Tensor](maxlen=4)
    nodes = timesteps(schedule, steps, leading=leading)
    for i, (k, k_next) in enumerate(itertools.pairwise(nodes)):
        past.appendleft(predict(x, k))
        if i == 0 and k_next > 0:
            e = (past[0] + predict(transfer(x, past[0], k, k_next), k_next)) / 2
        else:
            weights = ADAMS_BASHFORTH[len(past) - 1]
            e = torch.stack([w * p for w, p in zip(weights, past, strict=True)]).sum(0)
        x = transfer(x, e, k, k_next)
        if callback is not None:
            callback(i + 1, x)
    return x


def one_more_step(
    field: Field, noise: Float[Tensor, "b *d"], schedule: DiscreteVPPath
) -> Float[Tensor, "b *d"]:
    """One More Step (Hu et al. 2023, arXiv 2311.15744): from pure noise to a schedule's last step.

    The last step of a schedule still holds ``sqrt(abar)`` of the data, and samplers that start
    there from pure noise replace their mean by 0. Pure noise says nothing of the data, so the field
    at ``t = 1`` predicts the mean ``D`` of the data under their conditions, and the state at the
    last step is ``sqrt(abar) D + sqrt(1 - abar) e``. Cost: 1 network evaluation.

    Deviations: the paper trains a second network for this step; here it is the same one, at the
    time ``t = 1`` that the schedule does not reach. The noise is the given one, on which ``D`` does
    not depend, so the step draws nothing. The authors' code scales it by the variance.

    Args:
        field: Field that was trained at ``t = 1``, see
            :class:`oneleap.core.objectives.NoisePrediction`.
        noise: Standard normal noise, (b, *d).
        schedule: Noise schedule.

    Returns:
        State at the last step, (b, *d).
    """
    one = noise.new_ones(len(noise))
    data = noise - field(noise, one, one)
    abar = schedule.alphas_cumprod[schedule.steps]
    return math.sqrt(abar) * data + math.sqrt(1 - abar) * noise


def edm(
    field: Field,
    noise: Float[Tensor, "b *d"],
    *,
    steps: int,
    levels: Karras = Karras(),  # noqa: B008  (frozen)
    heun: bool = True,
    callback: StepCallback | None = None,
) -> Float[Tensor, "b *d"]:
    """EDM's deterministic sampler (Karras et al. 2022, arXiv 2206.00364), Algorithm 1.

    Second order with Heun's steps, first order with Euler's. Cost: ``2 steps - 1`` network
    evaluations, or ``steps`` with Euler.

    Args:
        field: Field whose instantaneous velocity gives the posterior means.
        noise: Standard normal noise, (b, *d); it is multiplied by ``sigma_max``.
        steps: Number of noise levels; the last step leads from the smallest level to 0.
        levels: Noise levels.
        heun: Whether to take Heun's step on all but the last level.
        callback: Called after each step with the number of steps done and the state.

    Returns:
        Data, (b, *d).

    Raises:
        InputError: If ``steps`` is not positive.
    """
    if steps < 1:
        raise InputError(f"sampling takes at least 1 step, not {steps}")

    def slope_at(x: Tensor, sigma: float) -> Tensor:
        """Return ``dx/dsigma``, which is the mean of the noise."""
        return EDM().posterior_means(field, x, x.new_full((len(x),), sigma))[1]

    x = noise * levels.sigma_max
    sigmas = [*reversed(levels.sigmas(steps, torch.empty(0).double()).tolist()), 0.0]
    for i, (sigma, sigma_next) in enumerate(itertools.pairwise(sigmas)):
        slope = slope_at(x, sigma)
        if heun and sigma_next > 0:
            trial = x + (sigma_next - sigma) * slope
            slope = (slope + slope_at(trial, sigma_next)) / 2
        x = x + (sigma_next - sigma) * slope
        if callback is not None:
            callback(i + 1, x)
    return x
