"""A teacher's velocity in the average-velocity family: exact in every row, guided or not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.exact import Gaussian, on_trajectory, seeded
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields import targets
from oneleap.core.fields.guidance import TargetGuidance
from oneleap.core.objectives import (
    AlphaFlow,
    FlowMatching,
    ImprovedMeanFlow,
    MeanFlow,
    Shortcut,
    alphaflow,
    flow_matching,
    improved_meanflow,
    meanflow,
    shortcut,
)
from oneleap.core.paths.base import expand
from oneleap.core.paths.times import GapPairs, TimePairs, Uniform, UShaped
from oneleap.core.types import Conditioned, Draw, Field, Objective, TrainingBatch

PAIRS = TimePairs(Uniform(), p_equal=0.5)
TRUTH, POINT = Gaussian(0.7, 0.5), Gaussian(0.7, 0.0)
FAMILY: list[Objective] = [
    FlowMatching(),
    MeanFlow(PAIRS),
    MeanFlow(GapPairs()),
    ImprovedMeanFlow(PAIRS),
    AlphaFlow(PAIRS),
    Shortcut(PAIRS, steps=2**36),
]
each = pytest.mark.parametrize("objective", FAMILY, ids=lambda o: type(o).__name__)


def drawn(objective: Objective, x: Tensor) -> Draw:
    source = replace(objective, steps=16) if isinstance(objective, Shortcut) else objective
    return source.draw(x, seeded(), progress=0.52)


def rows_at_the_truth(objective: Objective, taught: bool) -> Tensor:
    """Loss of each row at the exact field, on data that scatter about the velocity."""
    truth = POINT if isinstance(objective, AlphaFlow) else TRUTH  # exact on straight paths alone
    x = TRUTH.sample((64, 3), seeded(7))
    batch = TrainingBatch(field=truth, x=x, teacher=truth if taught else None)
    return objective.loss(batch, drawn(objective, x)).per_sample


@each
def test_every_row_of_the_exact_field_has_no_loss_under_a_teacher(objective: Objective) -> None:
    assert rows_at_the_truth(objective, taught=True).max() < 1e-20
    assert rows_at_the_truth(objective, taught=False).mean() > 1e-2  # the scatter of the sample


MODULES = (alphaflow, flow_matching, improved_meanflow, meanflow, shortcut)
Mutant = Callable[[Field], Field | None]


def teacher_seen_as(patch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    """Let every objective see another teacher than the batch has."""
    for helper in ("trained_velocity", "boundary_velocity"):
        real: Callable[..., Any] = getattr(targets, helper)

        def seen(batch: Any, *rest: Any, real: Callable[..., Any] = real) -> Any:
            return real(replace(batch, teacher=mutant(batch.teacher)), *rest)

        for module in MODULES:
            if hasattr(module, helper):
                patch.setattr(module, helper, seen)


def ignored(teacher: Field) -> None:
    return None


def of_the_wrong_sign(teacher: Field) -> Field:
    return lambda z, r, t: -teacher(z, r, t)


def mean_for_velocity(teacher: Field) -> Field:
    return lambda z, r, t: teacher(z, 0 * t, t)


def at_reversed_times(teacher: Field) -> Field:
    return lambda z, r, t: teacher(z, 1 - t, 1 - t)


MISTAKES: list[tuple[Objective, Mutant]] = [
    (objective, mistake)
    for objective in FAMILY
    for mistake in (ignored, of_the_wrong_sign, mean_for_velocity, at_reversed_times)
    if not (isinstance(objective, AlphaFlow) and mistake is mean_for_velocity)  # equal on a point
]


@pytest.mark.parametrize(
    ("objective", "mistake"), MISTAKES, ids=lambda a: getattr(a, "__name__", type(a).__name__)
)
def test_a_mistaken_teacher_has_a_loss(
    monkeypatch: pytest.MonkeyPatch, objective: Objective, mistake: Mutant
) -> None:
    teacher_seen_as(monkeypatch, mistake)
    assert rows_at_the_truth(objective, taught=True).mean() > 1e-3


# Guidance: velocities of Gaussians of one spread are affine in their means, so the guided velocity
# is that of a Gaussian, and the exact mean velocity of the guided model is known.

NULL, COND, STD = -0.3, 0.6, 0.5


def conditioned(mean: float, n: int) -> Conditioned:
    """A field with the given mean under the condition 1, and ``NULL`` under the condition 0."""

    def net(z: Tensor, r: Tensor, t: Tensor, c: Tensor) -> Tensor:
        means: Any = NULL + (mean - NULL) * expand(c, z)
        return Gaussian(means, STD)(z, r, t)

    ones = torch.ones(n, dtype=torch.float64)
    return Conditioned(net, (ones,), (torch.zeros_like(ones),))


def guided_batch(scale: float, n: int = 64) -> TrainingBatch:
    x = TRUTH.sample((n, 3), seeded(3))
    field = conditioned(NULL + scale * (COND - NULL), n)
    return TrainingBatch(field=field, x=x, teacher=conditioned(COND, n))


GUIDANCE = TargetGuidance(omega=1.5, kappa=0.25, drop=0.3)  # a scale of 2
GUIDED: list[Any] = [
    FlowMatching(guidance=2.0),
    Shortcut(PAIRS, steps=2**36, guidance=2.0),
    MeanFlow(PAIRS, guidance=GUIDANCE),
    ImprovedMeanFlow(PAIRS, guidance=GUIDANCE),
]
each_guided = pytest.mark.parametrize("objective", GUIDED, ids=lambda o: type(o).__name__)


@each_guided
def test_a_guided_teacher_gives_the_guided_field(objective: Objective) -> None:
    batch = guided_batch(2.0)
    draw = drawn(objective, batch.x)
    assert objective.loss(batch, draw).per_sample.max() < 1e-20
    assert objective.loss(guided_batch(1.0), draw).per_sample.mean() > 1e-3
    assert objective.loss(guided_batch(3.0), draw).per_sample.mean() > 1e-3


def test_guidance_acts_inside_its_interval_only() -> None:
    batch = guided_batch(1.0)
    objective = FlowMatching()
    draw = replace(objective.draw(batch.x, seeded()), dropped=torch.zeros(64, dtype=torch.bool))
    z = (1 - expand(draw.t, batch.x)) * batch.x + expand(draw.t, batch.x) * draw.e
    inside = TargetGuidance(2.0, 0.0, 0.0, (0.2, 0.6))
    teacher = batch.teacher
    assert teacher is not None
    _, v = inside.taught(batch.field, teacher, z, draw)
    same = (v - batch.field(z, draw.t, draw.t)).abs().amax(1) < 1e-12
    assert torch.equal(same, (draw.t < 0.2) | (draw.t > 0.6))


@pytest.mark.parametrize("objective", [FlowMatching(guidance=2.0), Shortcut(guidance=2.0)])
def test_guidance_of_a_teacher_that_is_missing_is_refused(objective: Objective) -> None:
    assert objective.teacher_use() == "required"
    batch = replace(guided_batch(1.0), teacher=None)
    with pytest.raises(InputError, match=r"guides the teacher, and none was given"):
        objective.loss(batch, drawn(objective, batch.x))


@pytest.mark.parametrize(
    "law",
    [lambda t: t, lambda t: 1 - t],
    ids=["data", "noise"],
)
def test_the_u_shaped_law_has_its_density(law: Callable[[Tensor], Tensor]) -> None:
    t = law(UShaped(4.0).sample((200_000,), torch.zeros(0).double(), seeded()))
    # E exp(-4 t) under exp(-4 t) + exp(-4 (1 - t)), both normalized by (1 - exp(-4)) / 4
    wanted = 0.5 * ((1 - torch.tensor(-8.0).exp()) / 8 + torch.tensor(-4.0).exp())
    wanted = wanted / ((1 - torch.tensor(-4.0).exp()) / 4)
    assert t.mul(-4).exp().mean().item() == pytest.approx(wanted.item(), rel=1e-2)


def test_gaps_are_cut_and_long_intervals_completed() -> None:
    pairs = GapPairs(p_equal=0.25)
    r, t = pairs.sample(4000, torch.zeros(0).double(), seeded())
    assert torch.equal(r[:1000], t[:1000])
    r, t = r[1000:], t[1000:]
    assert bool((r >= 0).all())
    assert bool((r < t).all())
    assert not ((t > 0.8) & (r > 0) & (r < 0.4)).any()
    loose, _ = replace(pairs, snap=None).sample(4000, torch.zeros(0).double(), seeded())
    moved = loose[1000:] != r
    assert torch.equal(moved, (t > 0.8) & (loose[1000:] < 0.4) & (loose[1000:] > 0))
    assert 0.05 < moved.double().mean() < 0.5


@pytest.mark.parametrize("std", [0.5, 1.3])
def test_mean_flow_on_affine_pairs_is_exact_in_every_row(std: float) -> None:
    """Pairs ``x = m + s e`` lie on the exact flow: Re-MeanFlow's case."""
    truth, pairs = Gaussian(0.7, std), GapPairs()
    objective = MeanFlow(pairs)
    e = torch.randn(64, 3, generator=seeded(), dtype=torch.float64)
    draw = replace(objective.draw(e, seeded()), e=e)
    x = truth.flow(e, torch.zeros(64).double(), torch.ones(64).double())

    def straight(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Mean velocity of the pairs, ``z_t = (1 - t)(m + s e) + t e``, which is ``e - x``."""
        scale = (1 - expand(t, z)) * std + expand(t, z)
        noise = (z - (1 - expand(t, z)) * truth.mean) / scale
        return (1 - std) * noise - truth.mean

    loss = objective.loss(TrainingBatch(field=straight, x=x), draw).per_sample
    assert loss.max() < 1e-20
    other, at = on_trajectory(truth, e, draw)
    assert objective.loss(TrainingBatch(field=straight, x=other), at).per_sample.mean() > 1e-3


def never_completed(self: GapPairs, n: int, like: Tensor, g: torch.Generator) -> Any:
    t = self.times.sample((n,), like, g)
    return (t - self.gaps.sample((n,), like, g)).clamp(min=0.0), t


def below_zero(self: GapPairs, n: int, like: Tensor, g: torch.Generator) -> Any:
    t = self.times.sample((n,), like, g)
    return t - self.gaps.sample((n,), like, g), t


@pytest.mark.parametrize("mutant", [never_completed, below_zero])
def test_a_mutant_of_the_gaps_is_seen(monkeypatch: pytest.MonkeyPatch, mutant: Any) -> None:
    monkeypatch.setattr(GapPairs, "_ordered", mutant)
    with pytest.raises(AssertionError):
        test_gaps_are_cut_and_long_intervals_completed()


def test_a_law_of_another_rate_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = UShaped.sample
    monkeypatch.setattr(UShaped, "sample", lambda self, *a: right(UShaped(2.0), *a))
    with pytest.raises(AssertionError):
        test_the_u_shaped_law_has_its_density(lambda t: t)
