"""Each generator's gradient equals that of its divergence, on the Gaussian bench."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from support.matching.bench import (
    Bench,
    T,
    fisher_gradients,
    interval_nodes,
    kl_gradient,
    log_density,
    normal_nodes,
    pushed_gradient,
)
from torch import Tensor

from oneleap.core.objectives import (
    DMD,
    DMD2,
    TDM,
    VSD,
    DiffInstruct,
    DiffInstructPlus,
    DiffInstructStar,
    FDistill,
    PhasedDMD,
    ScoreIdentity,
    UniInstruct,
)
from oneleap.core.objectives.matching import dmd, f_distill, sid, uni_instruct
from oneleap.core.objectives.matching import reward as reward_file
from oneleap.core.objectives.matching.reward import LinearReward
from oneleap.core.types import TrainingBatch

BENCH = Bench()
OPTIMA = [Bench(a=0.5, b=0.7), Bench(a=-0.5, b=0.7)]
TIMES = [0.1, 0.35, 0.6, 0.9]


def close(found: Tensor, wanted: Tensor, rtol: float = 1e-5) -> None:
    torch.testing.assert_close(found, wanted, rtol=rtol, atol=1e-9)


# Diff-Instruct, DMD, VSD: the gradient of the Kullback-Leibler divergence.


@pytest.mark.parametrize("t", TIMES)
def test_diff_instruct_descends_the_divergence(t: float) -> None:
    found = pushed_gradient(DiffInstruct(), BENCH, t)
    close((1 - t) ** 2 / t**2 * found, kl_gradient(BENCH, t))


def test_the_golden_gradient() -> None:
    found = (1 - T) ** 2 / T**2 * pushed_gradient(DiffInstruct(), BENCH)
    close(found, torch.tensor([0.0659, -0.4400]).double(), rtol=1e-3)


@pytest.mark.parametrize("t", TIMES)
def test_vsd_weights_the_gap_in_noise_units(t: float) -> None:
    """``sigma^2 (eps_r - eps_f)`` with ``sigma^2 = t^2 / ((1 - t)^2 + t^2)``."""
    found = pushed_gradient(VSD(), BENCH, t)
    weight = t * (1 - t) / ((1 - t) ** 2 + t**2)
    close((1 - t) ** 2 / t**2 * found / weight, kl_gradient(BENCH, t))


@pytest.mark.parametrize("objective", [DiffInstruct(), DMD(), VSD(), TDM(generator_steps=1)])
def test_the_gap_is_zero_at_the_optimum_and_a_point_is_a_saddle(objective: Any) -> None:
    for bench in OPTIMA:
        assert pushed_gradient(objective, bench).abs().max() < 1e-12
    saddle = pushed_gradient(objective, Bench(a=0.0, b=0.7))
    assert saddle[0].abs() < 1e-12
    assert pushed_gradient(objective, Bench(a=0.1, b=0.7))[0] < -1e-4  # it widens once it can
    assert pushed_gradient(objective, BENCH).abs().min() > 1e-3


def test_the_normalizer_is_the_mean_distance_to_the_data_mean() -> None:
    """A point far off has the plain gap over its distance."""
    bench = Bench(a=1e-9, b=3.0)
    plain, found = pushed_gradient(DiffInstruct(), bench), pushed_gradient(DMD(), bench)
    assert 0 < found[1] < plain[1]


# SiD and SIM: the Fisher divergence.


def unnormalized(objective: ScoreIdentity, t: float = T, bench: Bench = BENCH) -> Tensor:
    """Gradient of the exact variant, without its weight in time."""
    factor = 2 * (1 - t) / t**3 * (objective.t_max - objective.t_min)
    return pushed_gradient(replace(objective, exact=True), bench, t) / factor


@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.2])
def test_score_identity_descends_the_fisher_divergence(alpha: float, t: float) -> None:
    samples, weights = fisher_gradients(BENCH, t)
    found = unnormalized(ScoreIdentity(alpha=alpha), t)
    close((1 - t) ** 2 / t**4 * found, weights / 2 + (1 - alpha) * samples)


def test_half_is_half_the_gradient_of_the_divergence_itself() -> None:
    def fisher(a: Tensor, b: Tensor) -> Tensor:
        v_q, v_p = ((1 - T) * a) ** 2 + T**2, ((1 - T) * BENCH.s) ** 2 + T**2
        return (1 / v_p - 1 / v_q) ** 2 * v_q + ((1 - T) * (b - BENCH.m) / v_p) ** 2

    a, b = BENCH.parameters()
    wanted = torch.stack(torch.autograd.grad(fisher(a, b), (a, b)))
    found = (1 - T) ** 2 / T**4 * unnormalized(ScoreIdentity(alpha=0.5))
    close(found, wanted / 2)
    close(wanted, torch.tensor([0.2993, -1.1000]).double() * 2, rtol=1e-3)


def test_the_exact_weight_is_the_divergence_of_the_data() -> None:
    """At uniform times: ``KL(q_0 | p_0)`` has gradient ``(a / s^2 - 1 / a, (b - m) / s^2)``."""
    objective = ScoreIdentity(alpha=0.5, exact=True, t_min=1e-3, t_max=1 - 1e-3)
    times, weights = interval_nodes(1e-3, 1 - 1e-3)
    density = 1 / (objective.t_max - objective.t_min)
    found = sum(
        w * density * pushed_gradient(objective, BENCH, float(t))
        for t, w in zip(times, weights, strict=True)
    )
    wanted = [BENCH.a / BENCH.s**2 - 1 / BENCH.a, (BENCH.b - BENCH.m) / BENCH.s**2]
    assert isinstance(found, Tensor)
    torch.testing.assert_close(found, torch.tensor(wanted).double(), rtol=3e-3, atol=0)


def test_pseudo_huber_keeps_the_gradient_of_its_root() -> None:
    """At ``a = s`` the gap is constant, so only the gradient through the fake's weights is left."""
    bench, c = Bench(a=0.5), 0.03
    _, weights = fisher_gradients(bench)
    gap = T**2 / (1 - T) * (1 - T) * (bench.b - bench.m) / ((1 - T) ** 2 * 0.25 + T**2)
    found = (1 - T) ** 2 / T**4 * unnormalized(ScoreIdentity(huber=c), bench=bench)
    close(found[1], weights[1] / (2 * (gap**2 + c**2) ** 0.5))


@pytest.mark.parametrize(
    "objective", [ScoreIdentity(), ScoreIdentity(1, alpha=1.2), ScoreIdentity(huber=0.03)]
)
def test_score_identity_is_zero_at_the_optimum_alone(objective: Any) -> None:
    for bench in OPTIMA:
        assert pushed_gradient(objective, bench).abs().max() < 1e-12
    assert pushed_gradient(objective, BENCH).abs().min() > 1e-3


# f-distill: seven divergences.

DIVERGENCES: dict[str, Callable[[Tensor], Tensor]] = {
    "reverse-kl": lambda rho: -rho.log(),
    "forward-kl": lambda rho: rho * rho.log(),
    "js": lambda rho: rho * rho.log() - (1 + rho) * ((1 + rho) / 2).log(),
    "softened-reverse-kl": lambda rho: (1 + rho) * ((1 + rho) / rho).log(),
    "hellinger": lambda rho: (1 - rho.sqrt()) ** 2,
    "jeffreys": lambda rho: (rho - 1) * rho.log(),
    "neyman": lambda rho: 1 / rho,
}
NEAR = Bench(a=0.55, b=0.6)  # ratios within [0.1, 20], where nothing is cut


def divergence_gradient(f: Callable[[Tensor], Tensor], bench: Bench, t: float) -> Tensor:
    """Gradient of ``E_q f(p / q)`` in ``(a, b)``, by quadrature over ``z``."""
    nodes, weights = normal_nodes(80)
    a, b = bench.parameters()
    time = torch.tensor(t).double()
    z = (1 - t) * b + (((1 - t) * a) ** 2 + t**2).sqrt() * nodes
    variance = ((1 - t) * a) ** 2 + t**2
    log_q = -((z - (1 - t) * b) ** 2) / (2 * variance) - variance.log() / 2
    rho = (log_density(bench.m, bench.s, z, time) - log_q).exp()
    return torch.stack(torch.autograd.grad((weights * f(rho)).sum(), (a, b)))


def f_gradient(divergence: str, bench: Bench, t: float, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    monkeypatch.setattr(dmd, "relative_scale", lambda x, d, mask: torch.ones_like(x))
    named: Any = divergence
    objective = FDistill(gan_weight=0.0, balanced=False, divergence=named)
    return pushed_gradient(objective, bench, t)


def test_all_seven_are_here() -> None:
    assert set(DIVERGENCES) == set(get_args(f_distill.Divergence))


@pytest.mark.parametrize("t", [0.35, 0.6])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_f_distill_descends_its_divergence(
    name: str, t: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = (1 - t) ** 2 / t**2 * f_gradient(name, NEAR, t, monkeypatch)
    wanted = divergence_gradient(DIVERGENCES[name], NEAR, t)
    factor = {"hellinger": 0.5, "neyman": 2.0}.get(name, 1.0)  # h is known up to a factor
    close(factor * found, wanted)
    for bench in OPTIMA:
        assert f_gradient(name, bench, t, monkeypatch).abs().max() < 1e-12


# Uni-Instruct: any f-divergence, by a Fisher divergence.

INTEGRANDS: dict[str, Callable[[Tensor], Tensor]] = {
    "reverse-kl": lambda r: torch.ones_like(r),
    "forward-kl": lambda r: 1 / r,
    "js": lambda r: 1 / (1 + r),
    "chi2": lambda r: 2 * r,
    "jeffreys": lambda r: 1 + 1 / r,
}


def fisher_integrand(psi: Callable[[Tensor], Tensor], bench: Bench, t: float) -> Tensor:
    """Gradient of ``g^2 / 2 E_q[psi(r) |Delta|^2]`` in ``(a, b)``, by quadrature over ``z``."""
    nodes, weights = normal_nodes(80)
    a, b = bench.parameters()
    time = torch.tensor(t).double()
    v_q, v_p = ((1 - t) * a) ** 2 + t**2, ((1 - t) * bench.s) ** 2 + t**2
    z = (1 - t) * b + v_q.sqrt() * nodes
    log_q = -((z - (1 - t) * b) ** 2) / (2 * v_q) - v_q.log() / 2
    r = (log_q - log_density(bench.m, bench.s, z, time)).exp()
    delta = -(z - (1 - t) * b) / v_q + (z - (1 - t) * bench.m) / v_p
    value = t / (1 - t) * (weights * psi(r) * delta**2).sum()
    return torch.stack(torch.autograd.grad(value, (a, b)))


@pytest.mark.parametrize("t", [0.35, 0.6])
@pytest.mark.parametrize("name", INTEGRANDS)
def test_uni_instruct_descends_its_divergence(name: Any, t: float) -> None:
    found = pushed_gradient(UniInstruct(divergence=name), NEAR, t)
    close(found, fisher_integrand(INTEGRANDS[name], NEAR, t))
    for bench in OPTIMA:
        assert pushed_gradient(UniInstruct(divergence=name), bench, t).abs().max() < 1e-12


def test_all_five_are_here_and_integrate_to_their_divergence() -> None:
    assert set(INTEGRANDS) == set(get_args(uni_instruct.Divergence))
    times, weights = interval_nodes(1e-4, 1 - 1e-4, 60)
    total = sum(
        w * fisher_integrand(INTEGRANDS["chi2"], NEAR, float(t))
        for t, w in zip(times, weights, strict=True)
    )
    a, b = NEAR.parameters()
    e, w = normal_nodes(80)
    x = b + a * e
    log_q = -((x - b) ** 2) / (2 * a**2) - a.log()
    ratio = (log_q - log_density(NEAR.m, NEAR.s, x, torch.zeros(()).double())).exp()
    wanted = torch.stack(torch.autograd.grad((w * ratio).sum() - 1, (a, b)))
    assert isinstance(total, Tensor)
    torch.testing.assert_close(total, wanted, rtol=1e-3, atol=0)


def test_reverse_kl_is_twice_score_identity_at_half() -> None:
    found = pushed_gradient(UniInstruct(divergence="reverse-kl"), BENCH)
    half = (1 - T) ** 2 / T**4 * unnormalized(ScoreIdentity(alpha=0.5))
    close(found, 2 * T / (1 - T) * half)


# Rewards: where the optimum moves to.


def integral(function: Callable[[float], float]) -> float:
    times, weights = interval_nodes(0.0, 1.0)
    return float(sum(w * function(float(t)) for t, w in zip(times, weights, strict=True)))


def shifted(shift: float) -> Bench:
    return Bench(a=0.5, b=0.7 + shift)


def test_a_linear_reward_shifts_by_the_weight_of_time() -> None:
    """Weight 1: the shift is ``k / int t^2 / V_p dt``, 0.775 for ``k = 0.5``."""
    shift = 0.5 / integral(lambda t: t**2 / (((1 - t) * 0.5) ** 2 + t**2))
    assert shift == pytest.approx(0.775, abs=1e-3)
    objective = DiffInstructPlus(reward=LinearReward(0.5))
    times, weights = interval_nodes(0.0, 1.0)
    total: Any = sum(
        w * pushed_gradient(objective, shifted(shift), float(t))
        for t, w in zip(times, weights, strict=True)
    )
    assert total.abs().max() < 1e-6
    assert pushed_gradient(objective, shifted(0.0))[1] == pytest.approx(-0.5)


def test_the_exact_weight_shifts_as_boltzmann_says() -> None:
    low, high = 1e-4, 1 - 1e-4
    objective = DiffInstructStar(
        reward=LinearReward(0.5), alpha=0.5, exact=True, t_min=low, t_max=high
    )
    times, weights = interval_nodes(low, high, 60)
    total: Any = sum(
        w / (high - low) * pushed_gradient(objective, shifted(0.5 * 0.25), float(t))
        for t, w in zip(times, weights, strict=True)
    )
    assert total.abs().max() < 1e-3
    assert objective.reward_weight == 1.0


# Mutants: each classic mistake misses the gradient.

WEIGHTS = uni_instruct.fisher_weights


def swapped(batch: TrainingBatch) -> TrainingBatch:
    """The fake for the teacher, and the teacher for the fake."""
    assert batch.second is not None
    assert batch.teacher is not None
    second = replace(batch.second, fake=batch.teacher, frozen_fake=batch.teacher)
    return replace(batch, teacher=batch.second.fake, second=second)


GAPS: list[Any] = [DiffInstruct(), DMD(), VSD(), FDistill(), TDM(), PhasedDMD()]


def misses(found: Tensor, wanted: Tensor) -> None:
    assert (found - wanted).abs().max() > 1e-2 * wanted.abs().max()


@pytest.mark.parametrize("objective", GAPS)
def test_swapped_networks_go_the_other_way(objective: Any) -> None:
    wanted = pushed_gradient(objective, NEAR)
    found = pushed_gradient(objective, NEAR, change=swapped)
    assert bool((found * wanted < 0).all())


def test_a_gap_that_is_not_constant_is_a_mutant(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = pushed_gradient(DiffInstruct(), BENCH)
    monkeypatch.setattr(dmd, "half_square", lambda x, g, mask: (x - g).square().mean(1) / 2)
    found = pushed_gradient(DiffInstruct(), BENCH)
    misses(found, wanted)


@pytest.mark.parametrize(
    "objective", [ScoreIdentity(alpha=0.5), ScoreIdentity(), ScoreIdentity(huber=0.03)]
)
def test_score_identity_without_the_gradient_through_the_networks_is_a_mutant(
    objective: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = pushed_gradient(objective, BENCH)
    real = sid.data_mean
    monkeypatch.setattr(sid, "data_mean", lambda field, z, t: real(field, z, t).detach())
    misses(pushed_gradient(objective, BENCH), wanted)


def test_a_ratio_without_gradient_is_a_mutant_except_where_it_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in get_args(uni_instruct.Divergence):
        objective = UniInstruct(divergence=name)
        wanted = pushed_gradient(objective, NEAR)
        with monkeypatch.context() as patch:
            patch.setattr(uni_instruct, "fisher_weights", lambda d, r: WEIGHTS(d, r.detach()))
            found = pushed_gradient(objective, NEAR)
        if name == "reverse-kl":
            close(found, wanted)
        else:
            misses(found, wanted)


@pytest.mark.parametrize("name", [n for n in DIVERGENCES if n != "reverse-kl"])
def test_an_inverted_ratio_is_a_mutant(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = f_gradient(name, NEAR, T, monkeypatch)
    real = f_distill.logit
    monkeypatch.setattr(f_distill, "logit", lambda *rest: -real(*rest))
    misses(f_gradient(name, NEAR, T, monkeypatch), wanted)


def test_the_judge_pulls_towards_data() -> None:
    far = Bench(a=0.5, b=2.0)
    plain = pushed_gradient(DMD2(gan_weight=0.0), far)
    assert pushed_gradient(DMD2(gan_weight=1.0), far)[1] > plain[1]


@pytest.mark.parametrize(
    "exactness",
    [
        test_a_linear_reward_shifts_by_the_weight_of_time,
        test_the_exact_weight_shifts_as_boltzmann_says,
    ],
)
@pytest.mark.parametrize("factor", [-1.0, 0.5], ids=["sign", "half"])
def test_a_mutant_of_the_reward_shifts_elsewhere(
    monkeypatch: pytest.MonkeyPatch, exactness: Any, factor: float
) -> None:
    right = reward_file.rewarded
    monkeypatch.setattr(
        reward_file, "rewarded", lambda loss, r, w, b, x: right(loss, r, factor * w, b, x)
    )
    with pytest.raises(AssertionError):
        exactness()
