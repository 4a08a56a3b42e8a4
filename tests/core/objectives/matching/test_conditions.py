"""Conditions, guidance, masks and judges of the methods with a second network."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support.exact import Gaussian, seeded
from support.matching.bench import Bench, product_nodes
from torch import Tensor

from oneleap.core.errors import InputError
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
    ScoreForgetting,
    ScoreIdentity,
    UniInstruct,
)
from oneleap.core.objectives.matching import base, forget, vsd
from oneleap.core.objectives.matching import judge as judge_file
from oneleap.core.objectives.matching.base import Matching, half_square, noised
from oneleap.core.objectives.matching.judge import convict, deceive, logit
from oneleap.core.objectives.matching.reward import LinearReward
from oneleap.core.paths.base import expand
from oneleap.core.types import Conditioned, Draw, SecondNetworks, TrainingBatch

EVERY: list[Any] = [
    DiffInstruct(),
    DMD(),
    DMD2(r1=1.0),
    VSD(),
    ScoreIdentity(),
    ScoreIdentity(huber=0.03),
    FDistill(),
    UniInstruct(),
    TDM(),
    PhasedDMD(),
    DiffInstructPlus(reward=LinearReward(1.0)),
    DiffInstructStar(reward=LinearReward(1.0)),
]
each = pytest.mark.parametrize("objective", EVERY, ids=lambda o: type(o).__name__)
NULL, COND, STD = -0.3, 0.6, 0.5


def conditioned(mean: float, c: Tensor) -> Conditioned:
    """Mean ``mean`` where the first entry of the condition is 1, and ``NULL`` where it is 0."""

    def net(z: Tensor, r: Tensor, t: Tensor, c: Tensor) -> Tensor:
        means: Any = NULL + (mean - NULL) * expand(c[:, 0], z)
        return Gaussian(means, STD)(z, r, t)

    return Conditioned(net, (c,), (torch.zeros_like(c),))


def batch_of(fake: float, c: Tensor, n: int) -> TrainingBatch:
    x = torch.zeros(n, 2).double()
    second = SecondNetworks(fake=conditioned(fake, c), frozen_fake=conditioned(fake, c))
    return TrainingBatch(
        field=conditioned(fake, c), x=x, teacher=conditioned(COND, c), second=second
    )


def gap(objective: Matching, batch: TrainingBatch) -> float:
    draw = objective.draw(batch.x, seeded())
    return objective.loss(batch, draw).logs["gap"].item()


def test_guidance_is_the_teachers_alone_except_in_vsd() -> None:
    ones = torch.ones(32, 1).double()
    target = NULL + 2 * (COND - NULL)
    assert gap(DiffInstruct(guidance=2.0), batch_of(target, ones, 32)) < 1e-20
    assert gap(DiffInstruct(guidance=2.0), batch_of(COND, ones, 32)) > 1e-3
    assert gap(VSD(guidance=2.0), batch_of(COND, ones, 32)) < 1e-20  # both are guided
    assert gap(VSD(guidance=2.0), batch_of(target, ones, 32)) > 1e-3


def test_drawn_scales_are_those_of_both_networks_and_differ_by_row() -> None:
    ones, objective = torch.ones(400, 1).double(), VSD(scales=(0.5, 4.0))
    assert gap(objective, batch_of(COND, ones, 400)) < 1e-20
    draw = objective.draw(torch.zeros(400, 2).double(), seeded())
    assert draw.judging is not None
    w = draw.judging.w
    assert w is not None
    assert w.min() >= 0.5
    assert w.max() <= 4.0
    assert w.std().item() == pytest.approx(3.5 / math.sqrt(12), rel=0.1)
    off = replace(batch_of(0.2, ones, 400))
    d_f, d_r = objective.gap(off, off.x, draw.judging)
    at = replace(draw.judging, w=torch.ones(400).double())
    one_f, one_r = objective.gap(off, off.x, at)
    torch.testing.assert_close(d_f - d_r, expand(w, off.x) * (one_f - one_r))


def test_scales_and_guidance_exclude_each_other() -> None:
    with pytest.raises(InputError, match="set guidance or scales"):
        VSD(guidance=2.0, scales=(0.5, 4.0))
    with pytest.raises(InputError, match="two rising numbers"):
        VSD(scales=(4.0, 0.5))


# Forgetting.


def test_forgetting_nothing_is_sid() -> None:
    batch = batch_of(0.2, torch.ones(8, 2).double(), 8)
    draw = ScoreIdentity().draw(batch.x, seeded())
    found, wanted = (o.loss(batch, draw).per_sample for o in (ScoreForgetting(), ScoreIdentity()))
    assert torch.equal(found, wanted)


def test_what_is_forbidden_is_taught_without_its_condition() -> None:
    c = torch.tensor([[1.0, 1.0], [1.0, 0.0]]).double().repeat(8, 1)
    forget = ScoreForgetting(forbidden=1, exact=True)
    draw = forget.draw(torch.zeros(16, 2).double(), seeded())
    kept, gone = batch_of(COND, c, 16), batch_of(NULL, c, 16)
    assert draw.judging is not None
    x = kept.x + 0.3
    losses = [forget.push(b, x, draw.judging).per_sample.abs() for b in (kept, gone)]
    forbidden = c[:, 1] > 0
    assert losses[0][~forbidden].max() < 1e-12  # as the teacher under its condition
    assert losses[0][forbidden].min() > 1e-9
    assert losses[1][forbidden].max() < 1e-12  # as the teacher without it
    assert losses[1][~forbidden].min() > 1e-9


def test_what_cannot_be_forgotten_is_told() -> None:
    batch = batch_of(0.2, torch.ones(8, 2).double(), 8)
    objective = ScoreForgetting(forbidden=2)
    with pytest.raises(InputError, match="forbidden: 2 is no entry of the condition, which has 2"):
        objective.loss(batch, objective.draw(batch.x, seeded()))
    with pytest.raises(InputError, match="needs an unguided teacher"):
        ScoreForgetting(forbidden=0, guidance=2.0)


# The judge.


def test_the_optimal_judge_is_the_log_ratio() -> None:
    """The gradient of its loss is zero at ``log p_t - log q_t``, along every direction tried."""
    bench = Bench(a=0.55, b=0.6)
    e, n, weights = product_nodes(40)
    t = torch.full_like(e, 0.6)
    data, sample = bench.m + bench.s * e, bench.b + bench.a * e
    shift, slope = torch.zeros(2, dtype=torch.float64, requires_grad=True)

    def judge(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return bench.log_ratio(z, expand(t, z)) + shift + slope * z

    second = SecondNetworks(fake=judge, frozen_fake=judge, judge=judge, frozen_judge=judge)
    batch = TrainingBatch(field=judge, x=data.unsqueeze(1), second=second)
    loss, _ = convict(batch, sample.unsqueeze(1), Draw(n.unsqueeze(1), t, t))
    for gradient in torch.autograd.grad((weights * loss).sum(), (shift, slope)):
        assert gradient.abs() < 1e-6
    swapped = F.softplus(-judge(sample.unsqueeze(1), t, t)).flatten()
    wrong = (weights * swapped).sum()
    assert torch.autograd.grad(wrong, slope)[0].abs() > 1e-3


def test_a_judge_moves_samples_towards_data_and_not_the_judge() -> None:
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)

    def judge(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return weight * z

    def frozen(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return weight.detach() * z

    second = SecondNetworks(fake=judge, frozen_fake=frozen, judge=judge, frozen_judge=frozen)
    x = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    t = torch.full((4,), 0.5).double()
    batch = TrainingBatch(field=judge, x=x.detach(), second=second)
    loss = deceive(batch, x, Draw(torch.zeros(4, 3).double(), t, t)).sum()
    (gradient,) = torch.autograd.grad(loss, x, retain_graph=True)
    assert bool((gradient < 0).all())
    assert torch.autograd.grad(loss, weight, allow_unused=True)[0] is None


def test_the_penalty_is_zero_for_a_judge_that_is_flat() -> None:
    def judge(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return torch.ones_like(z)

    second = SecondNetworks(fake=judge, frozen_fake=judge, judge=judge, frozen_judge=judge)
    x = torch.randn(6, 2, generator=seeded(), dtype=torch.float64)
    draw = Draw(x.flip(0), 0.5 * torch.ones(6).double(), 0.5 * torch.ones(6).double())
    batch = TrainingBatch(field=judge, x=x, second=second)
    plain, right = convict(batch, x, draw)
    assert torch.equal(convict(batch, x, draw, r1=100.0)[0], plain)
    assert right.mean() == 0.5

    steep = replace(second, judge=lambda z, r, t: 3.0 * z)
    batch = replace(batch, second=steep)
    assert bool((convict(batch, x, draw, r1=1.0)[0] > convict(batch, x, draw)[0]).all())
    assert logit(steep.judge, x, draw.t, None).shape == (6,)


# Masks, draws, depth.


def net(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
    return torch.tanh(z) * expand(1 + t - r / 2, z)


def other(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
    return torch.sin(z) * expand(1 + t, z)


def padded(x: Tensor, mask: Tensor | None) -> TrainingBatch:
    second = SecondNetworks(fake=other, frozen_fake=other, judge=net, frozen_judge=net)
    return TrainingBatch(field=net, x=x, mask=mask, teacher=net, second=second)


@each
def test_padding_changes_nothing(objective: Matching) -> None:
    """Elements are independent here, so a loss over masked frames is that over the others."""
    x = torch.randn(8, 2, 5, generator=seeded(), dtype=torch.float64)
    draw = objective.draw(x, seeded(1))
    mask = torch.ones(8, 1, 5, dtype=torch.bool)
    mask[:, :, 3:] = False

    def cut(value: Any) -> Any:
        if isinstance(value, Draw):
            return Draw(**{k: cut(v) for k, v in vars(value).items()})
        if isinstance(value, tuple):
            return tuple(cut(v) for v in value)
        return value[..., :3] if isinstance(value, Tensor) and value.ndim == 3 else value

    found = objective.loss(padded(x, mask), draw).per_sample
    wanted = objective.loss(padded(x[..., :3], None), cut(draw)).per_sample
    torch.testing.assert_close(found, wanted)
    assert not torch.allclose(objective.loss(padded(x, None), draw).per_sample, wanted)


@each
def test_the_same_generator_draws_the_same(objective: Any) -> None:
    x = torch.zeros(16, 3)
    draws: list[Any] = [objective.draw(x, seeded(s)) for s in (0, 0, 1)]
    one, two, three = draws
    for draw in draws:
        low, high = objective.t_min, objective.t_max
        assert isinstance(objective, TDM) or bool(
            ((draw.judging.t >= low) & (draw.judging.t <= high + (1 - high) / 2)).all()
        )
        assert not torch.equal(draw.judging.e, draw.fitting.e)
        assert not torch.equal(draw.e, draw.judging.e)
    assert torch.equal(one.judging.e, two.judging.e)
    assert not torch.equal(one.judging.e, three.judging.e)


def test_turns_end_with_the_generator() -> None:
    objective = DMD2(ratio=3)
    draw = objective.draw(torch.zeros(4, 2), seeded())
    turns = [objective.turn(draw, step, 0.0).judging is not None for step in range(6)]
    assert turns == [False, False, True, False, False, True]


@pytest.mark.parametrize("depth", [1.0, 0.6])
def test_a_shallow_field_is_judged_on_its_own_path(depth: float) -> None:
    """Singing's times end at a depth; the state is that of the linear path at ``depth t``."""
    truth = Gaussian(0.7, 0.5)
    x = torch.randn(2000, 1, generator=seeded(), dtype=torch.float64)
    t = torch.full((2000,), 0.8).double()

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return depth * truth(z, depth * r, depth * t)

    second = SecondNetworks(fake=field, frozen_fake=field)
    batch = TrainingBatch(field=field, x=x, teacher=field, second=second, depth=depth)
    n = torch.randn(2000, 1, generator=seeded(1), dtype=torch.float64)
    z = noised(batch, x, Draw(n, t, t))
    torch.testing.assert_close(z, (1 - depth * 0.8) * x + depth * 0.8 * n)
    fitted = DiffInstruct().fit(batch, x, Draw(n, t, t)).per_sample.mean()
    plain = replace(batch, field=truth, second=SecondNetworks(fake=truth, frozen_fake=truth))
    true = DiffInstruct().fit(replace(plain, depth=1.0), x, Draw(n, depth * t, depth * t))
    torch.testing.assert_close(fitted, depth**2 * true.per_sample.mean())
    segment = TDM().fit(batch, x, Draw(n, 0 * t, t)).per_sample
    same = TDM().fit(replace(plain, depth=1.0), x, Draw(n, 0 * t, depth * t)).per_sample
    torch.testing.assert_close(segment, same)


def test_the_half_square_has_the_given_gradient() -> None:
    x = torch.randn(4, 3, generator=seeded(), dtype=torch.float64, requires_grad=True)
    g = torch.randn(4, 3, generator=seeded(1), dtype=torch.float64)
    (found,) = torch.autograd.grad(half_square(x, g, None).sum(), x)
    torch.testing.assert_close(found, g / 3)


# Students that divide the conditions among them.


def test_a_student_learns_from_its_own_rows_alone() -> None:
    c = torch.tensor([[1.0, 1.0], [1.0, 0.0]]).double().repeat(8, 1)
    batch = batch_of(0.2, c, 16)
    draw = DiffInstruct().draw(batch.x, seeded())
    wanted = DiffInstruct().loss(batch, draw).per_sample
    found = DiffInstruct(only=1).loss(batch, draw).per_sample
    own = c[:, 1] > 0
    assert found[~own].abs().max() == 0
    torch.testing.assert_close(found[own], 2 * wanted[own])  # the mean is over its own rows
    nobody = replace(batch, field=conditioned(0.2, torch.zeros_like(c)))
    assert DiffInstruct(only=1).loss(nobody, draw).per_sample.abs().max() == 0
    with pytest.raises(InputError, match="only: 2 is no entry of the condition, which has 2"):
        DiffInstruct(only=2).loss(batch, draw)


# Mutants of what is beside the gap.


def unguided(field: Any, w: Tensor) -> Any:
    return field


def backwards(field: Any, w: Tensor) -> Any:
    return GUIDE(field, 1 - w)


GUIDE = vsd.guide_teacher


@pytest.mark.parametrize("mutant", [unguided, backwards])
@pytest.mark.parametrize(
    "exactness",
    [
        test_guidance_is_the_teachers_alone_except_in_vsd,
        test_drawn_scales_are_those_of_both_networks_and_differ_by_row,
    ],
)
def test_a_mutant_of_the_guidance_of_both_is_seen(
    monkeypatch: pytest.MonkeyPatch, mutant: Any, exactness: Callable[[], None]
) -> None:
    monkeypatch.setattr(vsd, "guide_teacher", mutant)
    with pytest.raises(AssertionError):
        exactness()


RIGHT_ROWS = base.has_entry


def other_rows(field: Conditioned, entry: int, name: str, x: Tensor) -> Tensor:
    return ~RIGHT_ROWS(field, entry, name, x)


def all_rows(field: Conditioned, entry: int, name: str, x: Tensor) -> Tensor:
    return torch.ones(len(x), dtype=torch.bool)


@pytest.mark.parametrize("mutant", [other_rows, all_rows])
def test_a_mutant_of_forgetting_forgets_too_much(
    monkeypatch: pytest.MonkeyPatch, mutant: Any
) -> None:
    monkeypatch.setattr(forget, "has_entry", mutant)
    with pytest.raises(AssertionError):
        test_what_is_forbidden_is_taught_without_its_condition()


@pytest.mark.parametrize(
    "exactness",
    [
        test_the_optimal_judge_is_the_log_ratio,
        test_a_judge_moves_samples_towards_data_and_not_the_judge,
    ],
)
def test_a_judge_of_the_wrong_sign_is_seen(
    monkeypatch: pytest.MonkeyPatch, exactness: Callable[[], None]
) -> None:
    right = judge_file.logit
    monkeypatch.setattr(judge_file, "logit", lambda *a: -right(*a))
    with pytest.raises(AssertionError):
        exactness()


def test_a_student_of_all_rows_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "has_entry", all_rows)
    with pytest.raises(AssertionError):
        test_a_student_learns_from_its_own_rows_alone()
