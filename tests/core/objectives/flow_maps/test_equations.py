"""The three equations of a flow map, and the losses that stand on them: exact at the truth."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.exact import Gaussian, on_trajectory, seeded
from support.exact_paths import Recorder, gradients, randn, teacher_of
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import SquaredError
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import (
    Eulerian,
    FlowAnchoredConsistency,
    FlowMatching,
    Lagrangian,
    MeanFlow,
    Progressive,
    SoFlow,
    SplitMeanFlow,
    TerminalVelocityMatching,
    alphaflow,
    splitmeanflow,
)
from oneleap.core.objectives.flow_maps import eulerian, facm, lagrangian
from oneleap.core.paths.base import LinearPath, expand, jump
from oneleap.core.paths.pairs import ToDataPairs
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.types import Draw, Field, Objective, TrainingBatch

Patch = pytest.MonkeyPatch
HALF = TimePairs(Uniform(), p_equal=0.5)
TRUTH = Gaussian(0.7, 0.5)
LSD, ESD, PSD, MID = (
    Lagrangian(HALF),
    Eulerian(HALF),
    Progressive(HALF),
    Progressive(HALF, midpoint=True),
)
TVM = TerminalVelocityMatching()
FACM = FlowAnchoredConsistency()
EACH: list[Any] = [LSD, ESD, PSD, MID, TVM, FACM]
each = pytest.mark.parametrize("objective", EACH, ids=lambda o: type(o).__name__)


def loss_at(objective: Objective, field: Field, truth: Gaussian = TRUTH) -> Tensor:
    """Loss of each row on the truth's trajectories."""
    z = randn(64, 3)
    draw = objective.draw(z, seeded())
    x, at = on_trajectory(truth, z, draw)
    return objective.loss(TrainingBatch(field=field, x=x), replace(draw, e=at.e)).per_sample


@pytest.mark.parametrize("truth", [TRUTH, Gaussian(-0.2, 1.3)], ids=str)
@each
def test_the_exact_map_has_no_loss_on_curved_trajectories(
    objective: Objective, truth: Gaussian
) -> None:
    assert loss_at(objective, truth, truth).abs().max() < 1e-15


@each
def test_with_a_teacher_each_row_of_the_exact_map_has_no_loss_at_any_sample(
    objective: Objective,
) -> None:
    """The sample's velocity scatters about the mean; the teacher's does not."""
    x = TRUTH.sample((40, 2), seeded(1))
    draw = objective.draw(x, seeded())
    alone = objective.loss(TrainingBatch(field=TRUTH, x=x), draw).per_sample
    batch = TrainingBatch(field=TRUTH, x=x, teacher=teacher_of(TRUTH))
    assert objective.loss(batch, draw).per_sample.abs().max() < 1e-15
    assert alone.mean() > 0.1


@pytest.mark.parametrize(
    "field",
    [
        lambda z, r, t: TRUTH(z, t, r),
        lambda z, r, t: -TRUTH(z, r, t),
        lambda z, r, t: TRUTH(z, t, t),
        lambda z, r, t: TRUTH(z, 1 - t, 1 - r),
    ],
    ids=["r-and-t-swapped", "sign", "velocity-for-mean", "time-reversed"],
)
@each
def test_a_wrong_map_has_a_loss(objective: Objective, field: Field) -> None:
    assert loss_at(objective, field).mean() > 1e-3


def no_jump(z: Tensor, u: Tensor, r: Tensor, t: Tensor) -> Tensor:
    return z


def jump_back(z: Tensor, u: Tensor, r: Tensor, t: Tensor) -> Tensor:
    return jump(z, u, t, r)


def negative(h: Tensor, like: Tensor) -> Tensor:
    return -expand(h, like)


def one(h: Tensor, like: Tensor) -> Tensor:
    return torch.ones_like(expand(h, like))


def complement(h: Tensor, like: Tensor) -> Tensor:
    return 1 - expand(h, like)


def derivative_in_t(f: Callable[..., Tensor], at: Any, along: Any) -> tuple[Tensor, Tensor]:
    value = f(*at)
    return value, torch.zeros_like(value)


@pytest.mark.parametrize(
    ("objective", "file", "name", "mutant"),
    [
        (LSD, lagrangian, "jump", no_jump),
        (LSD, lagrangian, "jump", jump_back),
        (LSD, lagrangian, "expand", negative),
        (LSD, lagrangian, "expand", one),
        (LSD, lagrangian, "jvp", derivative_in_t),
        (TVM, lagrangian, "jump", no_jump),
        (ESD, eulerian, "expand", negative),
        (ESD, eulerian, "expand", one),
        (PSD, splitmeanflow, "jump", no_jump),
        (PSD, splitmeanflow, "jump", jump_back),
        (PSD, splitmeanflow, "expand", complement),
        (FACM, facm, "expand", negative),
        (FACM, facm, "expand", one),
    ],
    ids=lambda a: getattr(a, "__name__", type(a).__name__).rpartition(".")[2],
)
def test_the_exact_map_has_a_loss_under_a_mutant(
    monkeypatch: Patch, objective: Objective, file: Any, name: str, mutant: Any
) -> None:
    monkeypatch.setattr(file, name, mutant)
    assert loss_at(objective, TRUTH).mean() > 1e-3


# Targets of a network, against the equations written once more.


def case(objective: Any) -> tuple[Any, list[tuple[Tensor, Tensor]], MLP, Tensor, Draw]:
    seen: list[tuple[Tensor, Tensor]] = []
    torch.manual_seed(0)
    x = randn(16, 3)
    recorded = replace(objective, metric=Recorder(SquaredError(), seen))
    return recorded, seen, MLP(3, width=16).double(), x, objective.draw(x, seeded(1))


@pytest.mark.parametrize("source", ["field", "teacher", "target"])
@pytest.mark.parametrize("objective", [LSD, TVM], ids=["lsd", "tvm"])
def test_the_lagrangian_target_by_central_differences(objective: Any, source: str) -> None:
    objective, seen, u, x, draw = case(objective)
    other = MLP(3, width=16).double()
    given = {} if source == "field" else {source: other}
    objective.loss(TrainingBatch(field=u, x=x, **given), draw)
    own = source == "target" and type(objective) is Lagrangian  # LSD has no use for an average
    guide = u if source == "field" or own else other
    r, t, h, n = draw.r, draw.t, 1e-5, objective.pairs.n_equal(16)
    z = LinearPath().point(x, draw.e, t)
    with torch.no_grad():
        end = z - (t - r).unsqueeze(1) * u(z, r, t)
        slope = (u(z, r + h, t) - u(z, r - h, t)) / (2 * h)
        wanted = guide(end, r, r) + (t - r).unsqueeze(1) * slope
        v = other(z, t, t) if source == "teacher" else draw.e - x
    torch.testing.assert_close(seen[0][1][n:], wanted[n:], rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(seen[0][1][:n], v[:n])


@each
def test_the_gradient_is_that_of_a_constant_target(objective: Any) -> None:
    objective, seen, net, x, draw = case(objective)
    loss = objective.loss(TrainingBatch(field=net, x=x), draw)
    _, target = seen[0]
    assert not target.requires_grad
    if objective is FACM or type(objective) is FlowAnchoredConsistency:
        return  # its weights are tested below
    u = net(LinearPath().point(x, draw.e, draw.t), draw.r, draw.t)
    constant = (u - target).square().mean(1)
    torch.testing.assert_close(loss.per_sample, constant)
    torch.testing.assert_close(
        gradients(loss.per_sample.sum(), net), gradients(constant.sum(), net)
    )


def test_the_eulerian_equation_from_a_teacher_is_meanflow_from_it() -> None:
    _, _, net, x, draw = case(ESD)
    batch = TrainingBatch(field=net, x=x, teacher=MLP(3, width=16).double())
    mine, theirs = (o.loss(batch, draw).per_sample for o in (ESD, MeanFlow(HALF)))
    torch.testing.assert_close(mine, theirs)


def test_the_semigroup_is_split_meanflow_without_its_average() -> None:
    _, _, net, x, draw = case(PSD)
    batch = TrainingBatch(field=net, x=x, target=MLP(3, width=16).double())
    mine = PSD.loss(batch, draw).per_sample
    theirs = SplitMeanFlow(HALF).loss(replace(batch, target=None), draw).per_sample
    torch.testing.assert_close(mine, theirs)
    middle = MID.draw(x, seeded())
    torch.testing.assert_close(middle.s, (middle.r + middle.t) / 2)


@pytest.mark.parametrize("objective", [LSD, ESD, PSD, TVM], ids=lambda o: type(o).__name__)
def test_with_all_rows_equal_they_are_flow_matching_bit_for_bit(objective: Any) -> None:
    objective = replace(objective, pairs=replace(objective.pairs, p_equal=1.0))
    _, _, net, x, draw = case(objective)
    mine, theirs = (
        o.loss(TrainingBatch(field=net, x=x), draw).per_sample for o in (objective, FlowMatching())
    )
    assert torch.equal(mine, theirs)


def test_guidance_without_a_teacher_is_told_in_a_line() -> None:
    with pytest.raises(
        InputError, match="guidance of Lagrangian guides the teacher, and none was given"
    ):
        Lagrangian(guidance=2.0)(TrainingBatch(field=TRUTH, x=randn(8, 2)))
    assert Lagrangian(guidance=2.0).teacher_use() == "required"


def test_the_average_of_terminal_velocity_matching_is_its_own() -> None:
    assert TVM.target_decay(0.5) == 0.99
    with pytest.raises(InputError, match=r"target_ema: 1.0 is not in \[0, 1\)"):
        TerminalVelocityMatching(target_ema=1.0)


# SoFlow.


def test_soflow_descends_the_papers_quotient_up_to_its_factor() -> None:
    objective = SoFlow()
    _, _, net, x, draw = case(objective)
    draw, rho = replace(draw, ramp=torch.full_like(draw.t, 0.05)), 0.05
    objective = replace(objective, pairs=replace(objective.pairs, p_equal=0.0))
    draw = replace(objective.draw(x, seeded(2)), ramp=draw.ramp)
    mine = gradients(objective.loss(TrainingBatch(field=net, x=x), draw).per_sample.sum(), net)
    r, t = draw.r, draw.t
    z, v, gap = LinearPath().point(x, draw.e, t), draw.e - x, (rho * (t - r)).unsqueeze(1)
    near, later = z - gap * v, t - rho * (t - r)
    with torch.no_grad():
        target = near - (later - r).unsqueeze(1) * net(near, r, later)
    quotient = (z - (t - r).unsqueeze(1) * net(z, r, t) - target) / gap
    wanted = gradients(quotient.square().mean(1).sum(), net)
    torch.testing.assert_close(mine, rho * wanted)


def test_rho_falls_exponentially() -> None:
    objective = SoFlow(first=0.1, last=0.001)
    found = [objective.rho(p) for p in (0.0, 0.5, 1.0)]
    assert found == pytest.approx([0.1, 0.01, 0.001])
    ramp = objective.draw(randn(8, 2), seeded(), 0.5).ramp
    torch.testing.assert_close(ramp, torch.full((8,), 0.01).double(), rtol=1e-6, atol=0.0)
    with pytest.raises(InputError, match="must fall within"):
        SoFlow(first=0.1, last=0.2)


def test_soflow_of_a_point_has_no_loss() -> None:
    point, x = Gaussian(0.7, 0.0), torch.full((40, 3), 0.7, dtype=torch.float64)
    loss = SoFlow().loss(TrainingBatch(field=point, x=x), SoFlow().draw(x, seeded(), 0.5))
    assert loss.per_sample.max() < 1e-20
    wrong = SoFlow().loss(TrainingBatch(field=TRUTH, x=x), SoFlow().draw(x, seeded(), 0.5))
    assert wrong.per_sample.mean() > 1e-3


SOFLOW_DRAW = SoFlow.draw


def other_ramp(change: Callable[[Tensor], Tensor]) -> Callable[..., Draw]:
    def draw(*a: Any, **k: Any) -> Draw:
        found = SOFLOW_DRAW(*a, **k)
        assert found.ramp is not None
        return replace(found, ramp=change(found.ramp))

    return draw


@pytest.mark.parametrize(
    ("where", "name", "mutant", "exactness"),
    [
        (
            alphaflow,
            "jump",
            no_jump,
            test_soflow_descends_the_papers_quotient_up_to_its_factor,
        ),
        (
            alphaflow,
            "jump",
            jump_back,
            test_soflow_descends_the_papers_quotient_up_to_its_factor,
        ),
        (
            alphaflow,
            "expand",
            complement,
            test_soflow_descends_the_papers_quotient_up_to_its_factor,
        ),
        (SoFlow, "draw", other_ramp(torch.sqrt), test_rho_falls_exponentially),
        (SoFlow, "draw", other_ramp(torch.ones_like), test_rho_falls_exponentially),
        (SoFlow, "rho", lambda self, p: 0.1 - 0.099 * p, test_rho_falls_exponentially),
    ],
    ids=["no-jump", "jump-back", "complement", "root", "one", "linear"],
)
def test_a_mutant_of_soflow_is_seen(
    monkeypatch: Patch, where: Any, name: str, mutant: Any, exactness: Callable[[], None]
) -> None:
    monkeypatch.setattr(where, name, mutant)
    with pytest.raises(AssertionError):
        exactness()


# FACM.


def test_the_target_of_facm_is_its_equation() -> None:
    objective, seen, u, x, draw = case(FACM)
    loss = objective.loss(TrainingBatch(field=u, x=x), draw)
    n, h, t = 8, 1e-5, draw.t
    z, v = LinearPath().point(x, draw.e, t), draw.e - x
    assert (draw.r[n:] == 0).all()
    with torch.no_grad():
        now = u(z, draw.r, t)
        slope = (u(z + h * v, draw.r, t + h) - u(z - h * v, draw.r, t - h)) / (2 * h)
        g = now - v + (t - draw.r).unsqueeze(1) * slope
        assert (g[n:].abs() > 1).any()
        target = now - (1 - (1 - t).sqrt()).unsqueeze(1) * g.clamp(-1, 1)
    torch.testing.assert_close(seen[0][1], target[n:], rtol=1e-7, atol=1e-8)
    weight = torch.cos(torch.pi / 2 * (1 - t[n:]))
    wanted = weight * (now - target)[n:].square().mean(1)
    torch.testing.assert_close(loss.per_sample[n:], wanted, rtol=1e-6, atol=1e-8)
    cosine = torch.nn.functional.cosine_similarity(now[:n], v[:n])
    anchor = (now - v)[:n].square().mean(1) + 1 - cosine
    torch.testing.assert_close(loss.per_sample[:n], anchor)


def test_facm_ignores_padding() -> None:
    objective = FlowAnchoredConsistency(ToDataPairs(Uniform(), p_equal=0.5))
    x, mask = randn(8, 5, 2), torch.ones(8, 5, 1, dtype=torch.bool)
    mask[:, 3:] = False
    draw, losses = objective.draw(x, seeded()), []
    for value in (0.0, 9.0):
        filled = x.masked_fill(~mask, value)
        losses.append(
            objective.loss(TrainingBatch(field=TRUTH, x=filled, mask=mask), draw).per_sample
        )
    torch.testing.assert_close(*losses)
