"""Times lie where they should, in the shares they should."""

import math

import pytest
import torch
from exact import seeded
from hypothesis import given
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.core.times import LogitNormal, TimePairs, Times, Uniform

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
    with pytest.raises(InputError, match="p_equal is a share"):
        TimePairs(p_equal=p_equal)


@given(st.floats(-2, 2), st.floats(0.1, 2))
def test_logits_of_logit_normal_times_have_the_stated_moments(mean: float, std: float) -> None:
    t = LogitNormal(mean, std).sample((20_000,), torch.empty(0).double(), seeded())
    logit = torch.logit(t)
    assert abs(logit.mean() - mean) < 0.03 * std
    assert abs(logit.std() / std - 1) < 0.03


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
