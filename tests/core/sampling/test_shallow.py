"""Shallow starts: samplers and objectives on the exact field, from a coarse guess."""

import math
from dataclasses import replace

import pytest
import torch
from support.exact import seeded
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching, MeanFlow, SplitMeanFlow
from oneleap.core.paths.ddpm import LinearBetas
from oneleap.core.sampling.samplers import (
    ConsistencySampler,
    DDIMSampler,
    DDPMSampler,
    EulerSampler,
    FlowMapSampler,
    PLMSSampler,
    Sampler,
)
from oneleap.core.sampling.shallow import FirstSteps, blend, scaled
from oneleap.core.types import Conditioned, TrainingBatch

SCHEDULE = LinearBetas(steps=100, first=1e-4, last=0.06)
"""DiffSinger's noise schedule."""


DATA = torch.randn(2, 3, 5, generator=seeded(1), dtype=torch.float64)
NOISE = torch.randn(2, 3, 5, generator=seeded(2), dtype=torch.float64)
GUESS = DATA + 0.3


def line(x: Tensor) -> Conditioned:
    """The exact field of one data point: ``u = (z - x) / t``."""
    return Conditioned(lambda z, r, t: (z - x) / t[:, None, None].clamp(min=1e-9))


@pytest.mark.parametrize(
    "sampler",
    [
        FlowMapSampler(1),
        FlowMapSampler(3, 0.6),
        EulerSampler(20, depth=0.6),
        EulerSampler(1, depth=1.0),
        ConsistencySampler(2, 0.6),
        DDPMSampler(SCHEDULE, 100, None),
        DDPMSampler(SCHEDULE, 100, None, start_step=54),
        DDIMSampler(SCHEDULE, 10, None, start_step=54),
        PLMSSampler(SCHEDULE, 10, start_step=60),
        PLMSSampler(SCHEDULE, 10),
    ],
)
def test_an_exact_field_leads_to_the_data_from_any_start(sampler: Sampler) -> None:
    made = sampler(line(DATA), NOISE, seeded(0), guess=GUESS)
    torch.testing.assert_close(made, DATA, atol=1e-5, rtol=0)


def test_shallow_starts_mix_guess_and_noise() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def record(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        seen.append((z, t))
        return torch.zeros_like(z)

    EulerSampler(5, depth=0.6)(Conditioned(record), NOISE, guess=GUESS)
    torch.testing.assert_close(seen[0][0], 0.4 * GUESS + 0.6 * NOISE)
    times = [float(t[0]) for _, t in seen]
    assert times == pytest.approx([0.6, 0.48, 0.36, 0.24, 0.12])
    seen.clear()
    PLMSSampler(SCHEDULE, 4, start_step=54)(Conditioned(record), NOISE, guess=GUESS)
    abar = float(SCHEDULE.alphas_cumprod[54])
    a, b = math.sqrt(abar), math.sqrt(1 - abar)
    torch.testing.assert_close(seen[0][0], (a * GUESS + b * NOISE) / (a + b))
    assert float(seen[0][1][0]) == pytest.approx(b / (a + b))


def test_first_steps_are_those_of_the_schedule() -> None:
    betas = SCHEDULE.betas()
    assert (betas[0], betas[99]) == pytest.approx((1e-4, 0.06))
    part = FirstSteps(SCHEDULE, 54)
    assert part.alphas_cumprod == pytest.approx(SCHEDULE.alphas_cumprod[:55])
    with pytest.raises(InputError, match="start_step: a step from 1 to 100"):
        DDPMSampler(SCHEDULE, start_step=101)(line(DATA), NOISE, guess=GUESS)
    with pytest.raises(InputError, match="depth"):
        FlowMapSampler(1, 0.0)(line(DATA), NOISE, guess=GUESS)
    for sampler in (FlowMapSampler(1, 0.5), DDPMSampler(SCHEDULE, start_step=9)):
        with pytest.raises(InputError, match="coarse guess"):
            sampler(line(DATA), NOISE)


def test_a_shallow_loss_equals_the_loss_at_early_times() -> None:
    """``|| u' - v' ||^2`` in the time ``s`` is ``t0^2 || u - (e - x) ||^2`` at ``t = t0 s``."""
    depth, objective = 0.6, FlowMatching()
    field = Conditioned(lambda z, r, t: z.sin() * t[:, None, None] + r[:, None, None])
    draw = objective.draw(DATA, seeded(3))
    shallow = replace(draw, e=blend(DATA, draw.e, depth))
    found = objective.loss(TrainingBatch(field=scaled(field, depth), x=DATA), shallow).per_sample
    t = depth * draw.t
    z = (1 - t)[:, None, None] * DATA + t[:, None, None] * draw.e
    error = (field(z, t, t) - (draw.e - DATA)).square().mean((1, 2))
    torch.testing.assert_close(found, depth**2 * error)


@pytest.mark.parametrize("objective", [FlowMatching(), MeanFlow(), SplitMeanFlow()])
def test_objectives_have_no_loss_on_the_exact_field_of_a_shallow_path(
    objective: FlowMatching | MeanFlow | SplitMeanFlow,
) -> None:
    """From ``x`` to the noise ``e'`` the mean velocity is ``e' - x``."""
    depth, x = 0.6, DATA[:1].expand(8, -1, -1)
    draw = objective.draw(x, seeded(3))
    exact = Conditioned(lambda z, r, t, e: e - x[: len(z)], (draw.e,))
    shallow = replace(draw, e=blend(x, draw.e, depth))

    def loss(field: Conditioned) -> float:
        found = objective.loss(TrainingBatch(field=field, x=x), shallow)
        return float(found.per_sample.abs().max())

    assert loss(scaled(exact, depth)) < 1e-12
    assert loss(exact) > 0.01  # velocities in the unscaled time


def test_scaled_time_scales_velocity() -> None:
    field = Conditioned(lambda z, r, t: z * t[:, None, None] + r[:, None, None])
    r, s = torch.tensor([0.1]), torch.tensor([0.5])
    z = torch.ones(1, 2, 2)
    torch.testing.assert_close(scaled(field, 0.6)(z, r, s), 0.6 * (0.3 * z + 0.06))
    assert scaled(field, 1.0) is field
