"""Times lie where they should, in the shares they should."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.exact import seeded

from oneleap.core.errors import InputError
from oneleap.core.paths import times as times_file
from oneleap.core.paths.times import LogitNormal, TimePairs, Times, Uniform

TIMES = st.one_of(
    st.just(Uniform()),
    st.builds(LogitNormal, st.floats(-5, 5), st.floats(0, 5)),
)


@given(TIMES, st.integers(2, 300), st.floats(0, 1), st.integers(0, 2**31))
def test_pairs_are_ordered_and_hold_the_exact_share_of_equal_rows(
    times: Times, n: int, p_equal: float, seed: int
) -> None:
    pairs = TimePairs(times, p_equal)
    try:
        equal = pairs.n_equal(n)
    except InputError:
        assert round(n * p_equal) in (0, n)
        return
    r, t = pairs.sample(n, torch.empty(0), seeded(seed))
    assert equal == round(n * p_equal)
    assert ((r >= 0) & (r <= t) & (t <= 1)).all()
    assert torch.equal(r[:equal], t[:equal])


@pytest.mark.parametrize(("p_equal", "equal"), [(0.0, 0), (0.25, 25), (0.5, 50), (1.0, 100)])
def test_unequal_rows_are_unequal(p_equal: float, equal: int) -> None:
    r, t = TimePairs(Uniform(), p_equal).sample(100, torch.empty(0).double(), seeded())
    assert int((r == t).sum()) == equal
    assert (r[equal:] < t[equal:]).all()


@pytest.mark.parametrize(("n", "p_equal"), [(1, 0.5), (2, 0.9), (3, 0.1), (49, 0.01)])
def test_a_batch_too_small_for_both_kinds_of_rows_is_refused(n: int, p_equal: float) -> None:
    with pytest.raises(InputError, match=f"batch of {n} .*p_equal={p_equal}.*larger batch"):
        TimePairs(Uniform(), p_equal).n_equal(n)


@pytest.mark.parametrize("p_equal", [-0.1, 1.1, math.nan])
def test_a_share_outside_the_unit_interval_is_refused(p_equal: float) -> None:
    with pytest.raises(InputError, match="p_equal must lie in"):
        TimePairs(p_equal=p_equal)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(10, 200), st.booleans())
def test_the_last_rows_are_pinned_to_intervals_of_deployed_samplers(
    deployed: list[int], n: int, some_equal: bool
) -> None:
    p_equal = 0.5 * some_equal
    plain = TimePairs(Uniform(), p_equal)
    pairs = TimePairs(Uniform(), p_equal, tuple(deployed), p_deployed=0.3)
    (r, t), (r0, t0) = (p.sample(n, torch.empty(0).double(), seeded()) for p in (pairs, plain))
    free = n - pairs.n_deployed(n)
    assert n - free == round(0.3 * n)
    assert torch.equal(r[:free], r0[:free])
    assert torch.equal(t[:free], t0[:free])
    grids = {(k / m, (k + 1) / m) for m in deployed for k in range(m)}
    assert {*zip(r[free:].tolist(), t[free:].tolist(), strict=True)} <= grids


def test_all_deployed_intervals_are_equally_likely() -> None:
    pairs = TimePairs(Uniform(), 0.5, deployed=(1, 2), p_deployed=0.5)
    r, t = pairs.sample(12_000, torch.empty(0).double(), seeded())
    for ends in ((0.0, 1.0), (0.0, 0.5), (0.5, 1.0)):
        count = int(((r == ends[0]) & (t == ends[1])).sum())
        assert abs(count - 2000) < 200


def test_rounding_never_pins_rows_that_have_equal_times() -> None:
    pairs = TimePairs(Uniform(), 0.5, deployed=(1,), p_deployed=0.5)
    assert (pairs.n_equal(3), pairs.n_deployed(3)) == (2, 1)
    assert TimePairs(Uniform(), 0.9, deployed=(1,), p_deployed=0.1).n_deployed(20) == 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"deployed": (0,)}, "must list positive numbers of steps"),
        ({"deployed": (1,), "p_deployed": 0.6}, "p_deployed must be above 0"),
        ({"deployed": (1,), "p_deployed": 0.0}, "p_deployed must be above 0"),
    ],
)
def test_intervals_no_sampler_has_and_shares_there_is_no_room_for_are_refused(
    setting: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        TimePairs(**setting)


def test_a_batch_too_small_for_deployed_intervals_is_refused() -> None:
    with pytest.raises(InputError, match=r"batch of 4 .*p_deployed=0.1.*larger batch"):
        TimePairs(deployed=(1,)).n_deployed(4)


def logits_have_the_stated_moments(mean: float, std: float) -> None:
    t = LogitNormal(mean, std).sample((20_000,), torch.empty(0).double(), seeded())
    logit = torch.logit(t)
    assert abs(logit.mean() - mean) < 0.03 * std
    assert abs(logit.std() / std - 1) < 0.03


@given(st.floats(-2, 2), st.floats(0.1, 2))
def test_logits_of_logit_normal_times_have_the_stated_moments(mean: float, std: float) -> None:
    logits_have_the_stated_moments(mean, std)


LAW = LogitNormal.sample


@pytest.mark.parametrize(
    "mutant",
    [
        lambda self, *a: 1 - LAW(self, *a),
        lambda self, *a: LAW(replace(self, mean=-self.mean), *a),
        lambda self, *a: LAW(replace(self, std=self.std**2), *a),
        lambda self, *a: LAW(replace(self, std=self.std**0.5), *a),
        lambda self, *a: LAW(self, *a).square(),
        lambda self, *a: LAW(LogitNormal(), *a),
        lambda self, *a: LAW(replace(self, mean=self.std, std=self.mean), *a),
    ],
    ids=["time-reversed", "sign", "variance", "root", "of-a-square", "default", "exchanged"],
)
def test_a_mutant_of_logit_normal_times_is_seen(
    monkeypatch: pytest.MonkeyPatch, mutant: Any
) -> None:
    logits_have_the_stated_moments(-0.5, 0.6)
    monkeypatch.setattr(LogitNormal, "sample", mutant)
    with pytest.raises(AssertionError):
        logits_have_the_stated_moments(-0.5, 0.6)


@pytest.mark.parametrize(
    "squash", [torch.exp, torch.tanh, lambda x: x], ids=["exp", "tanh", "none"]
)
def test_a_logarithm_for_the_logit_is_seen(monkeypatch: pytest.MonkeyPatch, squash: Any) -> None:
    """``sigma`` itself is log-normal, and ``t = sigma / (1 + sigma)`` is not."""
    monkeypatch.setattr(times_file, "torch", SimpleNamespace(**{**vars(torch), "sigmoid": squash}))
    with pytest.raises(AssertionError):
        logits_have_the_stated_moments(-0.5, 0.6)


def test_uniform_times_have_the_moments_of_the_uniform_law() -> None:
    t = Uniform().sample((100_000,), torch.empty(0).double(), seeded())
    assert abs(t.mean() - 1 / 2) < 5e-3
    assert abs(t.var() - 1 / 12) < 2e-3


@pytest.mark.parametrize("times", [Uniform(), LogitNormal()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_follows_the_data_and_seeds_reproduce(times: Times, dtype: torch.dtype) -> None:
    like = torch.empty(0, dtype=dtype)
    one, two, other = (times.sample((5,), like, seeded(s)) for s in (3, 3, 4))
    assert one.dtype == dtype
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
