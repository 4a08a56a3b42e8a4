"""Searched times and One More Step, and that their classic mistakes are seen."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.exact import Gaussian, seeded
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.objectives import NoisePrediction, denoising
from oneleap.core.paths.ddpm import LinearBetas
from oneleap.core.sampling import base, diffusion, search
from oneleap.core.sampling.samplers import (
    ConsistencySampler,
    DDIMSampler,
    FlowMapSampler,
    GammaSampler,
    with_steps,
)
from oneleap.core.sampling.search import search_times
from oneleap.core.types import Field, TrainingBatch

TRUTH = Gaussian(0.7, 0.5)


# Times.


@pytest.mark.parametrize("wanted", [(1.0, 0.625), (1.0, 1 / 64), (1.0, 63 / 64)])
def test_the_search_finds_the_best_time_at_the_ends_too(wanted: tuple[float, ...]) -> None:
    calls = 0

    def distance(times: tuple[float, ...]) -> float:
        nonlocal calls
        calls += 1
        return sum(abs(a - b) for a, b in zip(times, wanted, strict=True))

    found, value = search_times(distance, steps=2)
    assert (found, value) == (wanted, 0.0)
    assert calls < 40


def test_each_time_is_searched_between_its_neighbors() -> None:
    """The best times lie far from equal spacing, beyond where a first neighbor stood."""
    wanted = (1.0, 0.375, 0.25, 0.125)

    def distance(times: tuple[float, ...]) -> float:
        assert times[0] == 1
        assert all(a > b > 0 for a, b in itertools.pairwise(times))
        return sum((a - b) ** 2 for a, b in zip(times, wanted, strict=True))

    found, value = search_times(distance, steps=4, grid=32, rounds=4)
    assert value == 0
    assert found == wanted
    assert search_times(distance, steps=4, grid=32, rounds=1)[1] > 0


def test_the_best_of_all_that_was_tried_is_returned() -> None:
    """Two minima: the equal spacing that the search starts from is the better one."""

    def distance(times: tuple[float, ...]) -> float:
        return 0.0 if times[1] == 0.5 else abs(times[1] - 0.9) + 1

    assert search_times(distance, steps=2) == ((1.0, 0.5), 0.0)


ENDS = [(1.0, 1 / 64), (1.0, 63 / 64)]


def finds_both_ends() -> None:
    for wanted in ENDS:
        test_the_search_finds_the_best_time_at_the_ends_too(wanted)


def last(known: dict[tuple[int, ...], float], key: Any) -> tuple[int, ...]:
    """The authors' mistake: what was tried last, not what was best."""
    return list(known)[-1]


def without_the_ends(*ends: int) -> range:
    """The nodes left at the end of a ternary search, without the outer ones."""
    return range(ends[0] + 1, ends[1] - 1) if len(ends) == 2 and ends[0] > 1 else range(*ends)


MUTANTS_OF_THE_SEARCH = {
    "worst": ("min", lambda known, key: max(known, key=key), finds_both_ends),
    "last": ("min", last, test_the_best_of_all_that_was_tried_is_returned),
    "last-of-several": ("min", last, test_each_time_is_searched_between_its_neighbors),
    "first": ("min", lambda known, key: next(iter(known)), finds_both_ends),
    "last-probes": ("range", without_the_ends, finds_both_ends),
}


@pytest.mark.parametrize("mutant", MUTANTS_OF_THE_SEARCH.values(), ids=MUTANTS_OF_THE_SEARCH)
def test_a_mutant_of_the_search_is_seen(
    monkeypatch: pytest.MonkeyPatch, mutant: tuple[str, Any, Callable[[], None]]
) -> None:
    name, wrong, exactness = mutant
    exactness()
    monkeypatch.setattr(search, name, wrong, raising=False)
    with pytest.raises(AssertionError):
        exactness()


def test_samplers_step_at_the_times_they_are_given() -> None:
    seen: list[float] = []

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        seen.append(float(t[0]))
        return TRUTH(z, r, t)

    noise, times = torch.randn(64, 2, generator=seeded()).double(), (1.0, 0.7, 0.2)
    samplers = (FlowMapSampler(3, times=times), ConsistencySampler(3, times=times))
    for sampler in (*samplers, GammaSampler(3, 0.5, times=times)):
        seen.clear()
        sampler(field, noise, seeded(1))
        assert seen == pytest.approx(times)
        assert with_steps(sampler, 3) == sampler
        assert with_steps(sampler, 2).times is None
    ends = torch.zeros(64).double(), torch.ones(64).double()
    torch.testing.assert_close(samplers[0](TRUTH, noise), TRUTH.flow(noise, *ends))


@pytest.mark.parametrize(
    ("steps", "times"), [(2, (1.0,)), (2, (0.9, 0.5)), (2, (1.0, 0.0)), (3, (1.0, 0.2, 0.5))]
)
def test_times_that_cannot_be_are_refused(steps: int, times: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="times"):
        FlowMapSampler(steps, times=times)
    with pytest.raises(InputError, match="search_times"):
        search_times(lambda t: 0.0, steps=9, grid=8)


def zero(inside: Tensor, a: Tensor, b: float) -> Tensor:
    """The schedule's weight everywhere, which is 0 at pure noise."""
    return a


# One More Step: data of mean 0.7, a schedule whose last step holds a share of them.

SHORT = LinearBetas(steps=10, last=0.25)


def test_one_more_step_gives_the_law_of_the_last_step() -> None:
    e = torch.randn(200_000, 1, generator=seeded(), dtype=torch.float64)
    abar = SHORT.alphas_cumprod[SHORT.steps]
    assert 0.1 < abar < 0.6
    start = diffusion.one_more_step(TRUTH, e, SHORT)
    assert start.mean().item() == pytest.approx(math.sqrt(abar) * 0.7, abs=0.01)
    assert start.var().item() == pytest.approx(1 - abar, abs=0.01)


def test_one_more_step_mends_the_mean_of_the_samples() -> None:
    e = torch.randn(4000, 1, generator=seeded(), dtype=torch.float64)
    plain = DDIMSampler(SHORT, 10, clip=None)(TRUTH, e).mean().item()
    mended = DDIMSampler(SHORT, 10, clip=None, one_more=True)(TRUTH, e).mean().item()
    assert abs(mended - 0.7) < 0.05 < abs(plain - 0.7)


def test_one_more_step_and_a_shallow_start_exclude_each_other() -> None:
    sampler, e = DDIMSampler(SHORT, 10, start_step=5, one_more=True), torch.zeros(2, 1)
    with pytest.raises(InputError, match="one_more starts from pure noise"):
        sampler(TRUTH, e, guess=e)


def test_the_last_time_is_trained_and_its_minimum_is_the_mean_of_the_data() -> None:
    objective = NoisePrediction(SHORT, p_end=0.25)
    x = TRUTH.sample((20_000, 1), seeded()).double()
    draw = objective.draw(x, seeded(1))
    assert int((draw.t == 1).sum()) == 5000
    assert bool((draw.t[5000:] < 1).all())
    guess = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return z - guess  # the data's mean at t = 1

    rows = slice(0, 5000)
    loss = objective.loss(TrainingBatch(field=field, x=x), draw).per_sample[rows].mean()
    (slope,) = torch.autograd.grad(loss, guess)
    assert slope.item() == pytest.approx(-2 * x[rows].mean().item(), abs=1e-6)
    assert not (NoisePrediction(SHORT).draw(x, seeded(1)).t == 1).any()
    with pytest.raises(InputError, match="p_end must be a share"):
        NoisePrediction(p_end=1.0)


def field_of_another_sign(field: Field, noise: Tensor, schedule: LinearBetas) -> Tensor:
    return ONE_MORE(lambda z, r, t: -field(z, r, t), noise, schedule)


ONE_MORE = diffusion.one_more_step
LAW, MEAN = (
    test_one_more_step_gives_the_law_of_the_last_step,
    test_one_more_step_mends_the_mean_of_the_samples,
)
TRAINED = test_the_last_time_is_trained_and_its_minimum_is_the_mean_of_the_data
MUTANTS_OF_ONE_MORE_STEP: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "variance": (diffusion, "math", SimpleNamespace(sqrt=lambda x: x), LAW),
    "sign": (diffusion, "one_more_step", field_of_another_sign, LAW),
    "pure-noise": (diffusion, "one_more_step", lambda field, noise, schedule: noise, LAW),
    "earlier-step": (
        diffusion,
        "one_more_step",
        lambda field, noise, schedule: ONE_MORE(field, noise, replace(schedule, steps=9)),
        LAW,
    ),
    "before-the-end": (Tensor, "new_ones", lambda z, n: torch.full((n,), 0.8).to(z), LAW),
    "left-out": (base, "one_more_step", lambda field, noise, schedule: noise, MEAN),
    "other-sign": (base, "one_more_step", field_of_another_sign, MEAN),
    "no-weight": (denoising, "torch", SimpleNamespace(**{**vars(torch), "where": zero}), TRAINED),
    "never-trained": (denoising, "math", SimpleNamespace(ceil=lambda share: 0), TRAINED),
}


@pytest.mark.parametrize("mutant", MUTANTS_OF_ONE_MORE_STEP.values(), ids=MUTANTS_OF_ONE_MORE_STEP)
def test_a_mutant_of_one_more_step_is_seen(
    monkeypatch: pytest.MonkeyPatch, mutant: tuple[Any, str, Any, Callable[[], None]]
) -> None:
    where, name, wrong, exactness = mutant
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises(AssertionError):
        exactness()
