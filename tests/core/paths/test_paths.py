"""Every Gaussian path is the linear one in disguise."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from support.exact import Gaussian, seeded
from support.exact_paths import (
    CONTINUOUS,
    DISCRETE,
    PATHS,
    Mixture,
    full,
    own_times,
    posterior,
    randn,
    teacher_of,
)
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.paths.base import ExternalTeacher, GaussianPath, LinearPath, expand, jump
from oneleap.core.paths.ddpm import CosineBetas, DiscreteVPPath, LinearBetas, VPBetas
from oneleap.core.paths.edm import EDM, Karras
from oneleap.core.paths.times import LogitNormal
from oneleap.core.paths.trigflow import TrigFlow

each_path = pytest.mark.parametrize("path", PATHS, ids=str)
each_continuous = pytest.mark.parametrize("path", CONTINUOUS, ids=str)
TIGHT = {"rtol": 1e-12, "atol": 1e-12}
TRUTHS = [Gaussian(0.7, 0.5), Gaussian(-0.2, 1.3)]


def case(path: GaussianPath, *dims: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Data, noise, times and the point between."""
    tau = own_times(path, 7)
    x, e = randn(7, *dims), randn(7, *dims, seed=1)
    return x, e, tau, path.point(x, e, tau)


# The change of variables.


@each_path
def test_time_and_point_translate_there_and_back(path: GaussianPath) -> None:
    for dims in ((), (3,), (2, 4)):
        x, e, tau, point = case(path, *dims)
        z, t = path.to_linear(point, tau)
        torch.testing.assert_close(path.time(tau), t, **TIGHT)
        torch.testing.assert_close(z, LinearPath().point(x, e, t), **TIGHT)
        back, own = path.from_linear(z, t)
        torch.testing.assert_close(own, tau, **TIGHT)
        torch.testing.assert_close(back, point, **TIGHT)


@each_path
def test_time_rises_from_data_towards_noise(path: GaussianPath) -> None:
    t = path.time(own_times(path, 30))
    assert (t.diff() >= 0).all()
    assert ((t > 0) & (t < 1)).all()
    assert path.time(full(1, 0.0)).item() == 0.0


@each_continuous
def test_rates_are_the_derivatives_of_the_scales(path: GaussianPath) -> None:
    tau = own_times(path, 9)
    _, slopes = torch.func.jvp(path.scales, (tau,), (torch.ones_like(tau),))
    for rate, slope in zip(path.rates(tau), slopes, strict=True):
        torch.testing.assert_close(rate, slope, **TIGHT)


@pytest.mark.parametrize("path", DISCRETE, ids=str)
def test_discrete_rates_are_a_quarter_turn(path: DiscreteVPPath) -> None:
    tau = own_times(path, 9)
    a, b = path.scales(tau)
    da, db = path.rates(tau)
    torch.testing.assert_close(a.square() + b.square(), torch.ones_like(a), **TIGHT)
    torch.testing.assert_close(torch.stack([da, db]), torch.stack([-b, a]))


# Parametrisations.


@each_path
def test_parametrisations_convert_into_each_other(path: GaussianPath) -> None:
    data, noise, tau, point = case(path, 3)
    ways = {
        "data": path.from_data(data, point, tau),
        "noise": path.from_noise(noise, point, tau),
        "score": path.from_score(path.score(noise, tau), point, tau),
        "velocity": path.from_velocity(path.velocity(data, noise, tau), point, tau),
    }
    condition = max(1.0, *(float((p / q).max()) for p, q in [path.scales(tau)[::-1]]))
    for name, pair in ways.items():
        for mine, wanted in zip(pair, (data, noise), strict=True):
            bound = 1e-12 * condition  # data from noise divide by a, which is 5e-4 at worst
            assert (mine - wanted).abs().max() < bound, name


@each_path
@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_means_by_a_field_are_those_by_regression_on_the_path_itself(
    path: GaussianPath, truth: Gaussian
) -> None:
    _, _, tau, point = case(path, 3)
    wanted = posterior(truth, path, point, tau)
    for mine, theirs in zip(path.posterior_means(truth, point, tau), wanted, strict=True):
        torch.testing.assert_close(mine, theirs, **TIGHT)
    a, b = (expand(c, point) for c in path.scales(tau))
    variance = (a * truth.std).square() + b.square()
    score = (a * truth.mean - point) / variance
    torch.testing.assert_close(path.score(wanted[1], tau), score, **TIGHT)


@pytest.mark.parametrize("path", [LinearPath(), TrigFlow(), TrigFlow(2.0)], ids=str)
def test_means_are_finite_at_pure_data_and_at_pure_noise(path: GaussianPath) -> None:
    z = randn(2, 3)
    point, tau = path.from_linear(z, torch.tensor([0.0, 1.0]).double())
    data, noise = path.posterior_means(Gaussian(), point, tau)
    torch.testing.assert_close(data[0], z[0])
    torch.testing.assert_close(noise[1], z[1])
    assert data.isfinite().all()
    assert noise.isfinite().all()


# One flow under all paths.


@each_continuous
@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_the_velocity_is_the_slope_of_the_exact_flow(path: GaussianPath, truth: Gaussian) -> None:
    tau, standard = own_times(path, 9), randn(9, 3)

    def flow(tau: Tensor) -> Tensor:
        a, b = (expand(c, standard) for c in path.scales(tau))
        return a * truth.mean + ((a * truth.std).square() + b.square()).sqrt() * standard

    point, slope = torch.func.jvp(flow, (tau,), (torch.ones_like(tau),))
    mine = path.velocity(*path.posterior_means(truth, point, tau), tau)
    torch.testing.assert_close(mine, slope, **TIGHT)


@each_continuous
@pytest.mark.parametrize("truth", [Gaussian(), Mixture()], ids=lambda t: type(t).__name__)
def test_a_field_is_the_same_teacher_under_every_path(
    path: GaussianPath, truth: Gaussian | Mixture
) -> None:
    """Integrate the path's own ODE and arrive where the linear path's flow map leads."""
    z, (r, t) = randn(4, 2), torch.tensor([0.1, 0.95]).double()
    wanted = jump(z, truth(z, r.expand(4), t.expand(4)), r.expand(4), t.expand(4))
    start, tau = path.from_linear(z, t.expand(4))
    stop = path.tau(r.expand(1)).item()

    def slope(tau: float, x: np.ndarray) -> np.ndarray:
        point, times = torch.from_numpy(x).reshape(4, 2), full(4, tau)
        return (
            path.velocity(*path.posterior_means(teacher_of(truth), point, times), times)
            .flatten()
            .numpy()
        )

    span = (tau[0].item(), stop)
    solved = solve_ivp(slope, span, start.flatten().numpy(), "DOP853", rtol=1e-10, atol=1e-11)
    landed = torch.from_numpy(solved.y[:, -1]).reshape(4, 2)
    mine, _ = path.to_linear(landed, full(4, stop))
    torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-8)


@each_path
@pytest.mark.parametrize("predicts", ["data", "noise", "score", "velocity"])
def test_an_external_network_teaches_as_a_field(path: GaussianPath, predicts: str) -> None:
    truth = Gaussian()

    def posterior_means(x: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        data, noise = posterior(truth, path, x, tau)
        known = {
            "data": data,
            "noise": noise,
            "score": path.score(noise, tau),
            "velocity": path.velocity(data, noise, tau),
        }
        return getattr(path, f"from_{predicts}")(known[predicts], x, tau)

    t = path.time(own_times(path, 7))
    z = randn(7, 3)
    torch.testing.assert_close(
        ExternalTeacher(path, posterior_means)(z, 0 * t, t), truth(z, t, t), rtol=0, atol=1e-9
    )


def test_beyond_its_noisiest_time_an_external_network_is_evaluated_at_that_time() -> None:
    path, seen = EDM(), []

    def posterior_means(x: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(tau)
        return posterior(Gaussian(), path, x, tau)

    field, z = ExternalTeacher(path, posterior_means, 80 / 81), randn(2, 3)
    v = field(z, full(2, 0.0), torch.tensor([0.5, 1.0]).double())
    torch.testing.assert_close(seen[0], torch.tensor([1.0, 80.0]).double())
    assert (v - Gaussian()(z, full(2, 1.0), torch.tensor([0.5, 1.0]).double())).isfinite().all()


# EDM.


def test_edm_preconditioning_gives_a_target_of_unit_variance() -> None:
    """What the coefficients are for, EDM App. B.6."""
    path, sigma = EDM(0.7), torch.tensor([0.01, 0.3, 2.0, 70.0]).double()
    c = path.precondition(sigma)
    torch.testing.assert_close(c.c_in.square() * (sigma**2 + 0.49), torch.ones(4).double())
    left = ((1 - c.c_skip) * 0.7).square() + (c.c_skip * sigma).square()
    torch.testing.assert_close(left / c.c_out.square(), torch.ones(4).double())
    torch.testing.assert_close(c.c_noise, sigma.log() / 4)


@pytest.mark.parametrize("path", [EDM(), EDM(1.0), EDM(0.5, 0.002)], ids=str)
def test_edm_network_output_converts_there_and_back(path: EDM) -> None:
    data, _, sigma, point = case(path, 3)
    f = path.network_output(data, point, sigma)
    torch.testing.assert_close(path.denoised(f, point, sigma), data, **TIGHT)
    edge = full(7, path.boundary)
    torch.testing.assert_close(path.denoised(f, point, edge), point, rtol=0, atol=0)


def test_lognormal_noise_is_logit_normal_time() -> None:
    sigma = (-1.2 + 1.2 * randn(100)).exp()
    t = LogitNormal(-1.2, 1.2).sample((100,), sigma, seeded())
    torch.testing.assert_close(EDM().time(sigma), t, **TIGHT)
    torch.testing.assert_close(TrigFlow(0.5).time((sigma / 0.5).arctan()), t, **TIGHT)


def test_karras_levels_are_those_of_the_equation() -> None:
    i = np.arange(18)
    falling = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    mine = Karras().sigmas(18, torch.empty(0).double())
    torch.testing.assert_close(mine, torch.from_numpy(falling[::-1].copy()))
    assert Karras().sigmas(1, torch.empty(0)).item() == pytest.approx(80.0)


@pytest.mark.parametrize("n", [2, 18, 1281])
def test_the_grid_of_times_runs_from_data_to_noise(n: int) -> None:
    for dtype in (torch.float32, torch.float64):
        like = torch.empty(0, dtype=dtype)
        times = Karras().times(n, like)
        assert times.dtype == dtype
        assert (times[0], times[-1]) == (0.0, 1.0)
        assert (times.diff() > 0).all()
        sigma = Karras().sigma(times)
        torch.testing.assert_close(sigma, Karras().sigmas(n, like), rtol=2e-4, atol=1e-6)
        torch.testing.assert_close(Karras().time(sigma), times, rtol=1e-4, atol=1e-6)


def test_a_grid_of_one_node_is_refused() -> None:
    with pytest.raises(InputError, match="at least 2 nodes, not 1"):
        Karras().times(1, torch.empty(0))


def test_interval_probabilities_are_those_of_the_lognormal_law() -> None:
    sigmas = Karras().sigmas(20, torch.empty(0).double())
    cdf = torch.distributions.Normal(-1.1, 2.0).cdf(sigmas.log())
    mine = Karras().log_normal(sigmas, -1.1, 2.0)
    torch.testing.assert_close(mine, cdf.diff() / (cdf[-1] - cdf[0]))


# TrigFlow.


@pytest.mark.parametrize("s", [0.5, 1.0, 2.0])
def test_trigflow_network_is_the_velocity_in_units_of_the_data(s: float) -> None:
    path, truth = TrigFlow(s), Gaussian()
    _, _, tau, point = case(path, 3)
    z, t = path.to_linear(point, tau)
    f = path.network_output(truth(z, t, t), point, tau)
    velocity = path.velocity(*path.posterior_means(truth, point, tau), tau)
    torch.testing.assert_close(s * f, velocity, **TIGHT)
    torch.testing.assert_close(path.field_value(f, point, tau), truth(z, t, t), **TIGHT)


@pytest.mark.parametrize("s", [0.5, 1.0, 2.0])
def test_trigflow_consistency_function_is_ours(s: float) -> None:
    path, (_, _, tau, point) = TrigFlow(s), case(TrigFlow(s), 3)
    z, t = path.to_linear(point, tau)
    u = randn(7, 3, seed=5)
    cos, sin = expand(tau.cos(), z), expand(tau.sin(), z)
    theirs = cos * point - sin * s * path.network_output(u, point, tau)
    torch.testing.assert_close(theirs, z - expand(t, z) * u, **TIGHT)


def test_trigflow_of_unit_data() -> None:
    path, (_, _, tau, point) = TrigFlow(1.0), case(TrigFlow(1.0), 3)
    u, (cos, sin) = randn(7, 3, seed=5), (expand(tau.cos(), point), expand(tau.sin(), point))
    wanted = ((cos - sin) * point + u) / (cos + sin)
    torch.testing.assert_close(path.network_output(u, point, tau), wanted, **TIGHT)


# DDPM.


def test_schedules_are_those_of_their_papers() -> None:
    assert LinearBetas(100, 1e-4, 0.06).betas()[[0, -1]].tolist() == [1e-4, 0.06]
    np.testing.assert_allclose(LinearBetas().alphas_cumprod[-1], 4.0358e-5, rtol=1e-4)
    k, n = np.arange(51) / 50, CosineBetas(50)
    share = np.cos((k + 0.008) / 1.008 * math.pi / 2) ** 2
    np.testing.assert_allclose(n.alphas_cumprod[:-1], (share / share[0])[:-1], rtol=1e-10)
    assert n.betas().max() == 0.999
    for steps in (5, 100):
        vp, k = VPBetas(steps), np.arange(steps + 1) / steps
        np.testing.assert_allclose(vp.alphas_cumprod, np.exp(-0.1 * k - 9.9 * k**2 / 2), rtol=1e-12)


@pytest.mark.parametrize("path", DISCRETE, ids=str)
def test_any_time_goes_to_the_nearest_step(path: DiscreteVPPath) -> None:
    nodes = path.time(torch.arange(path.steps + 1).double())
    t = torch.linspace(0, 1, 101).double()
    k = path.tau(t)
    nearest = (t.unsqueeze(1) - nodes).abs().amin(1)
    torch.testing.assert_close((nodes[k.long()] - t).abs(), nearest)
