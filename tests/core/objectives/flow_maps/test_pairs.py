"""The laws of pairs of times."""

from collections.abc import Callable

import pytest
import torch
from support.exact import seeded

from oneleap.core.paths.pairs import ApartPairs, BelowPairs, TerminalPairs, ToDataPairs
from oneleap.core.paths.times import LogitNormal, TimePairs, Uniform

N = 4000
LIKE = torch.empty(0, dtype=torch.float64)
Times2 = tuple[torch.Tensor, torch.Tensor]


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


# Mutants of the laws.


def law_left_out(self: ApartPairs, n: int, like: torch.Tensor, g: torch.Generator) -> Times2:
    first, second = (law.sample((n,), like, g) for law in (self.late, self.early))
    return torch.minimum(first, second), torch.maximum(first, second)


def squared_share(self: BelowPairs, n: int, like: torch.Tensor, g: torch.Generator) -> Times2:
    t = self.times.sample((n,), like, g)
    return t * Uniform().sample((n,), like, g).square(), t


def half_way(self: ToDataPairs, n: int, like: torch.Tensor, g: torch.Generator) -> Times2:
    t = self.times.sample((n,), like, g)
    return t / 2, t


def gap_from_the_noise(
    self: TerminalPairs, n: int, like: torch.Tensor, g: torch.Generator
) -> Times2:
    t = self.times.sample((n,), like, g)
    return (t - self.gaps.sample((n,), like, g)).clamp(min=0.0), t


def late_first(self: TimePairs, n: int, like: torch.Tensor, g: torch.Generator) -> Times2:
    times = self.times.sample((2, n), like, g)
    return times.amax(0), times.amin(0)


def plainly_ordered() -> None:
    test_times_are_ordered_and_equal_in_the_first_rows(TimePairs(Uniform()))


@pytest.mark.parametrize(
    ("law", "mutant", "exactness"),
    [
        (ApartPairs, law_left_out, test_apart_the_two_times_have_laws_of_their_own),
        (BelowPairs, squared_share, test_below_is_a_uniform_share),
        (ToDataPairs, half_way, test_to_data_is_the_rest_of_the_way),
        (TerminalPairs, gap_from_the_noise, test_terminal_draws_the_target_time_and_the_gap),
        (TimePairs, late_first, plainly_ordered),
    ],
)
def test_a_mutant_of_a_law_is_seen(
    monkeypatch: pytest.MonkeyPatch,
    law: type[TimePairs],
    mutant: object,
    exactness: Callable[[], None],
) -> None:
    exactness()
    monkeypatch.setattr(law, "_ordered", mutant)
    with pytest.raises(AssertionError):
        exactness()
