"""Curricula, times, teachers, masks and training of the average-velocity family.

MeanFlow, SplitMeanFlow and flow matching themselves are in test_objectives.py.
"""

import math
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.average_velocity import APART, HALF, POINT, TRUTHS, Objective, each_objective, recorded
from support.exact import seeded
from support.exact_paths import (
    check_padding,
    check_per_sample,
    check_seeds,
    randn,
)
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import GuidedField
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import (
    AlphaFlow,
    FlowMatching,
    ImprovedMeanFlow,
    MeanFlow,
    Shortcut,
    SplitMeanFlow,
)
from oneleap.core.paths.times import TimePairs
from oneleap.core.sampling.ode import sample
from oneleap.core.training.ema import ema_update, frozen_copy
from oneleap.core.types import Conditioned, Draw, TrainingBatch

# The curriculum of alpha-Flow.


def test_alpha_falls_along_a_sigmoid_and_snaps_at_its_ends() -> None:
    objective = AlphaFlow(start=0.5, end=0.9)
    for progress in (0.0, 0.5, 0.51, 0.55):
        assert objective.alpha(progress) == 1
    for progress in (0.9, 0.95, 1.0):
        assert objective.alpha(progress) == 0
    assert objective.alpha(0.7) == pytest.approx(0.5)
    assert objective.alpha(0.66) == pytest.approx(1 - 1 / (1 + math.exp(-25 * (0.66 - 0.7) / 0.4)))
    assert replace(objective, jvp=False).alpha(1.0) == objective.snap


@given(st.floats(0, 0.9), st.floats(0.01, 0.5), st.floats(0, 100), st.booleans())
def test_alpha_never_rises(start: float, length: float, gamma: float, jvp: bool) -> None:
    objective = AlphaFlow(start=start, end=start + length, gamma=gamma, jvp=jvp)
    alphas = [objective.alpha(k / 200) for k in range(300)]
    assert alphas == sorted(alphas, reverse=True)
    assert alphas[0] == 1
    assert alphas[-1] == (0 if jvp else objective.snap)
    assert all(alpha == 0 or objective.snap <= alpha <= 1 for alpha in alphas)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (AlphaFlow, {"start": 0.5, "end": 0.5}, "end must be after start=0.5"),
        (AlphaFlow, {"snap": 0.0}, "snap must be between"),
        (AlphaFlow, {"gamma": -1.0}, "gamma must not be negative"),
        (Shortcut, {"steps": 100}, "power of two"),
        (Shortcut, {"steps": 1}, "power of two"),
        (Shortcut, {"pairs": TimePairs(deployed=(1,))}, "remove deployed"),
    ],
)
def test_bad_settings_are_refused(kind: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        kind(**arguments)


# The times of Shortcut.


@given(st.integers(1, 8), st.integers(4, 300), st.integers(0, 2**31))
def test_shortcut_intervals_are_those_of_a_dyadic_sampler(rungs: int, n: int, seed: int) -> None:
    objective = Shortcut(HALF, steps=2**rungs)
    draw = objective.draw(torch.empty(n, 1), seeded(seed))
    equal = HALF.n_equal(n)
    assert draw.s is not None
    assert torch.equal(draw.r[:equal], draw.t[:equal])
    r, s, t = draw.r[equal:], draw.s[equal:], draw.t[equal:]
    d = t - r
    assert ((d.log2() % 1 == 0) & (d <= 1) & (d >= 2 / objective.steps)).all()
    assert ((r % d == 0) & (r >= 0) & (t <= 1)).all()
    assert torch.equal(s, (r + t) / 2)
    counts = torch.stack([(d == 2.0**-k).sum() for k in range(rungs)])
    assert counts.max() - counts.min() <= 1  # evenly spread
    assert counts.sum() == n - equal


def test_small_batches_reach_every_length_in_the_long_run() -> None:
    objective, seen = Shortcut(APART, steps=32), set()
    for seed in range(60):
        draw = objective.draw(torch.empty(2, 1), seeded(seed))
        seen |= set((draw.t - draw.r).tolist())
    assert seen == {2.0**-k for k in range(5)}


def test_the_draw_of_another_objective_is_refused() -> None:
    x = randn(8, 2)
    with pytest.raises(InputError, match="Shortcut needs the intermediate times s"):
        Shortcut(HALF).loss(TrainingBatch(field=POINT, x=x), MeanFlow(HALF).draw(x, seeded()))


# SplitMeanFlow's two stages.


def split_teacher() -> tuple[Conditioned, Conditioned]:
    torch.manual_seed(0)
    net, cond = MLP(3, cond_dim=2, width=16).double(), (randn(16, 2),)
    return Conditioned(net, cond, (torch.zeros(1, 2).double(),)), Conditioned(
        net, (torch.zeros(16, 2).double(),)
    )


def test_a_teacher_is_guided_at_a_fixed_scale_by_the_objective() -> None:
    teacher, null = split_teacher()
    x = randn(16, 3)
    student = MLP(3, width=16).double()
    objective, seen = recorded(SplitMeanFlow(HALF, guidance=2.5))
    draw = objective.draw(x, seeded())
    objective.loss(TrainingBatch(field=student, x=x, teacher=teacher), draw)
    by_hand, wanted = recorded(SplitMeanFlow(HALF))
    by_hand.loss(TrainingBatch(field=student, x=x, teacher=GuidedField(teacher, null, 2.5)), draw)
    assert torch.equal(seen[0][1], wanted[0][1])
    by_hand.loss(TrainingBatch(field=student, x=x, teacher=teacher), draw)
    assert (seen[0][1][:8] - wanted[1][1][:8]).abs().max() > 1e-3  # the boundary is guided
    assert torch.equal(seen[0][1][8:], wanted[1][1][8:])  # the student is not


@pytest.mark.parametrize(
    ("teacher", "message"), [(None, "guides the teacher"), (POINT, "conditions can be dropped")]
)
def test_guidance_without_a_teacher_to_guide_is_refused(teacher: Any, message: str) -> None:
    batch = TrainingBatch(field=POINT, x=randn(8, 2), teacher=teacher)
    with pytest.raises(InputError, match=message):
        SplitMeanFlow(HALF, guidance=2.0)(batch, seeded())


# Masks, seeds, shapes.


@each_objective
def test_padding_changes_nothing(objective: Objective) -> None:
    check_padding(objective)


@each_objective
def test_seeds_make_draws_with_times_in_order(objective: Objective) -> None:
    check_seeds(objective)


@each_objective
@pytest.mark.parametrize("shape", [(10,), (8, 3), (8, 2, 5)])
def test_one_loss_a_sample(objective: Objective, shape: tuple[int, ...]) -> None:
    check_per_sample(objective, TRUTHS[0], shape)


@each_objective
def test_conditions_follow_their_rows_through_all_branches(objective: Objective) -> None:
    torch.manual_seed(0)
    net = MLP(3, cond_dim=2, width=16).double()
    u, x = Conditioned(net, (randn(16, 2),)), randn(16, 3)
    draw = objective.draw(x, seeded(1), 0.5)
    whole = objective.loss(TrainingBatch(field=u, x=x, target=u), draw).per_sample
    n = objective.pairs.n_equal(16)
    for k in range(16):
        row = slice(k, k + 1)
        pairs = replace(objective.pairs, p_equal=float(k < n))
        kept = {name: value[row] for name, value in vars(draw).items() if value is not None}
        one = u.rows(row)
        part = replace(objective, pairs=pairs).loss(
            TrainingBatch(field=one, x=x[row], target=one), Draw(**kept)
        )
        torch.testing.assert_close(part.per_sample[0], whole[k])


# Training. Flow matching's single step gives the mean of the data, with next to no spread; a
# network that learnt nothing gives noise, at the wrong mean.


def one_step(objective: Any, steps: int = 300) -> Tensor:
    torch.manual_seed(0)
    net, generator = MLP(2, width=64, depth=2, time_dim=16), seeded()
    average = frozen_copy(net)
    adam = torch.optim.Adam(net.parameters(), lr=6e-3)
    for k in range(steps):
        adam.param_groups[0]["lr"] = 6e-3 * (1 - k / steps)
        x = two_modes(256, generator)
        draw = objective.draw(x, generator, k / steps)
        loss = objective.loss(TrainingBatch(field=net, x=x, target=average), draw)
        adam.zero_grad()
        loss.per_sample.mean().backward()
        adam.step()
        ema_update(average, net, 0.98)
    with torch.no_grad():
        return sample(average, torch.randn(4000, 2, generator=generator))


def two_modes(n: int, generator: torch.Generator) -> Tensor:
    side = 2.0 * torch.randint(2, (n, 1), generator=generator) - 1
    noise = torch.randn(n, 2, generator=generator) * torch.tensor([0.3, 0.8])
    return torch.cat([side, torch.full_like(side, -0.5)], 1) + noise


def close_to_data(x: Tensor) -> bool:
    wanted = two_modes(4000, seeded(9))
    ratio = x.std(0) / wanted.std(0)
    apart = (x.mean(0) - wanted.mean(0)).abs()
    return bool((apart < 0.2).all() and (ratio > 0.65).all() and (ratio < 1.35).all())


@pytest.mark.parametrize(
    ("objective", "learns"),
    [
        (ImprovedMeanFlow(HALF), True),
        (AlphaFlow(HALF, end=0.7), True),
        (Shortcut(HALF), True),
        (FlowMatching(), False),
        (AlphaFlow(HALF, start=2.0, end=3.0), False),  # alpha stays at 1
    ],
    ids=["imf", "alphaflow", "shortcut", "fm", "alpha-1"],
)
def test_one_step_samples_come_close_to_the_data(objective: Any, learns: bool) -> None:
    assert close_to_data(one_step(objective)) == learns


def test_noise_is_not_close_to_the_data() -> None:
    assert not close_to_data(torch.randn(4000, 2, generator=seeded()))


# One graph. In a process of its own, see test_objectives.py. Alpha differs from call to call and
# must not have the loss compiled anew.

COMPILED = """
import torch
from oneleap.core.fields.guidance import TargetGuidance
from oneleap.core.nets import MLP, ResidualMLP
from oneleap.core.objectives import AlphaFlow, ImprovedMeanFlow, Shortcut, SplitMeanFlow
from oneleap.core.paths.times import TimePairs
from oneleap.core.types import Conditioned, TrainingBatch

torch.manual_seed(0)
average = MLP(3, cond_dim=2, width=8).requires_grad_(False)
x, cond, null = torch.randn(16, 3), torch.randn(16, 2), torch.zeros(1, 2)
guidance, scales = TargetGuidance(), TargetGuidance(scales=(1.0, 4.0))
pairs = TimePairs(deployed=(1, 2))
for objective in (
    Shortcut(), SplitMeanFlow(pairs, guidance=2.0), AlphaFlow(pairs, guidance=guidance),
    ImprovedMeanFlow(pairs, guidance=scales),
):
    torch._dynamo.reset()
    guided = getattr(objective, "guidance", None) == scales
    net = ResidualMLP(3, 2, width=8, guided=True) if guided else MLP(3, cond_dim=2, width=8)
    weights = list(net.parameters())

    def loss(x, draw):
        u, frozen = Conditioned(net, (cond,), (null,)), Conditioned(average, (cond,), (null,))
        batch = TrainingBatch(field=u, x=x, target=frozen, teacher=frozen)
        return objective.loss(batch, draw).per_sample.mean()

    compiled = torch.compile(loss, fullgraph=True, backend="{backend}")
    for k, progress in enumerate((0.0, 0.45, 0.55)):
        draw = objective.draw(x, torch.Generator().manual_seed(k), progress)
        with torch._dynamo.config.patch(error_on_recompile=k > 0):
            mine = torch.autograd.grad(compiled(x, draw), weights)
        theirs = torch.autograd.grad(loss(x, draw), weights)
        for one, other in zip(mine, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
"""


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_every_loss_compiles_to_one_graph_and_once(backend: str) -> None:
    script = COMPILED.replace("{backend}", backend)
    subprocess.run([sys.executable, "-c", script], check=True, timeout=600)
