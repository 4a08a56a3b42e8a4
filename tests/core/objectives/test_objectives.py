"""Every objective against closed-form truth, in float64."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.exact import Gaussian, on_trajectory, seeded
from torch import Tensor, nn

from oneleap.core.fields.guidance import GuidedField
from oneleap.core.losses.metrics import AdaptiveSquaredError, Metric, SquaredError
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives.flow_matching import FlowMatching
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.core.objectives.splitmeanflow import SplitMeanFlow
from oneleap.core.paths.base import LinearPath, expand
from oneleap.core.paths.times import LogitNormal, TimePairs, Uniform
from oneleap.core.types import Conditioned, Draw, TrainingBatch

SHAPES = [(64,), (3, 5), (2, 4, 4)]
TRUTHS = [Gaussian(0.7, 0.5), Gaussian(-0.2, 1.3)]
PAIRS = TimePairs(Uniform(), p_equal=0.5)
Objective = FlowMatching | MeanFlow | SplitMeanFlow
OBJECTIVES: list[Objective] = [
    FlowMatching(),
    MeanFlow(PAIRS),
    MeanFlow(TimePairs(LogitNormal(), p_equal=0.4)),
    SplitMeanFlow(PAIRS),
]
each_objective = pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: type(o).__name__)


@dataclass(frozen=True)
class Recorder(Metric):
    """A squared error that keeps what it was shown."""

    seen: list[Tensor] = field(default_factory=list)

    def __call__(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        self.seen[:] = [prediction, target]
        return SquaredError()(prediction, target, mask)


class Pointwise(nn.Module):
    """A small network that treats the positions of a sequence alike and apart."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = nn.Linear(dim + 2, 16), nn.Linear(16, dim)
        self.double()

    def forward(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        times = [expand(h, z).expand(*z.shape[:-1], 1) for h in (t, t - r)]
        return self.outer(torch.tanh(self.inner(torch.cat([z, *times], -1))))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def gradients(loss: Tensor, net: nn.Module) -> Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.parameters()))])


# Exactness. Single samples see the conditional velocity e - x, whose mean given z_t is the
# marginal one. It equals its mean in two cases: data at a point, and data and noise at their
# posterior means given z_t (see Gaussian.posterior), where trajectories are curved.


@each_objective
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_loss_of_the_exact_field_is_zero_on_curved_trajectories(
    objective: Objective, shape: tuple[int, ...], truth: Gaussian
) -> None:
    z = noise(*shape)
    x, draw = on_trajectory(truth, z, objective.draw(z, seeded()))
    loss = objective.loss(TrainingBatch(field=truth, x=x), draw)
    assert loss.per_sample.shape == shape[:1]
    assert loss.per_sample.max() < 1e-20


@each_objective
@pytest.mark.parametrize("shape", SHAPES)
def test_loss_of_the_exact_field_is_zero_for_data_at_a_point(
    objective: Objective, shape: tuple[int, ...]
) -> None:
    batch = TrainingBatch(field=Gaussian(0.7, 0.0), x=torch.full(shape, 0.7, dtype=torch.float64))
    assert objective(batch, seeded()).per_sample.max() < 1e-20


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_teacher_that_is_exact_gives_zero_loss_on_random_data(
    truth: Gaussian, shape: tuple[int, ...]
) -> None:
    x = truth.sample(shape, seeded(1))
    batch = TrainingBatch(field=truth, x=x, teacher=truth)
    assert SplitMeanFlow(PAIRS)(batch, seeded()).per_sample.max() < 1e-20
    assert SplitMeanFlow(PAIRS)(replace(batch, teacher=None), seeded()).per_sample.max() > 1e-3


# Times closer than the clamp in the objective, 1e-6, are not exact.
grid_times = st.integers(0, 10**5).map(lambda k: k / 10**5)


@given(st.lists(st.tuples(*[grid_times] * 3), min_size=1, max_size=8))
def test_splitting_holds_at_any_ordered_times_ties_included(times: list[tuple[float]]) -> None:
    truth, n = Gaussian(), len(times)
    r, s, t = torch.tensor(times, dtype=torch.float64).sort(1).values.unbind(1)
    objective = SplitMeanFlow(TimePairs(Uniform(), p_equal=0.0))
    loss = objective.loss(
        TrainingBatch(field=truth, x=noise(n, 3)), Draw(noise(n, 3, seed=1), r, t, s)
    )
    assert loss.per_sample.max() < 1e-20


# Expectation, by quadrature over the posterior of the data given z_t: exact, for the target is
# affine in e - x. Here every sample is a real pair of data and noise.


def posterior_nodes(truth: Gaussian, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Data and noise whose paths meet ``z_t``, and their weights: each (b, k)."""
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(6))
    mean, _ = truth.posterior(z, t)
    x = mean.unsqueeze(1) + (truth.std * t / truth.sigma(t)).unsqueeze(1) * nodes
    e = (z.unsqueeze(1) - (1 - t).unsqueeze(1) * x) / t.unsqueeze(1)
    return x, e, (weights / weights.sum()).expand_as(x)


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
@pytest.mark.parametrize(
    "objective",
    [
        FlowMatching(metric=Recorder()),
        MeanFlow(TimePairs(Uniform(), p_equal=0.0), Recorder()),
        MeanFlow(TimePairs(Uniform(), p_equal=1.0), Recorder()),
        SplitMeanFlow(TimePairs(Uniform(), p_equal=1.0), Recorder()),
    ],
    ids=["fm", "meanflow", "meanflow-equal", "splitmeanflow-equal"],
)
def test_the_exact_field_is_the_mean_target_and_a_stationary_point(
    objective: Objective, truth: Gaussian
) -> None:
    z = noise(10)
    draw = objective.draw(z, seeded())
    x, e, weights = posterior_nodes(truth, z, draw.t)
    r, t = (h.unsqueeze(1).expand_as(x).flatten() for h in (draw.r, draw.t))
    theta = torch.zeros(3, dtype=torch.float64, requires_grad=True)

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return truth(z, r, t) + theta @ torch.stack([torch.ones_like(z), z * t, torch.sin(r - z)])

    loss = objective.loss(TrainingBatch(field=field, x=x.flatten()), Draw(e.flatten(), r, t, t))
    assert isinstance(objective.metric, Recorder)
    _, target = objective.metric.seen
    mean_target = (weights * target.reshape(x.shape)).sum(1)
    assert (mean_target - truth(z, draw.r, draw.t)).square().max() < 1e-20
    risk = (weights.flatten() * loss.per_sample).sum()
    assert risk > 0.1  # single targets scatter
    (slope,) = torch.autograd.grad(risk, theta)
    assert slope.abs().max() < 1e-11


# Targets of a network, against the equations written once more without the core.


def net_case(objective: Objective) -> tuple[MLP, Conditioned, Tensor, Draw]:
    torch.manual_seed(0)
    net, x = MLP(3, cond_dim=2, width=16).double(), noise(12, 3)
    return net, Conditioned(net, (noise(12, 2, seed=2),)), x, objective.draw(x, seeded(1))


def test_the_meanflow_target_is_its_equation_by_central_differences() -> None:
    objective = MeanFlow(PAIRS, Recorder())
    _, u, x, draw = net_case(objective)
    objective.loss(TrainingBatch(field=u, x=x), draw)
    r, t, h = draw.r, draw.t, 1e-5
    z, v = LinearPath().point(x, draw.e, t), draw.e - x
    with torch.no_grad():
        dudt = (u(z + h * v, r, t + h) - u(z - h * v, r, t - h)) / (2 * h)
        prediction, target = u(z, r, t), v - (t - r).unsqueeze(1) * dudt
    assert isinstance(objective.metric, Recorder)
    torch.testing.assert_close(objective.metric.seen[0], prediction)
    torch.testing.assert_close(objective.metric.seen[1], target, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("bootstrap", ["field", "target"])
def test_the_split_target_is_the_sum_of_two_displacements(bootstrap: str) -> None:
    objective = SplitMeanFlow(PAIRS, Recorder())
    _, u, x, draw = net_case(objective)
    average = Conditioned(MLP(3, cond_dim=2, width=16).double(), u.cond)
    batch = TrainingBatch(field=u, x=x, target=average if bootstrap == "target" else None)
    objective.loss(batch, draw)
    source = average if bootstrap == "target" else u
    r, t, s = draw.r, draw.t, draw.s
    assert s is not None
    assert ((r <= s) & (s <= t)).all()
    z = LinearPath().point(x, draw.e, t)
    with torch.no_grad():
        late = expand(t - s, z) * source(z, s, t)
        early = expand(s - r, z) * source(z - late, r, s)
        prediction = u(z, r, t)
    assert isinstance(objective.metric, Recorder)
    torch.testing.assert_close(objective.metric.seen[0], prediction)
    target = objective.metric.seen[1]
    torch.testing.assert_close(target[:6], (draw.e - x)[:6])
    torch.testing.assert_close(target[6:], ((late + early) / expand(t - r, z))[6:])


def test_a_split_without_its_times_is_refused() -> None:
    x, t = noise(4, 2), torch.ones(4, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"needs the intermediate times s of its own draw\(\)"):
        SplitMeanFlow(PAIRS).loss(TrainingBatch(field=Gaussian(), x=x), Draw(x, t, t))


@each_objective
def test_the_gradient_is_that_of_a_constant_target(objective: Objective) -> None:
    metric = Recorder()
    objective = replace(objective, metric=metric)
    net, u, x, draw = net_case(objective)
    loss = objective.loss(TrainingBatch(field=u, x=x), draw)
    _, target = metric.seen
    assert not target.requires_grad
    z = LinearPath().point(x, draw.e, draw.t)
    constant = (u(z, draw.r, draw.t) - target).square().mean(1)
    torch.testing.assert_close(loss.per_sample, constant)
    mine, wanted = gradients(loss.per_sample.sum(), net), gradients(constant.sum(), net)
    torch.testing.assert_close(mine, wanted)


def test_conditions_follow_their_rows_through_both_branches() -> None:
    for objective in (MeanFlow(PAIRS), SplitMeanFlow(PAIRS)):
        _, u, x, draw = net_case(objective)
        whole = objective.loss(TrainingBatch(field=u, x=x, target=u, teacher=u), draw).per_sample
        for k in range(len(x)):
            row, one = slice(k, k + 1), u.rows(slice(k, k + 1))
            assert draw.s is None or isinstance(draw.s, Tensor)
            s = None if draw.s is None else draw.s[row]
            alone = replace(objective, pairs=replace(PAIRS, p_equal=float(k < 6)))
            batch = TrainingBatch(field=one, x=x[row], target=one, teacher=one)
            part = alone.loss(batch, Draw(draw.e[row], draw.r[row], draw.t[row], s))
            torch.testing.assert_close(part.per_sample[0], whole[k])


def test_a_guided_teacher_hands_on_its_guidance() -> None:
    objective = SplitMeanFlow(TimePairs(Uniform(), p_equal=1.0), Recorder())
    teacher = GuidedField(Gaussian(1.0, 0.5), Gaussian(-1.0, 0.5), 2.0)
    x = noise(6, 2)
    draw = objective.draw(x, seeded())
    objective.loss(TrainingBatch(field=Gaussian(), x=x, teacher=teacher), draw)
    assert isinstance(objective.metric, Recorder)
    z = LinearPath().point(x, draw.e, draw.t)
    torch.testing.assert_close(objective.metric.seen[1], teacher(z, draw.t, draw.t))


# Relations between objectives, masks and seeds.


@pytest.mark.parametrize("metric", [SquaredError(), AdaptiveSquaredError()], ids=str)
def test_with_all_rows_equal_the_others_are_flow_matching_bit_for_bit(metric: Metric) -> None:
    pairs = TimePairs(Uniform(), p_equal=1.0)
    reference = FlowMatching(metric=metric)
    net, u, x, _ = net_case(reference)
    for objective in (MeanFlow(pairs, metric), SplitMeanFlow(pairs, metric)):
        draw = objective.draw(x, seeded())
        batch = TrainingBatch(field=u, x=x)
        mine, theirs = objective.loss(batch, draw), reference.loss(batch, draw)
        assert torch.equal(mine.per_sample, theirs.per_sample)
        got, wanted = (gradients(loss.per_sample.sum(), net) for loss in (mine, theirs))
        assert torch.equal(got, wanted)


@each_objective
@pytest.mark.parametrize("metric", [SquaredError(), AdaptiveSquaredError()], ids=str)
@pytest.mark.parametrize("teacher", [None, Gaussian()], ids=["data", "teacher"])
def test_padding_changes_nothing(
    objective: Objective, metric: Metric, teacher: Gaussian | None
) -> None:
    objective = replace(objective, metric=metric)
    net, x = Pointwise(3), noise(4, 6, 3)
    draw = objective.draw(x, seeded())
    mask = (torch.arange(6) < torch.tensor([[6], [4], [1], [5]])).unsqueeze(2)

    def evaluate(x: Tensor, e: Tensor) -> Iterator[Tensor]:
        batch = TrainingBatch(field=net, x=x, mask=mask, teacher=teacher)
        loss = objective.loss(batch, replace(draw, e=e))
        yield loss.per_sample
        yield gradients(loss.per_sample.sum(), net)
        yield from loss.logs.values()

    clean = evaluate(x, draw.e)
    spoilt = evaluate(torch.where(mask, x, 99.0), torch.where(mask, draw.e, -99.0))
    for mine, theirs in zip(clean, spoilt, strict=True):
        assert torch.equal(mine, theirs)


@each_objective
def test_seeds_reproduce_and_the_global_generator_is_left_alone(objective: Objective) -> None:
    batch = TrainingBatch(field=Gaussian(), x=noise(8, 3))
    state = torch.get_rng_state()
    one, two, other = (objective(batch, seeded(s)).per_sample for s in (3, 3, 4))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


@each_objective
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_follows_the_data_and_logs_are_detached_scalars(
    objective: Objective, dtype: torch.dtype
) -> None:
    net = MLP(3, width=8).to(dtype)
    loss = objective(TrainingBatch(field=net, x=torch.randn(8, 3, dtype=dtype)), seeded())
    assert loss.per_sample.dtype == dtype
    assert loss.per_sample.requires_grad
    assert loss.logs
    for value in loss.logs.values():
        assert value.shape == ()
        assert not value.requires_grad
        assert value.isfinite()


@pytest.mark.parametrize("p_equal", [0.0, 1.0])
@pytest.mark.parametrize("kind", [MeanFlow, SplitMeanFlow])
def test_batches_of_one_kind_of_rows_log_finite_figures(
    kind: type[MeanFlow] | type[SplitMeanFlow], p_equal: float
) -> None:
    objective = kind(TimePairs(Uniform(), p_equal))
    loss = objective(TrainingBatch(field=Gaussian(), x=noise(5, 2)), seeded())
    assert all(value.isfinite() for value in loss.logs.values())


# The whole loss compiles to one graph. In a process of its own: the checks of shapes that this
# test run switches on are no part of the product, and do not compile.

COMPILED = """
import torch
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives.flow_matching import FlowMatching
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.core.objectives.splitmeanflow import SplitMeanFlow
from oneleap.core.types import Conditioned, TrainingBatch

torch.manual_seed(0)
net, x, cond = MLP(3, cond_dim=2, width=8), torch.randn(8, 3), torch.randn(8, 2)
for objective in (FlowMatching(), MeanFlow(), SplitMeanFlow()):
    def loss(x, draw):
        u = Conditioned(net, (cond,))
        return objective.loss(TrainingBatch(field=u, x=x, target=u), draw).per_sample.mean()

    draw, weights = objective.draw(x), list(net.parameters())
    compiled = torch.compile(loss, fullgraph=True, backend="{backend}")
    pairs = zip(*(torch.autograd.grad(f(x, draw), weights) for f in (loss, compiled)), strict=True)
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
"""


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_every_loss_compiles_to_one_graph(backend: str) -> None:
    script = COMPILED.replace("{backend}", backend)
    subprocess.run([sys.executable, "-c", script], check=True, timeout=600)
