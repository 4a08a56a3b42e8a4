"""Optimal transport within a batch: it is optimal, and rows keep to their conditions."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exact import seeded
from support.tiny_generative import Endless, Toy, batch, trainer
from torch import Tensor

from oneleap.core.objectives import Coupled, Dispersed, FlowMatching, MeanFlow, SplitMeanFlow
from oneleap.core.objectives.pairing import coupled
from oneleap.core.objectives.pairing.coupled import assignment
from oneleap.core.paths.base import expand
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.types import Conditioned, TrainingBatch

pytest.importorskip("scipy")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_no_other_assignment_is_cheaper(seed: int, dims: int) -> None:
    x, e = torch.randn(2, 5, dims, generator=seeded(seed), dtype=torch.float64)
    found = (x - e[assignment(x, e)]).square().sum()
    costs = [(x - e[list(p)]).square().sum() for p in itertools.permutations(range(5))]
    torch.testing.assert_close(found, torch.stack(costs).min())


def test_in_one_dimension_ranks_are_paired() -> None:
    x, e = torch.randn(2, 64, 1, generator=seeded(), dtype=torch.float64)
    paired = e[assignment(x, e)].flatten()
    order = x.flatten().argsort()
    assert bool((paired[order].diff() >= 0).all())


def plain(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
    return z


def test_pairing_permutes_the_noise_and_leaves_the_times() -> None:
    x = torch.randn(32, 2, generator=seeded())
    objective = Coupled(FlowMatching())
    draw = objective.draw(x, seeded(1))
    found = objective.pair(TrainingBatch(field=plain, x=x), draw)
    assert torch.equal(found.t, draw.t)
    assert not torch.equal(found.e, draw.e)
    assert torch.equal(found.e.sort(0).values, draw.e.sort(0).values)
    assert (x - found.e).square().sum() < (x - draw.e).square().sum()


def test_only_rows_of_equal_conditions_exchange_noise() -> None:
    x = torch.randn(32, 2, generator=seeded())
    c = (torch.arange(32) % 2).float().unsqueeze(1)
    mask = torch.ones(32, 1, dtype=torch.bool)
    objective = Coupled(FlowMatching())
    draw = objective.draw(x, seeded(1))

    def swapped(b: TrainingBatch) -> set[tuple[int, int]]:
        found = objective.pair(b, draw).e
        came = [(draw.e == row).all(1).nonzero().item() for row in found]
        return {(i, int(j)) for i, j in enumerate(came) if i != int(j)}

    two = TrainingBatch(field=Conditioned(lambda z, r, t, c: z, (c,)), x=x)
    assert swapped(two)
    assert all(i % 2 == j % 2 for i, j in swapped(two))
    own = torch.arange(32).float().unsqueeze(1)
    assert not swapped(replace(two, field=Conditioned(lambda z, r, t, c: z, (own,))))
    padded = mask.clone()
    padded[:16] = False
    halves = swapped(TrainingBatch(field=plain, x=x, mask=padded))
    assert halves
    assert all((i < 16) == (j < 16) for i, j in halves)


def test_an_exact_plan_leaves_meanflow_no_residual_and_the_wrong_one_does() -> None:
    """For ``x = m + s e`` the mean velocity is linear, and each row's loss is 0."""
    m, s = 0.7, 0.5

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """The velocity ``e - x`` along the line of ``z_t = (1 - t) (m + s e) + t e``."""
        at = expand(t, z)
        e = (z - (1 - at) * m) / ((1 - at) * s + at)
        return e - (m + s * e)

    objective = Coupled(MeanFlow(TimePairs(Uniform())))
    e = torch.randn(64, 1, generator=seeded(), dtype=torch.float64)
    x = m + s * e[torch.randperm(64, generator=seeded(2))]
    b = TrainingBatch(field=field, x=x)
    draw = replace(objective.draw(x, seeded(1)), e=e)
    assert objective.loss(b, objective.pair(b, draw)).per_sample.max() < 1e-20
    assert objective.loss(b, draw).per_sample.mean() > 1e-2


def test_training_pairs_before_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = coupled.assignment

    def spy(x: Tensor, e: Tensor) -> Tensor:
        seen.append(len(x))
        return real(x, e)

    monkeypatch.setattr(coupled, "assignment", spy)
    rows = batch()
    rows[:, 2:] = 0.0  # one condition for all
    model = Toy(Coupled(FlowMatching()))
    trainer(2).fit(model.lightning_module(), Endless(rows))
    assert seen == [12, 12]


def test_what_is_asked_of_the_inner_objective_is_asked_of_it() -> None:
    assert Coupled().inner == MeanFlow()
    assert Coupled(SplitMeanFlow(guidance=2.0)).teacher_use() == "required"
    assert not Coupled(Dispersed()).is_distance()
    assert Coupled().is_distance()


# Mutants.


def without_masks(cond: tuple[Tensor, ...], n: int, like: Tensor) -> Tensor:
    return SAME(tuple(c for c in cond if c.dtype != torch.bool), n, like)


BEST, SAME = coupled.assignment, coupled.same_conditions
EXACT = test_an_exact_plan_leaves_meanflow_no_residual_and_the_wrong_one_does
EQUAL = test_only_rows_of_equal_conditions_exchange_noise
MUTANTS: dict[str, tuple[str, Any, Callable[[], None]]] = {
    "not-paired": ("assignment", lambda x, e: torch.arange(len(x)), EXACT),
    "farthest": ("assignment", lambda x, e: BEST(-x, e), EXACT),
    "inverse": ("assignment", lambda x, e: BEST(x, e).argsort(), EXACT),
    "across-conditions": ("same_conditions", lambda cond, n, like: SAME((), n, like), EQUAL),
    "padding-forgotten": ("same_conditions", without_masks, EQUAL),
    "nobody": ("same_conditions", lambda cond, n, like: torch.arange(n), EQUAL),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_of_the_pairing_is_seen(
    monkeypatch: pytest.MonkeyPatch, mutant: tuple[str, Any, Callable[[], None]]
) -> None:
    name, wrong, exactness = mutant
    exactness()
    monkeypatch.setattr(coupled, name, wrong)
    with pytest.raises(AssertionError):
        exactness()
