"""The laws of pairs of times."""

import pytest
import torch
from support.exact import seeded

from oneleap.core.paths.pairs import ApartPairs, BelowPairs, TerminalPairs, ToDataPairs
from oneleap.core.paths.times import LogitNormal, TimePairs, Uniform

N = 4000
LIKE = torch.empty(0, dtype=torch.float64)


def logit(t: torch.Tensor) -> torch.Tensor:
    return (t / (1 - t)).log()


@pytest.mark.parametrize(
    "pairs", [ApartPairs(), BelowPairs(), TerminalPairs(), ToDataPairs()], ids=str
)
def test_times_are_ordered_and_equal_in_the_first_rows(pairs: TimePairs) -> None:
    r, t = pairs.sample(N, LIKE, seeded())
    assert ((r >= 0) & (r <= t) & (t <= 1)).all()
    assert torch.equal(r[: N // 2], t[: N // 2])
    assert (r[N // 2 :] < t[N // 2 :]).all()


def test_apart_the_two_times_have_laws_of_their_own() -> None:
    pairs = ApartPairs(
        LogitNormal(2.0, 0.1), late=LogitNormal(0.4, 0.1), early=LogitNormal(-1.2, 0.1)
    )
    r, t = pairs.sample(N, LIKE, seeded())
    half = slice(N // 2, None)
    assert logit(t[: N // 2]).mean().item() == pytest.approx(2.0, abs=0.02)
    assert logit(t[half]).mean().item() == pytest.approx(0.4, abs=0.02)
    assert logit(r[half]).mean().item() == pytest.approx(-1.2, abs=0.02)


def test_below_is_a_uniform_share() -> None:
    r, t = BelowPairs(p_equal=0.0).sample(N, LIKE, seeded())
    assert (r / t).mean().item() == pytest.approx(0.5, abs=0.02)
    assert t.mean().item() == pytest.approx(0.5, abs=0.02)


def test_to_data_is_the_rest_of_the_way() -> None:
    r, _ = ToDataPairs(Uniform(), p_equal=0.25).sample(N, LIKE, seeded())
    assert (r[N // 4 :] == 0).all()


def test_terminal_draws_the_target_time_and_the_gap() -> None:
    law = TerminalPairs(LogitNormal(-2.0, 0.1), gaps=LogitNormal(-0.8, 0.1))
    r, t = law.sample(N, LIKE, seeded())
    assert logit(r).mean().item() == pytest.approx(-2.0, abs=0.02)
    assert logit((t - r)[N // 2 :]).mean().item() == pytest.approx(-0.8, abs=0.02)
    late = TerminalPairs(LogitNormal(3.0, 0.1), p_equal=0.0).sample(N, LIKE, seeded())[1]
    assert (late == 1).float().mean() > 0.9
