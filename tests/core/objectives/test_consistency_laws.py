"""Grids, laws, weights and curricula of the consistency objectives, and their mutants."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.exact import seeded
from support.exact_paths import Pointwise, randn

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import PseudoHuber, SquaredError
from oneleap.core.objectives import (
    ConsistencyDistillation,
    ConsistencyTraining,
    ConsistencyTrajectory,
    Dispersed,
    EasyConsistencyTuning,
    ImprovedConsistencyTraining,
    MeanFlow,
)
from oneleap.core.objectives import ect as ect_file
from oneleap.core.paths.edm import Karras
from oneleap.core.types import Draw, TrainingBatch


def test_distillation_draws_neighbouring_nodes_evenly() -> None:
    objective = ConsistencyDistillation(nodes=6)
    draw = objective.draw(torch.zeros(50_000, 1).double(), seeded())
    nodes = Karras().times(6, draw.e)
    assert draw.s is not None
    upper = torch.searchsorted(nodes, draw.t)
    assert torch.equal(nodes[upper], draw.t)
    assert torch.equal(nodes[upper - 1], draw.s)
    assert (upper.bincount(minlength=6)[1:] / 10_000 - 1).abs().max() < 0.05


def test_the_grid_of_consistency_training_grows_as_in_the_paper() -> None:
    objective = ConsistencyTraining()
    assert [objective.nodes(p) for p in (0.0, 0.25, 0.5, 1.0)] == [2, 76, 107, 151]
    assert (objective.draw(torch.zeros(9, 1).double(), seeded(), 0.0).t == 1).all()


def test_the_decay_of_consistency_training_rises_with_its_grid() -> None:
    """``mu = exp(s0 ln mu0 / N)``: mu0 at first, and 0.99932 of 151 levels."""
    objective = ConsistencyTraining()
    assert objective.target_decay(0.0) == pytest.approx(0.95)
    assert objective.target_decay(1.0) == pytest.approx(0.95 ** (2 / 151))
    decays = [objective.target_decay(k / 20) or 0.0 for k in range(21)]
    assert decays == sorted(decays)
    assert ConsistencyTraining(mu0=0.9).target_decay(0.0) == pytest.approx(0.9)
    assert ConsistencyTraining(mu0=None).target_decay(0.5) is None


def test_the_decays_of_targets_are_those_of_the_sources() -> None:
    for objective, decay in (
        (ConsistencyDistillation(), 0.95),
        (ConsistencyTrajectory(), 0.999),
        (Dispersed(ConsistencyDistillation(target_ema=0.9)), 0.9),
        (ImprovedConsistencyTraining(), None),
        (MeanFlow(), None),
    ):
        assert objective.target_decay(0.3) == decay
    for build in (
        lambda: ConsistencyDistillation(target_ema=1.0),
        lambda: ConsistencyTrajectory(target_ema=-0.1),
        lambda: ConsistencyTraining(mu0=0.0),
    ):
        with pytest.raises(InputError, match="is not in"):
            build()


def test_the_grid_of_ict_doubles_at_equal_shares_of_training() -> None:
    objective = ImprovedConsistencyTraining()
    counts = [objective.nodes(k / 8) for k in range(9)]
    assert counts == [11, 21, 41, 81, 161, 321, 641, 1281, 1281]
    assert objective.nodes(1 / 8 - 1e-9) == 11
    assert ImprovedConsistencyTraining(first=10, last=50).nodes(1.0) == 41


def test_ict_draws_intervals_by_its_law_and_weights_them_by_their_width() -> None:
    objective = ImprovedConsistencyTraining(metric=SquaredError())
    x = torch.zeros(100_000, 1).double()
    draw = objective.draw(x, seeded(), 0.0)
    assert draw.s is not None
    sigmas = Karras().sigmas(11, x)
    nodes = Karras().times(11, x)
    index = torch.searchsorted(nodes, draw.t) - 1
    assert torch.equal(nodes[index], draw.s)
    share = index.bincount(minlength=10) / len(x)
    law = Karras().log_normal(sigmas, -1.1, 2.0)
    assert (share - law).abs().max() < 5e-3
    net, few = Pointwise(1), slice(0, 50)
    part = Draw(draw.e[few], draw.r[few], draw.t[few], draw.s[few])
    batch = TrainingBatch(field=net, x=x[few])
    plain = ConsistencyTraining(metric=SquaredError()).loss(batch, part).per_sample
    weight = 1 / sigmas.diff()[index[few]]
    torch.testing.assert_close(objective.loss(batch, part).per_sample, weight * plain)


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_ect_closes_in_by_its_rule(progress: float) -> None:
    objective = EasyConsistencyTuning()
    draw = objective.draw(torch.zeros(20_000, 1).double(), seeded(), progress)
    assert draw.s is not None
    sigma, near = (t / (1 - t) for t in (draw.t, draw.s))
    stage = {0.0: 0, 0.5: 4, 1.0: 7}[progress]
    wanted = sigma * (1 - 2.0 ** -(stage + 1) * (1 + 8 / (1 + sigma.exp())))
    torch.testing.assert_close(near, wanted.clamp(min=0))
    at_data = (draw.s == 0).double().mean()
    assert at_data == pytest.approx(0.81 if stage == 0 else 0.0, abs=0.01)
    net, few = Pointwise(1), slice(0, 50)
    part = Draw(draw.e[few], draw.r[few], draw.t[few], draw.s[few])
    batch = TrainingBatch(field=net, x=randn(50, 1))
    plain = ConsistencyTraining(metric=PseudoHuber()).loss(batch, part).per_sample
    gap = (sigma - near)[few]
    torch.testing.assert_close(objective.loss(batch, part).per_sample * gap, plain)


# Mutants.


def closes_in() -> None:
    for progress in (0.0, 0.5, 1.0):
        test_ect_closes_in_by_its_rule(progress)


def others_draw(cls: Any, change: Callable[[Draw], Draw]) -> Any:
    right = cls.draw
    return lambda *a, **k: change(right(*a, **k))


def uneven(draw: Draw) -> Draw:
    """Both ends of an interval one node further."""
    nodes = Karras().times(6, draw.e)
    later = torch.searchsorted(nodes, draw.t).clamp(max=4) + 1
    return replace(draw, t=nodes[later], s=nodes[later - 1])


def exchanged(draw: Draw) -> Draw:
    assert draw.s is not None
    return replace(draw, t=draw.s, s=draw.t)


def other_setting(name: str, change: Callable[[float], float]) -> Any:
    right = ImprovedConsistencyTraining.draw
    return lambda self, *a: right(replace(self, **{name: change(getattr(self, name))}), *a)


CD, CT = ConsistencyDistillation, ConsistencyTraining
ICT, ECT = ImprovedConsistencyTraining, EasyConsistencyTuning
EVENLY = test_distillation_draws_neighbouring_nodes_evenly
LAW = test_ict_draws_intervals_by_its_law_and_weights_them_by_their_width
SIGMA, NODES, STAGE = Karras.sigma, CT.nodes, ECT.stage
MUTANTS: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "cd-uneven": (CD, "draw", others_draw(CD, uneven), EVENLY),
    "cd-exchanged": (CD, "draw", others_draw(CD, exchanged), EVENLY),
    "ict-weight-of-times": (Karras, "sigma", lambda self, t: t, LAW),
    "ict-inverse-weight": (Karras, "sigma", lambda self, t: 1 / SIGMA(self, t), LAW),
    "ict-variance": (ICT, "draw", other_setting("log_std", lambda std: std**2), LAW),
    "ict-sign": (ICT, "draw", other_setting("log_mean", lambda mean: -mean), LAW),
    "ict-exchanged": (ICT, "draw", others_draw(ICT, exchanged), LAW),
    "ict-too-early": (
        ICT,
        "nodes",
        lambda self, p: min(self.first << int(8 * p + 1), 1280) + 1,
        test_the_grid_of_ict_doubles_at_equal_shares_of_training,
    ),
    "ct-linear": (
        CT,
        "nodes",
        lambda self, p: round(2 + 149 * p),
        test_the_grid_of_consistency_training_grows_as_in_the_paper,
    ),
    "ct-decay-of-one-grid": (
        CT,
        "nodes",
        lambda self, p: NODES(self, 0.0),
        test_the_decay_of_consistency_training_rises_with_its_grid,
    ),
    "ect-never-closer": (ECT, "stage", lambda self, p: 0, closes_in),
    "ect-one-late": (ECT, "stage", lambda self, p: STAGE(self, p) - 1, closes_in),
    "ect-exchanged": (ECT, "draw", others_draw(ECT, exchanged), closes_in),
    "ect-gap-of-times": (
        ect_file,
        "intermediate_times",
        lambda draw, name: draw.s + 0.01,
        closes_in,
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_of_a_law_is_seen(
    monkeypatch: pytest.MonkeyPatch, mutant: tuple[Any, str, Any, Callable[[], None]]
) -> None:
    where, name, wrong, exactness = mutant
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises(AssertionError):
        exactness()
