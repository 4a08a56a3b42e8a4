"""Multistep solvers for diffusion and flow models: DPM-Solver++(2M) and UniPC.

With the data mean ``D = z - t v`` the flow is ``d(z / t) = D d(1 / t)``. Both solvers are exact in
``z / t`` and extrapolate ``D`` in ``lambda = ln((1 - t) / t)`` from the evaluations that they have
already made. At constant ``D``, a step is Euler's, ``z_r = (r / t) z + (1 - r / t) D``.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.sampling.ode import StepCallback, time_grid
from oneleap.core.types import Field


def dpm_solver(
    field: Field,
    noise: Float[Tensor, "b *d"],
    *,
    steps: int,
    callback: StepCallback | None = None,
) -> Float[Tensor, "b *d"]:
    """DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095), second order.

    The mean is extrapolated linearly to the middle of the step. ``lambda`` is infinite at both
    ends, so the first two steps and the last are Euler's. Deterministic. Cost: ``steps`` network
    evaluations.

    Args:
        field: Field whose instantaneous velocity gives the data mean.
        noise: Noise ``e``, the state at ``t = 1``, (b, *d).
        steps: Number of equal steps in ``t``.
        callback: Called after each step with the number of steps done and the state.

    Returns:
        Data, (b, *d).

    Raises:
        InputError: If ``steps`` is not positive.
    """
    z, times, means = noise, time_grid(steps, noise), list[Tensor]()
    for k in range(steps):
        means.append(_data_mean(field, z, times[k]))
        z = _step(z, _extrapolated(means, times, k), times[k], times[k + 1])
        if callback is not None:
            callback(k + 1, z)
    return z


def unipc(
    field: Field,
    noise: Float[Tensor, "b *d"],
    *,
    steps: int,
    callback: StepCallback | None = None,
) -> Float[Tensor, "b *d"]:
    """UniPC (Zhao et al. 2023, arXiv 2302.04867) of order 2, with its function ``B_2``.

    A step of DPM-Solver++(2M) predicts; the mean there corrects it, and is that of the next step,
    so the correction costs nothing. The first two steps are corrected by the mean of both ends, and
    the last is Euler's. Deterministic. Cost: ``steps`` network evaluations.

    Args:
        field: Field whose instantaneous velocity gives the data mean.
        noise: Noise ``e``, the state at ``t = 1``, (b, *d).
        steps: Number of equal steps in ``t``.
        callback: Called after each step with the number of steps done and the state.

    Returns:
        Data, (b, *d).

    Raises:
        InputError: If ``steps`` is not positive.
    """
    z, times = noise, time_grid(steps, noise)
    means = [_data_mean(field, z, times[0])]
    for k in range(steps):
        t, r = times[k], times[k + 1]
        predicted = _step(z, _extrapolated(means, times, k), t, r)
        if k + 1 < steps:
            means.append(_data_mean(field, predicted, r))
            predicted = _step(z, _corrected(means, times, k), t, r)
        z = predicted
        if callback is not None:
            callback(k + 1, z)
    return z


def _data_mean(field: Field, z: Tensor, t: Tensor) -> Tensor:
    """Mean of the data given ``z``, ``z - t v``."""
    now = t.expand(len(z))
    return z - t * field(z, now, now)


def _step(z: Tensor, mean: Tensor, t: Tensor, r: Tensor) -> Tensor:
    """State at ``r`` for a constant mean."""
    return z * (r / t) + mean * (1 - r / t)


def _log_odds(t: Tensor) -> Tensor:
    """``lambda``."""
    return torch.log((1 - t) / t)


def _inner(times: Tensor, k: int) -> bool:
    """Whether ``lambda`` is finite at both ends of step ``k`` and at the node before."""
    return 2 <= k < len(times) - 2


def _extrapolated(means: list[Tensor], times: Tensor, k: int) -> Tensor:
    """Mean in the middle of step ``k``, from the means at its start and one step before."""
    if not _inner(times, k):
        return means[k]
    before, start, end = _log_odds(times[k - 1 : k + 2])
    return means[k] + (means[k] - means[k - 1]) * (end - start) / (2 * (start - before))


def _corrected(means: list[Tensor], times: Tensor, k: int) -> Tensor:
    """Mean over step ``k``, from the means at its start, at its end and one step before."""
    now, after = means[k], means[k + 1]
    if not _inner(times, k):
        return (now + after) / 2
    before, start, end = _log_odds(times[k - 1 : k + 2])
    h = start - end  # UniPC's hh
    e = torch.expm1(h)
    first = (e / h - 1) / e
    second = 2 * ((e / h - 1) / h - 0.5) / e
    ratio = (before - start) / (end - start)
    early = (first - second) / (1 - ratio)  # the solution of [[1, 1], [ratio, 1]] rho = b
    return now + early / ratio * (means[k - 1] - now) + (first - early) * (after - now)
