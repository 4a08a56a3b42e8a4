"""What moves the samples of Diff-Instruct, VSD and DMD: mutants of state, gap and regression."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.exact import Gaussian, Mutant, require_seen, seeded
from support.matching.bench import Bench, T, kl_gradient, pushed_gradient
from torch import Tensor

from oneleap.core.objectives import DMD, VSD, DiffInstruct
from oneleap.core.objectives.matching import dmd, vsd
from oneleap.core.types import Draw, Field, TrainingBatch


def descends_the_divergence() -> None:
    found = (1 - T) ** 2 / T**2 * pushed_gradient(DiffInstruct(), Bench())
    torch.testing.assert_close(found, kl_gradient(Bench()), rtol=1e-6, atol=1e-9)


def in_noise_units() -> None:
    factor = ((1 - T) ** 2 + T**2) / (T * (1 - T)) * (1 - T) ** 2 / T**2
    found = factor * pushed_gradient(VSD(), Bench())
    torch.testing.assert_close(found, kl_gradient(Bench()), rtol=1e-6, atol=1e-9)


def test_dmd_regresses_the_teachers_pairs() -> None:
    objective = DMD(steps=400, regression=1.0)
    truth = Gaussian(0.7, 0.5)
    e = torch.randn(64, 2, generator=seeded(), dtype=torch.float64)
    zero, one = torch.zeros(64).double(), torch.ones(64).double()
    batch = TrainingBatch(field=truth, x=e, teacher=truth)
    x = truth.flow(e, zero, one)
    draw = Draw(e, zero, one)
    exact = objective.anchor(batch, x, draw)
    assert exact is not None
    assert exact.max() < 1e-4
    off = objective.anchor(batch, x + 1, draw)
    assert off is not None
    assert off.mean().item() == pytest.approx(1.0, rel=1e-2)
    assert DMD(regression=0.0).anchor(batch, x, draw) is None


NOISED, MEAN, TIMES, PAIRS = dmd.noised, dmd.data_mean, vsd.path_times, dmd.teacher_pairs


def the_velocity(field: Field, z: Tensor, t: Tensor) -> Tensor:
    return field(z, t, t)


def of_the_whole_leap(field: Field, z: Tensor, t: Tensor) -> Tensor:
    return MEAN(lambda z, r, t: field(z, 0 * t, t), z, t)


MUTANTS: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "not-noised": (dmd, "noised", lambda b, x, draw: x, descends_the_divergence),
    "own-noise": (
        dmd,
        "noised",
        lambda b, x, draw: NOISED(b, x, replace(draw, e=x.detach())),
        descends_the_divergence,
    ),
    "time-reversed": (
        dmd,
        "noised",
        lambda b, x, draw: NOISED(b, x, replace(draw, t=1 - draw.t)),
        descends_the_divergence,
    ),
    "velocity": (dmd, "data_mean", the_velocity, descends_the_divergence),
    "leap-for-the-mean": (dmd, "data_mean", of_the_whole_leap, descends_the_divergence),
    "half-square-twice": (
        dmd,
        "half_square",
        lambda x, g, mask: (x - (x - g).detach()).square().mean(1),
        descends_the_divergence,
    ),
    "vsd-velocity": (vsd, "data_mean", the_velocity, in_noise_units),
    "vsd-time-reversed": (vsd, "path_times", lambda *a: 1 - TIMES(*a) ** 2, in_noise_units),
    "vsd-unweighted": (VSD, "weight", lambda *a: 1.0, in_noise_units),
    "dmd-noise-for-data": (
        dmd,
        "teacher_pairs",
        lambda teacher, e, **rest: PAIRS(teacher, e, **rest)[::-1],
        test_dmd_regresses_the_teachers_pairs,
    ),
    "dmd-other-noise": (
        dmd,
        "teacher_pairs",
        lambda teacher, e, **rest: PAIRS(teacher, e.flip(0), **rest),
        test_dmd_regresses_the_teachers_pairs,
    ),
    "dmd-one-step": (
        dmd,
        "teacher_pairs",
        lambda teacher, e, steps, heun: PAIRS(teacher, e, steps=1, heun=heun),
        test_dmd_regresses_the_teachers_pairs,
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_of_the_gap_is_seen(monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    require_seen(monkeypatch, mutant)
