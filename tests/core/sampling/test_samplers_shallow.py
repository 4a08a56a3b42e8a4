"""Every sampler from noise alone and from a coarse guess, against solutions in closed form."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from support.exact import Gaussian, seeded
from support.exact_paths import full, posterior, randn
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.paths.ddpm import CosineBetas, DiscreteVPPath, LinearBetas
from oneleap.core.paths.edm import Karras
from oneleap.core.sampling.consistency import consistency, gamma_sampling
from oneleap.core.sampling.diffusion import edm
from oneleap.core.sampling.ode import sample
from oneleap.core.sampling.samplers import (
    ConsistencySampler,
    DDIMSampler,
    DDPMSampler,
    DPMSolverSampler,
    EDMSampler,
    EulerSampler,
    FlowMapSampler,
    GammaSampler,
    HeunSampler,
    PLMSSampler,
    Sampler,
    UniPCSampler,
    with_steps,
)
from oneleap.core.sampling.shallow import FirstSteps, blend, scaled, shallow_diffusion
from oneleap.core.types import Conditioned

TRUTH = Gaussian(0.7, 0.5)
SCHEDULE = LinearBetas(100, 1e-4, 0.06)
DEPTHS = [0.2, 0.6, 1.0]
E, GUESS = randn(12, 3, seed=1), 0.7 + 0.3 * randn(12, 3, seed=2)


class Counted:
    """The exact field, which counts its calls and notes their latest time."""

    def __init__(self) -> None:
        self.calls, self.latest = 0, 0.0

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        self.latest = max(self.latest, t.max().item())
        return TRUTH(z, r, t)


def start(depth: float) -> Tensor:
    """State at a depth, written out."""
    return (1 - depth) * GUESS + depth * E


def solution(depth: float) -> Tensor:
    """Data at the other end of the exact trajectory."""
    return TRUTH.flow(start(depth), full(12, 0.0), full(12, depth))


def error(sampler: Sampler, depth: float) -> float:
    return (sampler(TRUTH, E, guess=GUESS) - solution(depth)).abs().max().item()


# Samplers on the linear path.


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("steps", [1, 3])
def test_the_flow_map_is_exact_from_any_depth(depth: float, steps: int) -> None:
    assert error(FlowMapSampler(steps, depth), depth) < 1e-12


@pytest.mark.parametrize("depth", DEPTHS)
def test_one_step_of_consistency_is_exact_from_any_depth(depth: float) -> None:
    assert error(ConsistencySampler(1, depth), depth) < 1e-6  # its times are float32


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("kind", "order"), [(EulerSampler, 1), (HeunSampler, 2)])
def test_solvers_converge_to_the_exact_trajectory_from_any_depth(
    kind: type[EulerSampler] | type[HeunSampler], order: int, depth: float
) -> None:
    errors = [error(kind(steps, depth=depth), depth) for steps in (32, 64, 128)]
    for coarse, fine in itertools.pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("depth", [0.25, 1.0])
def test_euler_takes_equal_steps_down_from_its_depth(depth: float) -> None:
    z = start(depth)
    for k in range(4):
        t = full(12, depth * (1 - k / 4))
        z = z - depth / 4 * TRUTH.velocity(z, t)
    torch.testing.assert_close(EulerSampler(4, depth=depth)(TRUTH, E, guess=GUESS), z)


@pytest.mark.parametrize("depth", [0.5, 1.0])
def test_consistency_renoises_to_equal_times_below_its_depth(depth: float) -> None:
    generator, zero = seeded(3), full(12, 0.0)
    x = TRUTH.flow(start(depth), zero, full(12, depth))
    for t in (2 * depth / 3, depth / 3):
        e = torch.randn(12, 3, generator=generator, dtype=torch.float64)
        x = TRUTH.flow((1 - t) * x + t * e, zero, full(12, t))
    sampler = ConsistencySampler(3, depth)
    found = sampler(TRUTH, E, seeded(3), guess=GUESS)
    torch.testing.assert_close(found, x, rtol=0, atol=1e-6)  # its times are float32


@pytest.mark.parametrize(("gamma", "reference"), [(0.0, sample), (1.0, consistency)])
def test_gamma_goes_from_the_flow_map_to_consistency(
    gamma: float, reference: type[sample] | type[consistency]
) -> None:
    found = GammaSampler(3, gamma)(TRUTH, E, seeded(1), guess=GUESS)
    random = {"generator": seeded(1)} if gamma else {}
    torch.testing.assert_close(found, reference(TRUTH, E, steps=3, **random))
    halfway = GammaSampler(3, 0.5)(TRUTH, E, seeded(1))
    torch.testing.assert_close(
        halfway, gamma_sampling(TRUTH, E, steps=3, gamma=0.5, generator=seeded(1))
    )
    assert (halfway - found).abs().max() > 1e-3


@pytest.mark.parametrize("heun", [False, True])
def test_edm_solves_from_its_greatest_noise_and_needs_no_guess(heun: bool) -> None:
    levels, e = Karras(sigma_max=20.0), E
    exact = TRUTH.flow(20 * e / 21, full(12, 0.0), full(12, 20 / 21))
    errors = []
    for steps in (40, 80):
        found = EDMSampler(steps, levels, heun)(TRUTH, e, guess=GUESS)
        assert torch.equal(found, edm(TRUTH, e, steps=steps, levels=levels, heun=heun))
        errors.append((found - exact).abs().max().item())
    assert errors[1] < errors[0] / (3.5 if heun else 1.8)
    assert errors[1] < 0.05


@pytest.mark.parametrize(
    "sampler",
    [EulerSampler(4, 2.0), HeunSampler(4, 2.0), EDMSampler(4, guidance=2.0)],
    ids=lambda s: type(s).__name__,
)
@pytest.mark.parametrize("depth", [0.5, 1.0])
def test_guidance_is_that_of_the_formula(sampler: Sampler, depth: float) -> None:
    """Gaussians of one width: guidance at 2 leads to the mean ``2 m - m_null``."""

    def net(z: Tensor, r: Tensor, t: Tensor, mean: Tensor) -> Tensor:
        shift = (1 - t).unsqueeze(1) * mean
        return Gaussian(0.0, 0.5)(z - shift, r, t) - mean

    mean, null = full(12, 0.7).unsqueeze(1), full(1, 0.2).unsqueeze(1)
    if not isinstance(sampler, EDMSampler):
        sampler = replace(sampler, depth=depth)
    found = sampler(Conditioned(net, (mean,), (null,)), E, guess=GUESS)
    wanted = replace(sampler, guidance=1.0)(Gaussian(1.2, 0.5), E, guess=GUESS)
    torch.testing.assert_close(found, wanted)
    plain = replace(sampler, guidance=1.0)(Conditioned(net, (mean,)), E, guess=GUESS)
    torch.testing.assert_close(plain, replace(sampler, guidance=1.0)(TRUTH, E, guess=GUESS))


# Samplers of discrete diffusion.


def discrete_start(schedule: DiscreteVPPath, step: int) -> Tensor:
    abar = float(torch.tensor(1 - schedule.betas())[:step].prod())
    return math.sqrt(abar) * GUESS + math.sqrt(1 - abar) * E


def nodes_of(last: int, steps: int) -> list[int]:
    return [round(last * (steps - i) / steps) for i in range(steps + 1)]


@pytest.mark.parametrize(("step", "steps"), [(60, 20), (10, 10), (None, 25)])
def test_ddim_and_ddpm_are_their_formulas_from_any_step(step: int | None, steps: int) -> None:
    """With the posterior means by regression on ``x_k`` itself."""
    abar = SCHEDULE.alphas_cumprod
    last = SCHEDULE.steps if step is None else step
    for eta, generator in ((0.0, seeded(5)), (1.0, seeded(5))):
        x = E if step is None else discrete_start(SCHEDULE, last)
        for k, then in itertools.pairwise(nodes_of(last, steps)):
            data, noise = posterior(TRUTH, SCHEDULE, x, full(12, float(k)))
            variance = eta * (1 - abar[then]) / (1 - abar[k]) * (1 - abar[k] / abar[then])
            x = math.sqrt(abar[then]) * data + math.sqrt(1 - abar[then] - variance) * noise
            if variance > 0:
                e = torch.randn(12, 3, generator=generator, dtype=torch.float64)
                x = x + math.sqrt(variance) * e
        kind = DDPMSampler if eta else DDIMSampler
        sampler = kind(SCHEDULE, steps, clip=None, start_step=step)
        found = sampler(TRUTH, E, seeded(5), guess=GUESS)
        torch.testing.assert_close(found, x, rtol=0, atol=1e-10)


@pytest.mark.parametrize("step", [30, 80])
def test_deterministic_diffusion_follows_the_exact_trajectory_from_its_step(step: int) -> None:
    z, t = SCHEDULE.to_linear(discrete_start(SCHEDULE, step), full(12, float(step)))
    exact = TRUTH.flow(z, full(12, 0.0), t)
    ddim, plms = (
        (kind(SCHEDULE, steps=15, start_step=step)(TRUTH, E, guess=GUESS) - exact).abs().max()
        for kind in (lambda *a, **k: DDIMSampler(*a, clip=None, **k), PLMSSampler)
    )
    assert ddim < 0.1
    assert plms < ddim / 5


def test_the_first_steps_are_those_of_the_schedule() -> None:
    first = FirstSteps(SCHEDULE, 40)
    assert first.alphas_cumprod == SCHEDULE.alphas_cumprod[:41]
    state, rest = shallow_diffusion(SCHEDULE, E, GUESS, 40)
    torch.testing.assert_close(state, discrete_start(SCHEDULE, 40))
    assert rest == first
    assert shallow_diffusion(SCHEDULE, E, None, None) == (E, SCHEDULE)


# All of them.

SHALLOW: list[tuple[Sampler, int, float]] = [
    (FlowMapSampler(2, 0.4), 2, 0.4),
    (EulerSampler(4, depth=0.4), 4, 0.4),
    (HeunSampler(4, depth=0.4), 8, 0.4),
    (DPMSolverSampler(4, depth=0.4), 4, 0.4),
    (UniPCSampler(4, depth=0.4), 4, 0.4),
    (ConsistencySampler(3, 0.4), 3, 0.4),
    (DDPMSampler(SCHEDULE, 5, None, 20), 5, SCHEDULE.time(full(1, 20.0)).item()),
    (DDIMSampler(SCHEDULE, 5, None, 20), 5, SCHEDULE.time(full(1, 20.0)).item()),
    (PLMSSampler(SCHEDULE, 5, 20), 6, SCHEDULE.time(full(1, 20.0)).item()),
    (DDPMSampler(CosineBetas(50), 100, None, 7), 7, CosineBetas(50).time(full(1, 7.0)).item()),
    (DDIMSampler(CosineBetas(50), 100, None, 7), 7, CosineBetas(50).time(full(1, 7.0)).item()),
    (PLMSSampler(CosineBetas(50), 100, 7), 8, CosineBetas(50).time(full(1, 7.0)).item()),
]
each_shallow = pytest.mark.parametrize(("sampler", "calls", "latest"), SHALLOW, ids=str)


@each_shallow
def test_a_shallow_start_calls_the_field_below_its_time_only(
    sampler: Sampler, calls: int, latest: float
) -> None:
    field = Counted()
    x = sampler(field, E, seeded(), guess=GUESS)
    assert x.shape == E.shape
    assert field.calls == calls
    assert field.latest == pytest.approx(latest, abs=1e-6)


@each_shallow
def test_a_shallow_start_needs_a_guess_and_a_time_that_exists(
    sampler: Sampler, calls: int, latest: float
) -> None:
    with pytest.raises(InputError, match="starts from a coarse guess"):
        sampler(TRUTH, E)
    if hasattr(sampler, "depth"):
        for depth in (0.0, -0.1, 1.1):
            with pytest.raises(InputError, match=f"depth: a time above 0, at most 1, not {depth}"):
                replace(sampler, depth=depth)(TRUTH, E, guess=GUESS)
    else:
        for step in (0, -1, 101):
            with pytest.raises(InputError, match=f"start_step: a step from 1 to .*, not {step}"):
                replace(sampler, start_step=step)(TRUTH, E, guess=GUESS)


@pytest.mark.parametrize(
    "sampler",
    [
        *(kind() for kind in (FlowMapSampler, EulerSampler, HeunSampler, GammaSampler, EDMSampler)),
        ConsistencySampler(2),
        DDPMSampler(),
        DDIMSampler(),
        PLMSSampler(),
    ],
    ids=lambda s: type(s).__name__,
)
def test_without_a_depth_a_guess_changes_nothing_and_steps_can_be_set(sampler: Sampler) -> None:
    with_guess, without = (sampler(TRUTH, E, seeded(), guess=g) for g in (GUESS, None))
    assert torch.equal(with_guess, without)
    assert with_steps(sampler, None) is sampler
    assert with_steps(sampler, 7) == replace(sampler, steps=7)
    with pytest.raises(InputError, match="steps: at least 1, not 0"):
        with_steps(sampler, 0)


# The change of variables.


def test_a_scaled_field_is_the_field_of_the_shorter_path() -> None:
    """Its mean velocity is that of the straight path from data to ``e'``, times the depth."""
    depth, cond = 0.4, randn(12, 2)
    field = Conditioned(lambda z, r, t, c: TRUTH(z, r, t) + 0 * c[:, :1], (cond,), (0 * cond,))
    short = scaled(field, depth)
    z, r, s = randn(12, 3, seed=4), full(12, 0.3), full(12, 0.9)
    end = TRUTH.flow(z, depth * r, depth * s)
    torch.testing.assert_close(z - 0.6 * short(z, r, s), end)
    assert short.null is field.null
    assert scaled(field, 1.0) is field
    torch.testing.assert_close(blend(GUESS, E, depth), start(depth))
    assert blend(GUESS, E, 1.0) is E
