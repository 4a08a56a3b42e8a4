"""Samplers of consistency and diffusion models on the exact field of a Gaussian."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.exact import Gaussian, seeded
from support.exact_paths import full, randn
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import consistency_function
from oneleap.core.paths.base import GaussianPath, LinearPath
from oneleap.core.paths.ddpm import CosineBetas, DiscreteVPPath, LinearBetas, VPBetas
from oneleap.core.paths.edm import EDM, Karras
from oneleap.core.sampling import consistency as consistency_file
from oneleap.core.sampling import diffusion as diffusion_file
from oneleap.core.sampling.consistency import consistency, gamma_sampling
from oneleap.core.sampling.diffusion import ddim, ddpm, edm, plms, timesteps
from oneleap.core.sampling.ode import sample
from oneleap.core.sampling.samplers import PLMSSampler

Sampler = Callable[..., Tensor]
TRUTH = Gaussian(0.7, 0.5)


class Counting:
    """The exact field, counting its evaluations and keeping their times."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        self.times.append((r[0].item(), t[0].item()))
        return TRUTH(z, r, t)


# Consistency.


@pytest.mark.parametrize("shape", [(64,), (3, 5), (2, 4, 4)])
def test_one_step_of_either_is_one_step_of_the_flow_map(shape: tuple[int, ...]) -> None:
    e = randn(*shape)
    wanted = sample(TRUTH, e)
    assert torch.equal(consistency(TRUTH, e), wanted)
    torch.testing.assert_close(gamma_sampling(TRUTH, e, gamma=0.7), wanted)


def test_consistency_goes_back_to_each_time_with_the_noise_it_is_given() -> None:
    e, noises = randn(6, 3), randn(2, 6, 3, seed=1)
    times = torch.tensor([1.0, 0.6, 0.3]).double()
    x = consistency_function(TRUTH, e, full(6, 1.0))
    for k, t in enumerate((0.6, 0.3)):
        z = LinearPath().point(x, noises[k], full(6, t))
        x = consistency_function(TRUTH, z, full(6, t))
    torch.testing.assert_close(consistency(TRUTH, e, times=times, noises=noises), x)


@pytest.mark.parametrize("steps", [2, 3, 8])
def test_without_noise_every_leap_is_exact(steps: int) -> None:
    e = randn(20, 3)
    zero, one = full(20, 0.0), full(20, 1.0)
    wanted = TRUTH.flow(e, zero, one)
    torch.testing.assert_close(gamma_sampling(TRUTH, e, steps=steps), wanted)
    torch.testing.assert_close(gamma_sampling(TRUTH, e, steps=steps), sample(TRUTH, e, steps=steps))
    times = torch.linspace(1.0, 0.2, steps).double()
    torch.testing.assert_close(gamma_sampling(TRUTH, e, times=times), wanted)


@pytest.mark.parametrize(
    "sampler", [consistency, lambda *a, **k: gamma_sampling(*a, gamma=0.6, **k)]
)
def test_samples_of_an_exact_field_follow_the_data(sampler: Sampler) -> None:
    x = sampler(TRUTH, randn(200_000), steps=4, generator=seeded(1))
    assert abs(x.mean() - 0.7) < 5e-3
    assert abs(x.std() - 0.5) < 5e-3


def test_gamma_one_is_consistency_sampling() -> None:
    e, noises = randn(6, 3), randn(3, 6, 3, seed=1)
    one = gamma_sampling(TRUTH, e, steps=4, gamma=1.0, noises=noises)
    torch.testing.assert_close(one, consistency(TRUTH, e, steps=4, noises=noises))
    half = gamma_sampling(TRUTH, e, steps=4, gamma=0.5, noises=noises)
    assert not torch.allclose(one, half)


def test_gamma_steps_too_far_and_adds_the_missing_noise_in_sigma() -> None:
    e, noises, gamma = randn(6, 3), randn(1, 6, 3, seed=1), 0.6
    sigma = 1.0  # half way
    low = math.sqrt(1 - gamma**2) * sigma
    near = TRUTH.flow(e, full(6, low / (1 + low)), full(6, 1.0)) * (1 + low)
    z = (near + gamma * sigma * noises[0]) / (1 + sigma)
    wanted = TRUTH.flow(z, full(6, 0.0), full(6, 0.5))
    got = gamma_sampling(TRUTH, e, steps=2, gamma=gamma, noises=noises)
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("gamma", [-0.1, 1.1])
def test_gamma_outside_its_range_is_refused(gamma: float) -> None:
    with pytest.raises(InputError, match="gamma must be in"):
        gamma_sampling(TRUTH, randn(2, 3), gamma=gamma)


@pytest.mark.parametrize("sampler", [consistency, gamma_sampling])
def test_they_differentiate_and_refuse_no_steps(sampler: Sampler) -> None:
    e = randn(4, 2).requires_grad_()
    fixed = {"steps": 3, "noises": randn(2, 4, 2, seed=1)}
    assert torch.autograd.gradcheck(lambda e: sampler(TRUTH, e, **fixed), (e,))
    with pytest.raises(InputError, match="at least 1 step, not 0"):
        sampler(TRUTH, randn(2, 3), steps=0)


# Diffusion. ``VPBetas(steps, 0, high)`` is smooth at the data, so orders show.

SMOOTH = VPBetas(4096, 0.0, 12.0)


def image(path: DiscreteVPPath | EDM, x: Tensor, tau: float) -> Tensor:
    """Where the exact flow carries ``x_tau``."""
    z, t = path.to_linear(x, full(len(x), tau))
    return TRUTH.flow(z, 0 * t, t)


@pytest.mark.parametrize(("sampler", "order"), [(ddim, 1), (plms, 2)])
def test_deterministic_samplers_converge_at_their_order(sampler: Sampler, order: int) -> None:
    e = randn(50)
    wanted = image(SMOOTH, e, SMOOTH.steps)
    errors = [(sampler(TRUTH, e, SMOOTH, steps=k) - wanted).abs().max() for k in (128, 256, 512)]
    for coarse, fine in itertools.pairwise(errors):
        assert torch.log2(coarse / fine).item() == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("schedule", [LinearBetas(), LinearBetas(100, 1e-4, 0.06)], ids=str)
def test_plms_in_few_steps_beats_ddim_in_many(schedule: DiscreteVPPath) -> None:
    e = randn(50)
    wanted = image(schedule, e, schedule.steps)
    fast = (plms(TRUTH, e, schedule, steps=20) - wanted).abs().max()
    assert fast < 0.01
    assert fast < (ddim(TRUTH, e, schedule, steps=50) - wanted).abs().max()


@pytest.mark.parametrize(("last", "steps", "stride"), [(1000, 25, 40), (100, 25, 4), (100, 30, 3)])
def test_plms_starts_a_stride_below_the_last_step_as_diffsinger(
    last: int, steps: int, stride: int
) -> None:
    """Its loop goes over ``reversed(range(0, last, stride))``, counted from 0, and then to data."""
    wanted = [k + 1 for k in reversed(range(0, last, stride))][-steps:]
    assert timesteps(LinearBetas(last), steps, leading=True) == [*wanted, 0]
    assert timesteps(LinearBetas(last), steps)[0] == last


def test_plms_with_either_start_follows_the_flow_from_there() -> None:
    e, schedule = randn(50), LinearBetas(100, 1e-4, 0.06)
    for leading, start in ((False, 100), (True, 97)):
        wanted = image(schedule, e, start)
        found = PLMSSampler(schedule, 25, leading=leading)(TRUTH, e)
        assert (found - wanted).abs().max() < 0.01


def test_plms_in_one_step_is_that_of_ddim() -> None:
    e = randn(50)
    found = plms(TRUTH, e, VPBetas(5), steps=1)
    torch.testing.assert_close(found, ddim(TRUTH, e, VPBetas(5), steps=1))


@pytest.mark.parametrize(("heun", "order"), [(False, 1), (True, 2)])
def test_edm_converges_at_its_order(heun: bool, order: int) -> None:
    e = randn(50)
    wanted = image(EDM(), 80 * e, 80.0)
    errors = [(edm(TRUTH, e, steps=k, heun=heun) - wanted).abs().max() for k in (64, 128, 256)]
    for coarse, fine in itertools.pairwise(errors):
        assert torch.log2(coarse / fine).item() == pytest.approx(order, abs=0.2)


def test_edm_in_one_step_is_the_mean_of_the_data() -> None:
    e = randn(5, 2)
    mean, _ = EDM().posterior_means(TRUTH, 80 * e, full(5, 80.0))
    torch.testing.assert_close(edm(TRUTH, e, steps=1), mean)


def test_eulers_step_is_the_same_under_every_path() -> None:
    """DDIM, EDM's Euler and the linear path's hold the two means fixed: one and the same."""
    e, schedule = randn(5, 2), CosineBetas()
    times = schedule.time(torch.tensor(timesteps(schedule, 10)).double())
    z, _ = schedule.to_linear(e, full(5, schedule.steps))
    for t, r in itertools.pairwise(times):
        z = z - (t - r) * TRUTH(z, t.expand(5), t.expand(5))
    torch.testing.assert_close(ddim(TRUTH, e, schedule, steps=10), z)
    levels = Karras(0.01, 50.0, 3.0)
    sigmas = [*levels.sigmas(10, e).flip(0).tolist(), 0.0]
    z = e * 50 / 51
    for a, b in itertools.pairwise(sigmas):
        t, r = full(5, a / (1 + a)), full(5, b / (1 + b))
        z = z - (t - r).unsqueeze(1) * TRUTH(z, t, t)
    torch.testing.assert_close(edm(TRUTH, e, steps=10, levels=levels, heun=False), z)


@pytest.mark.parametrize(
    "schedule", [LinearBetas(400, 1e-4, 0.05), CosineBetas(400), VPBetas(200)], ids=str
)
def test_ancestral_sampling_follows_the_data(schedule: DiscreteVPPath) -> None:
    x = ddpm(TRUTH, randn(20_000), schedule, generator=seeded(1))
    assert abs(x.mean() - 0.7) < 0.02
    assert abs(x.std() - 0.5) < 0.02


def test_one_ancestral_step_is_the_posterior_of_the_paper() -> None:
    """DDPM Eq. (7): mean and variance of ``q(x_{k-1} | x_k, x_0)`` with the mean for ``x_0``."""
    schedule, e, noises = VPBetas(2), randn(6, 3), randn(2, 6, 3, seed=1)
    beta, bar = schedule.betas(), schedule.alphas_cumprod
    data, _ = schedule.posterior_means(TRUTH, e, full(6, 2.0))
    mean = (
        math.sqrt(bar[1]) * beta[1] / (1 - bar[2]) * data
        + math.sqrt(1 - beta[1]) * (1 - bar[1]) / (1 - bar[2]) * e
    )
    variance = (1 - bar[1]) / (1 - bar[2]) * beta[1]
    seen: list[Tensor] = []
    ddpm(TRUTH, e, schedule, noises=noises, callback=lambda k, x: seen.append(x))
    torch.testing.assert_close(seen[0], mean + math.sqrt(variance) * noises[0])
    last, _ = schedule.posterior_means(TRUTH, seen[0], full(6, 1.0))
    torch.testing.assert_close(seen[1], last)  # the last step adds no noise


def test_clipping_holds_the_data_within_bounds() -> None:
    e = 3 * randn(50, 2)
    seen = ddim(TRUTH, e, VPBetas(), clip=0.8)
    assert seen.abs().max() <= 0.8 + 1e-12
    assert ddim(TRUTH, e, VPBetas()).abs().max() > 1
    free = ddim(TRUTH, e, VPBetas(), clip=1e6)
    torch.testing.assert_close(free, ddim(TRUTH, e, VPBetas()))


@pytest.mark.parametrize("steps", [0, 6])
@pytest.mark.parametrize("sampler", [ddim, ddpm, plms])
def test_more_steps_than_the_schedule_has_are_refused(sampler: Sampler, steps: int) -> None:
    with pytest.raises(InputError, match=f"samples in 1 to 5 steps, not {steps}"):
        sampler(TRUTH, randn(2, 3), VPBetas(5), steps=steps)


def test_edm_without_steps_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1 step, not 0"):
        edm(TRUTH, randn(2, 3), steps=0)


def diffusion(sampler: Sampler) -> Sampler:
    return lambda field, e, **rest: sampler(field, e, VPBetas(20), **rest)


ALL: list[tuple[Sampler, int]] = [
    (consistency, 5),
    (gamma_sampling, 5),
    (diffusion(ddim), 5),
    (diffusion(ddpm), 5),
    (diffusion(plms), 6),
    (edm, 9),
]


@pytest.mark.parametrize(("sampler", "calls"), ALL)
def test_cost_is_as_documented_and_the_callback_counts_steps(sampler: Sampler, calls: int) -> None:
    field, seen = Counting(), list[tuple[int, Tensor]]()
    x = sampler(field, randn(4, 2), steps=5, callback=lambda k, z: seen.append((k, z)))
    assert len(field.times) == calls
    assert [k for k, _ in seen] == [1, 2, 3, 4, 5]
    assert torch.equal(seen[-1][1], x)
    assert all(r <= t for r, t in field.times)
    if sampler not in (consistency, gamma_sampling):
        assert all(r == t for r, t in field.times)  # a multi-step field knows velocities only
    elif sampler is consistency:
        assert all(r == 0 for r, _ in field.times)  # and a consistency model leaps to data only


@pytest.mark.parametrize(("sampler", "calls"), ALL)
def test_samples_keep_the_dtype_of_the_noise(sampler: Sampler, calls: int) -> None:
    e = torch.randn(4, 2, generator=seeded())
    assert sampler(TRUTH, e, steps=calls - 1).dtype == torch.float32


@pytest.mark.parametrize(("sampler", "calls"), ALL)
def test_samplers_leave_the_noise_alone(sampler: Sampler, calls: int) -> None:
    e = randn(4, 2)
    sampler(TRUTH, e, steps=calls - 1)
    assert torch.equal(e, randn(4, 2))


@pytest.mark.parametrize(
    ("sampler", "options"),
    [
        (consistency, {}),
        (gamma_sampling, {"gamma": 0.6}),
        (diffusion(ddim), {"eta": 1.0}),
        (diffusion(ddpm), {}),
    ],
)
def test_noise_that_is_handed_in_replaces_every_draw(
    sampler: Sampler, options: dict[str, float]
) -> None:
    e, noises = randn(4, 2), randn(5, 4, 2, seed=1)
    once, again = (
        sampler(TRUTH, e, steps=5, noises=noises, generator=seeded(k), **options) for k in (1, 2)
    )
    assert torch.equal(once, again)
    assert not torch.allclose(once, sampler(TRUTH, e, steps=5, noises=-noises, **options))


@pytest.mark.parametrize("sampler", [gamma_sampling, diffusion(ddim), diffusion(plms), edm])
def test_deterministic_samples_survive_single_precision(sampler: Sampler) -> None:
    e = torch.randn(40, 2, generator=seeded())
    single, double = sampler(TRUTH, e, steps=10), sampler(TRUTH, e.double(), steps=10)
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sampler", [consistency, diffusion(ddpm)])
def test_a_seed_makes_a_sample(sampler: Sampler) -> None:
    e = randn(4, 2)
    first, again, other = (sampler(TRUTH, e, steps=4, generator=seeded(k)) for k in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# Mutants.


def order_of(sampler: Sampler, order: int) -> Callable[[], None]:
    return lambda: test_deterministic_samplers_converge_at_their_order(sampler, order)


def order_of_edm() -> None:
    test_edm_converges_at_its_order(True, 2)


def follows_the_data() -> None:
    test_samples_of_an_exact_field_follow_the_data(consistency)


def no_noise(noises: Tensor, k: int, like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.zeros_like(like)


def exchanged_means(self: DiscreteVPPath | EDM, *args: Any) -> tuple[Tensor, Tensor]:
    return means(self, *args)[::-1]


means = GaussianPath.posterior_means
point = LinearPath.point
MUTANTS: list[tuple[Any, str, Any, Callable[[], None]]] = [
    (
        LinearPath,
        "point",
        lambda self, x, e, t: point(self, e, x, t),
        follows_the_data,
    ),
    (
        consistency_file,
        "fresh_noise",
        no_noise,
        test_gamma_steps_too_far_and_adds_the_missing_noise_in_sigma,
    ),
    (
        consistency_file,
        "flow_map",
        lambda field, z, r, t: consistency_function(field, z, t),
        test_gamma_steps_too_far_and_adds_the_missing_noise_in_sigma,
    ),
    (
        diffusion_file,
        "ADAMS_BASHFORTH",
        tuple((1.0,) + (0.0,) * k for k in range(4)),
        order_of(plms, 2),
    ),
    (GaussianPath, "posterior_means", exchanged_means, order_of(ddim, 1)),
    (GaussianPath, "posterior_means", exchanged_means, order_of_edm),
    (
        diffusion_file,
        "fresh_noise",
        no_noise,
        test_one_ancestral_step_is_the_posterior_of_the_paper,
    ),
]


@pytest.mark.parametrize(("where", "name", "mutant", "exactness"), MUTANTS)
def test_a_mutant_of_a_sampler_is_seen(
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    name: str,
    mutant: Any,
    exactness: Callable[[], None],
) -> None:
    monkeypatch.setattr(where, name, mutant)
    with pytest.raises(AssertionError):
        exactness()
