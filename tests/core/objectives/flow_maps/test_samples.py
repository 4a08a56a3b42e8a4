"""Flow maps by sets of samples, by recursion, and by the network's own fake."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.exact import Gaussian, on_trajectory, seeded
from support.exact_paths import gradients, randn, teacher_of
from support.matching.bench import Bench, normal_nodes, product_nodes, pushed_gradient
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import RCGM, DiffInstruct, InductiveMomentMatching, TwinFlow
from oneleap.core.objectives.flow_maps import imm, rcgm, twinflow
from oneleap.core.paths.base import LinearPath, jump
from oneleap.core.paths.pairs import BelowPairs
from oneleap.core.types import Draw, TrainingBatch

POINT, TRUTH = Gaussian(0.7, 0.0), Gaussian(0.7, 0.5)
HALF, APART, EQUAL = (BelowPairs(p_equal=p) for p in (0.5, 0.0, 1.0))
IMM = InductiveMomentMatching()


# IMM.


def brute(objective: InductiveMomentMatching, a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """MMD^2 of one group of rows, pair by pair."""
    c = objective.smoothing

    def k(p: Tensor, q: Tensor) -> Tensor:
        return torch.exp(-(((p - q).square().mean() + c**2).sqrt() - c) / h)

    terms = [k(p, q) for p in a for q in a] + [k(p, q) for p in b for q in b]
    cross = [k(p, q) for p in a for q in b]
    return (torch.stack(terms).sum() - 2 * torch.stack(cross).sum()) / len(a) ** 2


def test_imm_is_the_distance_of_its_sets_written_once_more() -> None:
    x, net = randn(10, 3), MLP(3, width=16).double()  # the last group has two rows
    draw = replace(IMM, gap=8.0).draw(x, seeded())
    assert draw.s is not None
    loss = IMM.loss(TrainingBatch(field=net, x=x), draw)
    r, s, t, path = draw.r, draw.s, draw.t, LinearPath()
    a = jump(path.point(x, draw.e, t), net(path.point(x, draw.e, t), r, t), r, t)
    with torch.no_grad():
        b = jump(path.point(x, draw.e, s), net(path.point(x, draw.e, s), r, s), r, s)
    found, wanted = [], []
    for k in (0, 4, 8):
        group = slice(k, k + 4)
        assert t[group].unique().numel() == r[group].unique().numel() == 1
        wanted.append(brute(IMM, a[group], b[group], (t - r)[k]) * IMM.weight(t)[k])
        found.append(loss.per_sample[group].mean())
    torch.testing.assert_close(torch.stack(found), torch.stack(wanted))
    torch.testing.assert_close(
        *(gradients(torch.stack(each).sum(), net) for each in (found, wanted))
    )


def test_the_weight_of_imm_is_its_formula() -> None:
    t = torch.linspace(0.02, 0.98, 20).double().requires_grad_()
    for a in (1, 2):
        objective = InductiveMomentMatching(a=a)
        snr = 2 * ((1 - t) / t).log()
        (slope,) = torch.autograd.grad(snr.sum(), t)
        wanted = torch.sigmoid(objective.b - snr) * -slope * (1 - t) ** a / 2
        torch.testing.assert_close(objective.weight(t), wanted / ((1 - t) ** 2 + t**2))


def test_imm_of_the_exact_map_of_a_point_is_zero_and_of_a_wrong_one_is_not() -> None:
    x = torch.full((40, 3), 0.7, dtype=torch.float64)
    draw = replace(IMM, gap=4.0).draw(x, seeded())
    loss = IMM.loss(TrainingBatch(field=POINT, x=x), draw).per_sample
    assert loss.abs().max() < 1e-12
    for wrong in (TRUTH, Gaussian(0.9, 0.0), lambda z, r, t: POINT(z, t, t) / 2):
        assert IMM.loss(TrainingBatch(field=wrong, x=x), draw).per_sample.mean() > 1e-3


@pytest.mark.parametrize("wrong", ["t-for-s", "r-for-0"])
def test_a_mutant_of_imm_has_a_loss(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    x = torch.full((40, 3), 0.7, dtype=torch.float64)
    draw, flow = replace(IMM, gap=4.0).draw(x, seeded()), imm.flow_map

    def mutant(field: Any, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        early = torch.equal(t, draw.s)
        return flow(field, z, 0 * r if early and wrong == "r-for-0" else r, draw.t)

    monkeypatch.setattr(imm, "flow_map", mutant)
    assert IMM.loss(TrainingBatch(field=POINT, x=x), draw).per_sample.mean() > 1e-3


def test_the_times_of_imm_are_shared_and_ordered() -> None:
    draw = IMM.draw(randn(42, 2), seeded())
    assert draw.s is not None
    assert ((draw.r <= draw.s) & (draw.s < draw.t) & (draw.t <= IMM.t_max)).all()
    eta = [t / (1 - t) for t in (draw.t, draw.s)]
    inside = draw.s > draw.r
    step = IMM.t_max / (1 - IMM.t_max) / 2**IMM.gap
    torch.testing.assert_close((eta[0] - eta[1])[inside], torch.full((42,), step).double()[inside])
    assert draw.t.unique().numel() == 11
    assert draw.e[:4].unique().numel() == 8


@pytest.mark.parametrize("copies", [False, True], ids=["different-samples", "copies-of-one"])
def test_the_exact_map_is_stationary_for_groups_of_different_samples_only(copies: bool) -> None:
    """In expectation, by quadrature, per length of the gap: an error of first order, or a bias."""
    nodes, weights = normal_nodes(12)
    axes = torch.meshgrid(*[nodes] * (3 if copies else 4), indexing="ij")
    weight = weights
    for _ in axes[1:]:
        weight = torch.outer(weight, weights).flatten()
    first, second, *noise = (axis.flatten() for axis in (axes[0], *axes[0 if copies else 1 :]))
    x = 0.7 + 0.5 * torch.stack([first, second], 1).reshape(-1, 1)
    e = torch.stack(noise, 1).reshape(-1, 1)
    objective, slopes = InductiveMomentMatching(particles=2, smoothing=0.5), []
    theta = torch.zeros(1, dtype=torch.float64, requires_grad=True)

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return TRUTH(z, r, t) + theta * (z - 0.3)

    for gap in (0.02, 0.01, 0.005):
        r, s, t = (torch.full((len(e),), h).double() for h in (0.1, 0.6 - gap, 0.6))
        loss = objective.loss(TrainingBatch(field=field, x=x), Draw(e, r, t, s)).per_sample
        (slope,) = torch.autograd.grad((weight.repeat_interleave(2) * loss).sum(), theta)
        slopes.append(abs(slope.item()) / gap)
    if copies:
        assert slopes[2] > 0.03
    else:
        assert slopes[0] / slopes[1] == pytest.approx(2, rel=0.1)
        assert slopes[1] / slopes[2] == pytest.approx(2, rel=0.1)


def test_imm_ignores_padding() -> None:
    x, mask = randn(8, 5, 2), torch.ones(8, 5, 1, dtype=torch.bool)
    mask[:4, 3:] = False
    mask[5, 1:] = False
    draw, losses = IMM.draw(x, seeded()), []
    for value in (0.0, 9.0):
        batch = TrainingBatch(field=TRUTH, x=x.masked_fill(~mask, value), mask=mask)
        losses.append(IMM.loss(batch, draw).per_sample)
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize("bad", [{"particles": 0}, {"t_max": 1.0}, {"smoothing": 0.0}], ids=str)
def test_settings_of_imm_that_make_no_sense_are_told(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        InductiveMomentMatching(**bad)


# RCGM.


def test_the_recursion_of_a_point_has_no_residual_and_a_wrong_map_has_one() -> None:
    x = torch.full((40, 3), 0.7, dtype=torch.float64)
    draw = RCGM(HALF).draw(x, seeded())
    assert RCGM(HALF).loss(TrainingBatch(field=POINT, x=x), draw).per_sample.max() < 1e-20
    assert RCGM(HALF).loss(TrainingBatch(field=TRUTH, x=x), draw).per_sample.mean() > 1e-3


def test_the_residual_of_the_exact_map_falls_with_the_step() -> None:
    """At first order, because the short step is Euler's; from a teacher in every row."""
    x, errors = TRUTH.sample((64, 2), seeded(1)), []
    batch = TrainingBatch(field=TRUTH, x=x, teacher=teacher_of(TRUTH))
    for step in (0.02, 0.01, 0.005):
        objective = RCGM(APART, step=step)
        draw = objective.draw(x, seeded())
        draw = replace(draw, r=draw.r.clamp(max=0.4), t=draw.t.clamp(min=0.5))
        errors.append(objective.loss(batch, draw).logs["residual_error"].sqrt().item())
    assert errors[0] > 1e-3
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.1)


def test_the_target_of_rcgm_is_its_equation_with_the_average() -> None:
    net, average, x = MLP(3, width=16).double(), MLP(3, width=16).double(), randn(16, 3)
    objective = RCGM(HALF, step=0.05, substeps=3, clamp=0.7)
    draw, h = objective.draw(x, seeded()), 0.05
    loss = objective.loss(TrainingBatch(field=net, x=x, target=average), draw).per_sample
    wanted = []
    for i in range(16):
        r, t, v = draw.r[i].item(), draw.t[i].item(), draw.e[i] - x[i]
        z = (1 - t) * x[i] + t * draw.e[i]
        u = net(z[None], *torch.tensor([[r], [t]]).double())[0]
        short = t - r < h
        if short:
            residual = u - v
        else:
            near = end = z - h * v
            times = torch.linspace(t - h, r, 4).double()
            for k in range(3):
                end = (
                    end
                    - (times[k] - times[k + 1])
                    * average(end[None], times[k + 1 : k + 2], times[k : k + 1])[0]
                )
            residual = ((t - r) * u - h * v - (near - end)) / h
        target = (u - residual.clamp(-0.7, 0.7)).detach()
        wanted.append((u - target).square().mean())
    torch.testing.assert_close(loss, torch.stack(wanted), rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(
        gradients(loss.sum(), net), gradients(torch.stack(wanted).sum(), net), rtol=1e-5, atol=1e-8
    )


@pytest.mark.parametrize(
    "mutant",
    [lambda z, u, r, t: z, lambda z, u, r, t: jump(z, u, t, r)],
    ids=["no-jump", "jump-back"],
)
def test_a_mutant_of_rcgm_has_a_loss(monkeypatch: pytest.MonkeyPatch, mutant: Any) -> None:
    x = torch.full((40, 3), 0.7, dtype=torch.float64)
    draw = RCGM(HALF).draw(x, seeded())
    monkeypatch.setattr(rcgm, "jump", mutant)
    assert RCGM(HALF).loss(TrainingBatch(field=POINT, x=x), draw).per_sample.mean() > 1e-3


@pytest.mark.parametrize(
    "bad", [{"step": 0.0}, {"substeps": 0}, {"clamp": 0.0}, {"target_ema": 1.0}], ids=str
)
def test_settings_of_rcgm_that_make_no_sense_are_told(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        RCGM(**bad)
    assert RCGM(guidance=2.0).teacher_use() == "required"
    assert RCGM().target_decay(0.5) == 0.99


# TwinFlow.


def twin(bench: Bench, a: Tensor, b: Tensor) -> Any:
    """One field: a generator over [0, 1], the teacher at ``t > 0``, the fake at ``t < 0``."""
    real, fake = Gaussian(bench.m, bench.s), Gaussian(bench.b, abs(bench.a))

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        if (t < 0).all():
            return fake(z, -r, -t)
        return z - (a * z + b) if (r < t).all() else real(z, r, t)

    return field


def twin_gradient(bench: Bench, t: float) -> Tensor:
    """Gradient of the correction in ``(a, b)`` at one time of judging."""
    a, b = bench.parameters()
    e, n, weights = product_nodes()
    same = torch.full_like(e, t)
    draw = Draw(e, same, same, judging=Draw(n, same, same), fitting=Draw(n, same, same))
    batch = TrainingBatch(field=twin(bench, a, b), x=0 * e)
    parts = [
        (weights * TwinFlow(push_weight=w, fake_weight=0.0).loss(batch, draw).per_sample).sum()
        for w in (1.0, 0.0)
    ]
    return torch.stack(torch.autograd.grad(parts[0] - parts[1], [a, b]))


@pytest.mark.parametrize("t", [0.2, 0.6, 0.9])
def test_the_correction_descends_as_dmd_does(t: float) -> None:
    bench = Bench()
    # half |x - sg(x - g)|^2 with g = D_f - D_r = -t gap, against |u - sg(u - gap)|^2
    wanted = 2 / t * pushed_gradient(DiffInstruct(), bench, t)
    torch.testing.assert_close(twin_gradient(bench, t), wanted, rtol=1e-6, atol=1e-9)


def test_the_correction_rests_where_the_samples_are_data() -> None:
    assert twin_gradient(Bench(a=0.5, b=0.7), 0.6).abs().max() < 1e-10
    assert twin_gradient(Bench(), 0.6).abs().max() > 1e-2


def test_twinflow_learns_its_samples_at_negative_times_without_their_gradient() -> None:
    net, x = MLP(3, width=16).double(), randn(16, 3)
    draw = TwinFlow(HALF).draw(x, seeded())
    assert draw.fitting is not None
    found = [
        TwinFlow(HALF, fake_weight=w, push_weight=0.0)
        .loss(TrainingBatch(field=net, x=x), draw)
        .per_sample
        for w in (1.0, 0.0)
    ]
    torch.testing.assert_close(
        found[1], RCGM(HALF).loss(TrainingBatch(field=net, x=x), draw).per_sample
    )
    with torch.no_grad():
        sample = draw.e - net(draw.e, torch.zeros(16).double(), torch.ones(16).double())
    n, s = draw.fitting.e, draw.fitting.t
    z = LinearPath().point(sample, n, s)
    wanted = (net(z, -s, -s) - (n - sample)).square().mean(1)
    torch.testing.assert_close(found[0] - found[1], wanted)
    torch.testing.assert_close(
        gradients((found[0] - found[1]).sum(), net), gradients(wanted.sum(), net)
    )


def test_on_trajectories_the_velocity_rows_of_rcgm_have_no_loss() -> None:
    z = randn(40, 2)
    draw = RCGM(EQUAL).draw(z, seeded())
    x, at = on_trajectory(TRUTH, z, draw)
    batch = TrainingBatch(field=TRUTH, x=x)
    assert RCGM(EQUAL).loss(batch, replace(draw, e=at.e)).per_sample.max() < 1e-20


@pytest.mark.parametrize("name", ["noised", "noise_of"])
def test_a_mutant_of_twinflow_is_seen(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Samples that are judged without noise, and a velocity that ends at no noise."""
    wrong = {"noised": lambda batch, x, draw: x, "noise_of": lambda batch, x, draw: 0 * x}
    monkeypatch.setattr(twinflow, name, wrong[name])
    with pytest.raises(AssertionError):
        test_twinflow_learns_its_samples_at_negative_times_without_their_gradient()
    if name == "noised":
        with pytest.raises(AssertionError):
            test_the_correction_descends_as_dmd_does(0.6)
