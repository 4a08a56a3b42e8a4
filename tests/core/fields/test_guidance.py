"""Guidance inside a target, against mean velocities of guided Gaussians in closed form.

Gaussians of one width have velocities that differ in their mean alone, and linearly so: guiding
one away from the other at scale w is the velocity of the mean ``w m + (1 - w) m_null``.
"""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.exact import Gaussian, seeded
from support.exact_paths import Recorder, gradients, randn
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields import guidance as guidance_file
from oneleap.core.fields.guidance import TargetGuidance
from oneleap.core.losses.metrics import SquaredError
from oneleap.core.nets.mlp import MLP, ResidualMLP
from oneleap.core.objectives import AlphaFlow, ImprovedMeanFlow, MeanFlow
from oneleap.core.paths.base import LinearPath
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.sampling.ode import sample
from oneleap.core.types import Conditioned, Draw, TrainingBatch

Objective = MeanFlow | ImprovedMeanFlow | AlphaFlow
NULL, STD = -0.3, 0.5
HALF = TimePairs(Uniform(), p_equal=0.5)
EACH: list[Objective] = [MeanFlow(HALF), ImprovedMeanFlow(HALF), AlphaFlow(HALF)]
GUIDANCES = [
    TargetGuidance(),
    TargetGuidance(omega=2.0, kappa=0.0),
    TargetGuidance(omega=0.2, kappa=0.9, drop=0.5),
    TargetGuidance(scales=(1.0, 8.0)),
    TargetGuidance(omega=0.7, scales=(0.5, 3.0), drop=0.4),
]
named = {"ids": lambda value: type(value).__name__}
each_objective = pytest.mark.parametrize("objective", EACH, **named)
each_guidance = pytest.mark.parametrize("guidance", GUIDANCES, ids=str)


@dataclass(frozen=True)
class GuidedGaussians:
    """The network that training should end at: every condition is the mean of a Gaussian."""

    guidance: TargetGuidance
    std: float = STD

    def __call__(
        self, z: Tensor, r: Tensor, t: Tensor, cond: Tensor, guidance: Tensor | None = None
    ) -> Tensor:
        scale = torch.tensor(self.guidance.omega / (1 - self.guidance.kappa)).to(z)
        if guidance is not None:
            scale = guidance.unsqueeze(1)
        mean = scale * cond + (1 - scale) * NULL  # NULL itself stays where it is
        exact = Gaussian(0.0, self.std)
        shift = (1 - t).unsqueeze(1) * mean  # of z_t; the velocity of the mean itself is -mean
        return exact(z - shift, r, t) - mean


def case(
    guidance: TargetGuidance, draw: Draw, std: float = STD
) -> tuple[Conditioned, TrainingBatch, Draw]:
    """Data and noise whose straight path has the velocity of each row's own distribution."""
    cond, z = 0.8 + 0.1 * randn(len(draw.t), 1, seed=5), randn(len(draw.t), 3, seed=6)
    null = torch.full((1, 1), NULL, dtype=torch.float64)
    field = Conditioned(GuidedGaussians(guidance, std), (cond,), (null,))
    assert draw.dropped is not None
    mean = torch.where(draw.dropped.unsqueeze(1), NULL, cond)
    w = (1 - draw.t).unsqueeze(1)
    x, e = Gaussian(0.0, std).posterior(z - w * mean, draw.t)
    return field, TrainingBatch(field=field, x=x + mean), replace(draw, e=e)


@each_guidance
@pytest.mark.parametrize("objective", EACH[:2], **named)
def test_loss_of_the_exact_guided_field_is_zero(
    objective: Objective, guidance: TargetGuidance
) -> None:
    objective = replace(objective, guidance=guidance)
    _, batch, draw = case(guidance, objective.draw(torch.empty(60, 3).double(), seeded()))
    assert draw.dropped is not None
    assert 0 < draw.dropped.sum() < 60
    assert objective.loss(batch, draw).per_sample.max() < 1e-20
    assert replace(objective, guidance=None).loss(batch, draw).per_sample.max() > 1e-2


@each_guidance
def test_alpha_flow_has_no_loss_on_the_exact_field_either_where_paths_are_straight(
    guidance: TargetGuidance,
) -> None:
    objective = AlphaFlow(HALF, guidance=guidance)
    draw = objective.draw(torch.empty(60, 3).double(), seeded(), 0.5)
    _, batch, draw = case(guidance, draw, std=0.0)
    assert objective.loss(batch, draw).per_sample.max() < 1e-20
    assert replace(objective, guidance=None).loss(batch, draw).per_sample.max() > 1e-2


def where(mutant: Any) -> SimpleNamespace:
    """torch, as this one file sees it."""
    return SimpleNamespace(**{**vars(torch), "where": mutant})


DROP, EVERY = Conditioned.drop, torch.ones(60, dtype=torch.bool)
MUTANTS = {
    "never-dropped": (Conditioned, "drop", lambda field, dropped: field),
    "all-dropped": (Conditioned, "drop", lambda field, dropped: DROP(field, EVERY)),
    "guided-though-dropped": (guidance_file, "torch", where(lambda plain, v, guided: guided)),
    "never-guided": (guidance_file, "torch", where(lambda plain, v, guided: v)),
    "guided-where-dropped": (guidance_file, "torch", where(lambda p, v, g: torch.where(~p, v, g))),
    "null-is-cond": (guidance_file, "unconditional", lambda field, like: field),
    "cond-is-null": (guidance_file, "require_droppable", lambda field: DROP(field, EVERY)),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
@pytest.mark.parametrize("guidance", [GUIDANCES[0], GUIDANCES[2], GUIDANCES[3]], ids=str)
def test_a_mutant_of_guidance_misses_the_guided_velocity(
    monkeypatch: pytest.MonkeyPatch, guidance: TargetGuidance, mutant: tuple[Any, str, Any]
) -> None:
    drawn = MeanFlow(HALF, guidance=guidance).draw(torch.empty(60, 3).double(), seeded())
    field, batch, draw = case(guidance, drawn)
    assert draw.dropped is not None
    v, z = draw.e - batch.x, LinearPath().point(batch.x, draw.e, draw.t)
    truth = field if draw.w is None else field.with_guidance(draw.w)
    wanted = truth.drop(draw.dropped)(z, draw.t, draw.t)

    def error() -> float:
        """Of the velocity, and of the field that is handed on."""
        u_of, guided = guidance(field, z, v, draw)
        return max((a - wanted).abs().max().item() for a in (guided, u_of(z, draw.t, draw.t)))

    assert error() < 1e-12
    monkeypatch.setattr(*mutant)
    assert error() > 1e-2


# Against the formulas, on networks.


def net_case(guidance: TargetGuidance) -> tuple[Conditioned, Tensor, Tensor, Draw]:
    torch.manual_seed(0)
    net = ResidualMLP(3, 2, width=16, guided=guidance.scales is not None).double()
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=seeded())
    field = Conditioned(net, (randn(20, 2),), (torch.zeros(1, 2).double(),))
    draw = MeanFlow(HALF, guidance=guidance).draw(randn(20, 3), seeded(1))
    return field, randn(20, 3, seed=2), randn(20, 3, seed=3), draw


@each_guidance
def test_the_guided_velocity_is_its_formula(guidance: TargetGuidance) -> None:
    guidance = replace(guidance, interval=(0.2, 0.7))
    field, z, v, draw = net_case(guidance)
    assert draw.dropped is not None
    _, guided = guidance(field, z, v, draw)
    assert not guided.requires_grad
    omega, t = guidance.omega, draw.t
    null = replace(field, cond=(torch.zeros(20, 2).double(),))
    for i in range(20):
        row = slice(i, i + 1)
        if draw.dropped[i] or not 0.2 <= t[i] <= 0.7:
            assert torch.equal(guided[i], v[i])
            continue
        kappa, extra = guidance.kappa, {}
        if draw.w is not None:
            kappa, extra = 1 - omega / draw.w[i].item(), {"guidance": draw.w[row]}
        given, bare = (
            f.net(z[row], t[row], t[row], f.cond[0][row], **extra)[0] for f in (field, null)
        )
        wanted = omega * v[i] + kappa * given + (1 - omega - kappa) * bare
        torch.testing.assert_close(guided[i], wanted)


PARTS = TargetGuidance._parts
Parts = tuple[Conditioned, Tensor, Tensor]


def everywhere(self: TargetGuidance, field: Conditioned, draw: Draw) -> Parts:
    conditional, dropped, unguided = PARTS(self, field, draw)
    return conditional, dropped, torch.zeros_like(unguided)


def outside(self: TargetGuidance, field: Conditioned, draw: Draw) -> Parts:
    conditional, dropped, unguided = PARTS(self, field, draw)
    return conditional, dropped, ~unguided


@pytest.mark.parametrize(
    "mutant",
    [
        everywhere,
        outside,
        lambda self, field, draw: PARTS(self, field, replace(draw, t=draw.r)),
        lambda self, field, draw: PARTS(self, field, replace(draw, t=1 - draw.t)),
        lambda self, field, draw: PARTS(self, field, replace(draw, t=draw.t / (1 - draw.t))),
    ],
    ids=["everywhere", "outside", "end-of-the-step", "time-reversed", "sigma"],
)
@pytest.mark.parametrize("guidance", [GUIDANCES[0], GUIDANCES[3]], ids=str)
def test_a_mutant_of_the_interval_is_seen(
    monkeypatch: pytest.MonkeyPatch, guidance: TargetGuidance, mutant: Any
) -> None:
    test_the_guided_velocity_is_its_formula(guidance)
    monkeypatch.setattr(TargetGuidance, "_parts", mutant)
    with pytest.raises(AssertionError):
        test_the_guided_velocity_is_its_formula(guidance)


def test_a_scale_of_1_is_no_guidance() -> None:
    plain, inert = MeanFlow(HALF), MeanFlow(HALF, guidance=TargetGuidance(1.0, 0.0, drop=0.0))
    field, x, _, _ = net_case(TargetGuidance())
    batch, draw = TrainingBatch(field=field, x=x), inert.draw(x, seeded())
    mine, theirs = (o.loss(batch, draw).per_sample for o in (inert, plain))
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(plain.draw(x, seeded()).e, draw.e)  # one seed, one noise


def test_dropped_rows_train_the_unconditional_field_alone() -> None:
    guidance = TargetGuidance(drop=0.5)
    field, x, _, draw = net_case(guidance)
    cond = field.cond[0].clone().requires_grad_()
    assert draw.dropped is not None
    batch = TrainingBatch(field=replace(field, cond=(cond,)), x=x)
    for objective in EACH:
        loss = replace(objective, guidance=guidance).loss(batch, draw)
        (slope,) = torch.autograd.grad(loss.per_sample.sum(), cond)
        felt = slope.abs().sum(1) > 0
        assert torch.equal(felt, ~draw.dropped)


@each_objective
def test_no_gradient_runs_through_the_guidance(objective: Objective) -> None:
    """The target is a constant: that of another network with the same values has the same slope."""
    seen: list[tuple[Tensor, Tensor]] = []
    guidance = TargetGuidance()
    objective = replace(objective, guidance=guidance, metric=Recorder(SquaredError(), seen))
    field, x, _, _ = net_case(guidance)
    draw = objective.draw(x, seeded(), 0.5)
    loss = objective.loss(TrainingBatch(field=field, x=x), draw).per_sample.sum()
    prediction, target = seen[0]
    assert not target.requires_grad
    assert isinstance(field.net, torch.nn.Module)
    assert draw.dropped is not None
    u = field.drop(draw.dropped)(LinearPath().point(x, draw.e, draw.t), draw.r, draw.t)
    constant = (u + (prediction - u).detach() - target).square().mean(1).sum()
    torch.testing.assert_close(gradients(loss, field.net), gradients(constant, field.net))


# Draws.


@given(st.floats(0, 0.99), st.integers(0, 2**31))
def test_the_share_of_dropped_rows_is_as_asked(drop: float, seed: int) -> None:
    t = torch.linspace(0, 1, 4000)
    draw = TargetGuidance(drop=drop).draw(Draw(t, t, t), seeded(seed))
    assert draw.dropped is not None
    deviation = (drop * (1 - drop) / 4000) ** 0.5
    assert abs(draw.dropped.float().mean().item() - drop) < 5 * deviation + 1e-6


def test_scales_are_log_uniform_and_seeds_reproduce() -> None:
    t, guidance = torch.linspace(0, 1, 20_000).double(), TargetGuidance(scales=(1.0, 8.0))
    draw, again, other = (guidance.draw(Draw(t, t, t), seeded(k)) for k in (1, 1, 2))
    assert draw.w is not None
    assert again.w is not None
    assert other.w is not None
    assert ((draw.w >= 1) & (draw.w <= 8)).all()
    share = draw.w.log2() / 3
    assert abs(share.mean() - 1 / 2) < 0.01
    assert abs(share.var() - 1 / 12) < 0.005
    assert torch.equal(draw.w, again.w)
    assert not torch.equal(draw.w, other.w)
    fixed = TargetGuidance().draw(Draw(t, t, t), seeded())
    assert fixed.w is None


# What is refused.


@pytest.mark.parametrize(
    "field",
    [
        Gaussian(),
        Conditioned(MLP(3, width=8).double()),
        Conditioned(MLP(3, cond_dim=1, width=8).double(), (randn(8, 1),)),
    ],
    ids=["no-network", "no-condition", "no-null"],
)
@each_objective
def test_a_model_whose_conditions_cannot_be_dropped_is_refused(
    objective: Objective, field: Any
) -> None:
    guided = replace(objective, guidance=TargetGuidance())
    with pytest.raises(InputError, match="conditions can be dropped") as refusal:
        guided(TrainingBatch(field=field, x=randn(8, 3)), seeded())
    assert "\n" not in str(refusal.value)


@each_objective
def test_the_draw_of_an_objective_without_guidance_is_refused(objective: Objective) -> None:
    field, x, _, _ = net_case(TargetGuidance())
    draw = objective.draw(x, seeded())
    with pytest.raises(InputError, match=r"needs the dropped rows and scales of its own draw\(\)"):
        replace(objective, guidance=TargetGuidance()).loss(TrainingBatch(field=field, x=x), draw)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"omega": 0.0}, "omega must be above 0"),
        ({"kappa": 1.0}, "kappa in"),
        ({"drop": 1.0}, "drop must be a probability"),
        ({"interval": (0.6, 0.4)}, "two rising times"),
        ({"interval": (0.0, 1.1)}, "two rising times"),
        ({"scales": (0.0, 2.0)}, "two rising positive numbers"),
        ({"scales": (3.0, 2.0)}, "two rising positive numbers"),
    ],
)
def test_settings_that_mean_nothing_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TargetGuidance(**setting)


# Training: one step of one evaluation gives the guided distribution.


def test_one_step_lands_where_guidance_leads() -> None:
    """Means at 0.5 and -0.5, unconditional 0; the scale 2 leads to 1 and -1."""
    torch.manual_seed(0)
    net, generator = MLP(1, cond_dim=1, width=32, depth=2, time_dim=8), seeded()
    objective = MeanFlow(HALF, guidance=TargetGuidance(omega=1.0, kappa=0.5, drop=0.2))
    adam = torch.optim.Adam(net.parameters(), lr=5e-3)
    for k in range(300):
        adam.param_groups[0]["lr"] = 5e-3 * (1 - k / 300)
        label = 2.0 * torch.randint(2, (256, 1), generator=generator) - 1
        x = 0.5 * label + 0.5 * torch.randn(256, 1, generator=generator)
        field = Conditioned(net, (label,), (torch.zeros(1, 1),))
        loss = objective(TrainingBatch(field=field, x=x), generator).per_sample.mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    e = torch.randn(2000, 1, generator=generator)
    with torch.no_grad():
        means = [sample(Conditioned(net, (torch.full_like(e, c),)), e).mean() for c in (1, 0, -1)]
    for mean, wanted in zip(means, (1.0, 0.0, -1.0), strict=True):
        assert mean.item() == pytest.approx(wanted, abs=0.15)
