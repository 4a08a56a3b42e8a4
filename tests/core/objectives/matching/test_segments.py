"""Generators of several steps: states, their noise, and what the fake learns from them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.exact import Gaussian, seeded
from support.matching.bench import Bench, normal_nodes, product_nodes
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.objectives import DMD, DMD2, TDM, DiffInstruct, PhasedDMD
from oneleap.core.objectives.matching import dmd2, phased
from oneleap.core.objectives.matching.phased import travelled
from oneleap.core.paths.base import expand
from oneleap.core.types import Draw, SecondNetworks, TrainingBatch

TRUTH = Gaussian(0.7, 0.5)
SEGMENTS: list[Any] = [TDM(generator_steps=2), TDM(), PhasedDMD(), PhasedDMD(ends=(0.6, 0.2, 0.0))]


def exact(x: Tensor, mean: float = 0.7, std: float = 0.5) -> TrainingBatch:
    """A generator, a fake and a teacher that are the same Gaussian's flow map."""
    field = Gaussian(mean, std)
    second = SecondNetworks(fake=field, frozen_fake=field)
    return TrainingBatch(field=field, x=x, teacher=TRUTH, second=second)


@pytest.mark.parametrize("progress", [0.0, 0.4, 0.9])
@pytest.mark.parametrize("objective", SEGMENTS, ids=str)
def test_draws_stay_within_their_segments(objective: Any, progress: float) -> None:
    draw = objective.draw(torch.zeros(200, 3).double(), seeded(), progress)
    ends = objective.ends_of_steps()
    starts = (1.0, *ends[:-1])
    steps = {(round(float(s), 9), round(float(t), 9)) for s, t in zip(draw.r, draw.t, strict=True)}
    assert steps <= {(round(e, 9), round(s, 9)) for e, s in zip(ends, starts, strict=True)}
    assert len(steps) == (len(ends) if isinstance(objective, TDM) else 1)
    for part in (draw.judging, draw.fitting):
        assert part is not None
        top = draw.t if isinstance(objective, TDM) else torch.ones_like(draw.t)
        assert torch.equal(part.r, draw.r)
        assert bool(((part.r < part.t) & (part.t < top)).all())


def test_phases_follow_each_other() -> None:
    ends = [
        float(PhasedDMD().draw(torch.zeros(2, 1), seeded(), progress).r[0])
        for progress in (0.0, 0.49, 0.5, 1.0)
    ]
    assert ends == [0.5, 0.5, 0.0, 0.0]


@pytest.mark.parametrize("objective", SEGMENTS, ids=str)
def test_a_flow_map_that_is_exact_is_not_pushed(objective: Any) -> None:
    e = torch.randn(64, 2, generator=seeded(), dtype=torch.float64)
    draw = objective.draw(e, seeded())
    batch = exact(e)
    x = objective.leap(batch, draw)
    torch.testing.assert_close(x, TRUTH.flow(draw.e, draw.r, torch.ones(64).double()))
    assert objective.push(batch, x.requires_grad_(), draw.judging).logs["gap"] < 1e-20
    off = exact(e, mean=0.2)
    assert objective.push(off, x, draw.judging).logs["gap"] > 1e-3


@pytest.mark.parametrize("objective", SEGMENTS, ids=str)
def test_a_state_is_noised_to_the_law_of_the_path(objective: Any) -> None:
    """``alpha x_s + beta n`` is the mixture that ``x_s``'s own path has at ``t``."""
    e, n, weights = product_nodes()
    draw = objective.draw(e.unsqueeze(1), seeded())
    judging = replace(draw.judging, e=n.unsqueeze(1))
    s, t = judging.r[0], judging.t[0]
    draw = replace(draw, e=e.unsqueeze(1), r=s.expand(len(e)), t=draw.t[0].expand(len(e)))
    judging = replace(judging, r=draw.r, t=t.expand(len(e)))
    x = objective.leap(exact(draw.e), draw)
    z = objective.state(exact(draw.e), x, judging).flatten()
    mean = (weights * z).sum()
    variance = (weights * (z - mean) ** 2).sum()
    torch.testing.assert_close(mean, (1 - t) * TRUTH.mean)
    torch.testing.assert_close(variance, TRUTH.sigma(t) ** 2)


def fitted_velocity(objective: Any, naive: bool) -> tuple[Tensor, Tensor]:
    """Least-squares slope of the fake's target on ``z``, and the exact slope, at one time."""
    e, n, weights = product_nodes()
    s, t = torch.full_like(e, 0.3), torch.full_like(e, 0.7)
    x = TRUTH.flow(e.unsqueeze(1), s, torch.ones_like(e))
    z = objective.state(exact(x), x, Draw(n.unsqueeze(1), s, t)).flatten()
    _, beta = phased.coefficients(s, t)
    target = n - x.flatten() if naive else -x.flatten() / (1 - s)
    if not naive:
        target = target + (t + (1 - t) * s**2 / (1 - s) ** 2) / beta * n
    mean = (weights * z).sum()
    slope = (weights * (z - mean) * target).sum() / (weights * (z - mean) ** 2).sum()
    at = torch.stack([mean, mean + 1]).unsqueeze(1)
    v = TRUTH(at, t[:2], t[:2]).flatten()
    return slope, v[1] - v[0]


def test_the_target_of_the_fake_has_the_velocity_as_its_mean() -> None:
    """The unbounded form of the paper, and the naive target that is wrong."""
    torch.testing.assert_close(*fitted_velocity(TDM(), naive=False))
    wrong, right = fitted_velocity(TDM(), naive=True)
    assert (wrong - right).abs() > 0.05


@pytest.mark.parametrize("objective", SEGMENTS, ids=str)
def test_the_exact_fake_minimizes_its_loss(objective: Any) -> None:
    """The gradient of the fitting loss is zero at the exact fake, whatever direction is tried."""
    e, n, weights = product_nodes()
    rows = torch.ones_like(e)
    draw = objective.draw(e.unsqueeze(1), seeded())
    r, t, u = draw.fitting.r[0], draw.fitting.t[0], draw.t[0]
    fitting = Draw(n.unsqueeze(1), r * rows, t * rows)
    x = objective.leap(exact(e.unsqueeze(1)), Draw(e.unsqueeze(1), r * rows, u * rows))
    shift, slope = torch.zeros(2, dtype=torch.float64, requires_grad=True)

    def fake(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return TRUTH(z, r, t) + shift + slope * z

    batch = replace(exact(x), second=SecondNetworks(fake=fake, frozen_fake=fake))
    loss = (weights * objective.fit(batch, x.detach(), fitting).per_sample).sum()
    for gradient in torch.autograd.grad(loss, (shift, slope)):
        assert gradient.abs() < 1e-10


def test_one_step_of_tdm_is_dmd() -> None:
    bench = Bench()
    e, n, _ = product_nodes()
    one, dmd = TDM(generator_steps=1), DMD(regression=0.0)
    a, b = bench.parameters()
    batch = bench.batch(a, b, e.unsqueeze(1))
    draw = one.draw(e.unsqueeze(1), seeded())
    draw = replace(draw, e=e.unsqueeze(1))
    x = one.leap(batch, draw)
    assert torch.equal(x, dmd.leap(batch, draw))
    assert draw.judging is not None
    judging = replace(draw.judging, e=n.unsqueeze(1))
    found, wanted = one.push(batch, x, judging), dmd.push(batch, x, judging)
    torch.testing.assert_close(found.per_sample, wanted.per_sample)
    weight = (1 - judging.t) ** 2
    fitted = weight * dmd.fit(batch, x.detach(), judging).per_sample
    torch.testing.assert_close(one.fit(batch, x.detach(), judging).per_sample, fitted)


# Backward simulation of DMD2.


def test_earlier_steps_are_simulated_with_fresh_noise_and_without_gradient() -> None:
    objective = DMD2(generator_steps=4)
    e = torch.randn(400, 2, generator=seeded(), dtype=torch.float64)
    draw = objective.draw(e, seeded(1))
    assert {float(t) for t in draw.t.unique()} == {0.25, 0.5, 0.75, 1.0}
    assert draw.renoise is not None
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    z = dmd2.simulated(replace(exact(e), field=lambda z, r, t: weight * z), draw, 4)
    assert not z.requires_grad
    z = dmd2.simulated(exact(e), draw, 4)
    assert torch.equal(z[draw.t == 1], draw.e[draw.t == 1])
    by_hand = draw.e
    for k, n in enumerate(draw.renoise, start=1):
        now, later = 1 - (k - 1) / 4, 1 - k / 4
        x = TRUTH.flow(by_hand, torch.zeros(400).double(), torch.full((400,), now).double())
        by_hand = (1 - later) * x + later * n
        rows = draw.t == later
        torch.testing.assert_close(z[rows], by_hand[rows])


def test_states_of_the_simulation_have_the_law_of_the_path() -> None:
    objective = DMD2(generator_steps=3)
    e = torch.randn(60_000, 1, generator=seeded(), dtype=torch.float64)
    draw = objective.draw(e, seeded(1))
    z = dmd2.simulated(exact(e), draw, 3)
    for t in draw.t.unique():
        rows = z[draw.t == t]
        assert rows.mean().item() == pytest.approx((1 - t.item()) * 0.7, abs=0.02)
        assert rows.std().item() == pytest.approx(TRUTH.sigma(t).item(), rel=0.02)


def test_every_step_of_an_exact_generator_makes_data() -> None:
    objective = DMD2(generator_steps=3)
    e = torch.randn(60_000, 1, generator=seeded(), dtype=torch.float64)
    draw = objective.draw(e, seeded(1))
    x = objective.leap(exact(e), draw)
    assert torch.unique(draw.t, return_counts=True)[1].min() > 19_000
    for t in draw.t.unique():
        rows = x[draw.t == t]
        assert rows.mean().item() == pytest.approx(TRUTH.mean, abs=0.02)
        assert rows.std().item() == pytest.approx(TRUTH.std, rel=0.02)


def test_one_step_draws_nothing_more() -> None:
    x = torch.zeros(8, 2).double()
    one, plain = DMD2().draw(x, seeded()), DMD(times=DMD2().times).draw(x, seeded())
    assert one.renoise is None
    assert torch.equal(one.e, plain.e)


def test_steps_carry_noise_to_the_start_of_each_row() -> None:
    ends = (0.75, 0.5, 0.25, 0.0)
    e = torch.randn(5, 1, generator=seeded(), dtype=torch.float64)
    t = torch.tensor([1.0, 0.75, 0.5, 0.25, 1.0]).double()
    z = travelled(TRUTH, Draw(e, 0 * t, t), ends)
    torch.testing.assert_close(z, TRUTH.flow(e, t, torch.ones(5).double()))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PhasedDMD(ends=(0.5,)), "must fall from below 1 to 0"),
        (lambda: PhasedDMD(ends=(0.2, 0.5, 0.0)), "must fall"),
        (lambda: TDM(generator_steps=0), "at least 1"),
        (lambda: DMD2(generator_steps=0), "at least 1"),
        (lambda: DMD(steps=0), "at least 1"),
        (lambda: DiffInstruct(ratio=0), "ratio of DiffInstruct must be at least 1"),
        (lambda: DiffInstruct(fake_lr=0.0), "fake_lr of DiffInstruct must be positive"),
        (lambda: DiffInstruct(t_min=0.9, t_max=0.1), "must rise within"),
    ],
)
def test_settings_that_cannot_be_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_the_nodes_integrate_polynomials() -> None:
    nodes, weights = normal_nodes()
    assert (weights * nodes**4).sum().item() == pytest.approx(3.0)


RIGHT = phased.coefficients


@pytest.mark.parametrize("objective", [TDM(), PhasedDMD()], ids=["tdm", "phased"])
@pytest.mark.parametrize(
    "mutant",
    [
        lambda s, t: (RIGHT(s, t)[0], t),  # the noise of the state is forgotten
        lambda s, t: (1 - t, RIGHT(s, t)[1]),  # as if the state were data
        lambda s, t: RIGHT(s, t)[::-1],
    ],
    ids=["noise-again", "state-for-data", "exchanged"],
)
def test_a_mutant_of_the_noising_misses_the_law_of_the_path(
    monkeypatch: pytest.MonkeyPatch, objective: Any, mutant: Any
) -> None:
    monkeypatch.setattr(phased, "coefficients", mutant)
    with pytest.raises(AssertionError):
        test_a_state_is_noised_to_the_law_of_the_path(objective)


JUMP, COEFFICIENTS = phased.jump, RIGHT


@pytest.mark.parametrize(
    ("name", "mutant", "exactness"),
    [
        (
            "jump",
            lambda z, u, r, t: z,
            test_steps_carry_noise_to_the_start_of_each_row,
        ),
        (
            "jump",
            lambda z, u, r, t: JUMP(z, u, t, r),
            test_steps_carry_noise_to_the_start_of_each_row,
        ),
        (
            "jump",
            lambda z, u, r, t: JUMP(z, u, 0 * r, t),
            test_steps_carry_noise_to_the_start_of_each_row,
        ),
        (
            "expand",
            lambda choice, z: torch.ones_like(expand(choice, z)),
            test_steps_carry_noise_to_the_start_of_each_row,
        ),
        (
            "coefficients",
            lambda s, t: (COEFFICIENTS(s, t)[0], t),
            lambda: test_the_exact_fake_minimizes_its_loss(TDM()),
        ),
        (
            "coefficients",
            lambda s, t: (1 - t, COEFFICIENTS(s, t)[1]),
            lambda: test_the_exact_fake_minimizes_its_loss(PhasedDMD(ends=(0.6, 0.2, 0.0))),
        ),
    ],
    ids=["still", "back", "to-data", "too-far", "noise-again", "state-for-data"],
)
def test_a_mutant_of_the_segments_is_seen(
    monkeypatch: pytest.MonkeyPatch, name: str, mutant: Any, exactness: Callable[[], None]
) -> None:
    exactness()
    monkeypatch.setattr(phased, name, mutant)
    with pytest.raises(AssertionError):
        exactness()


SIMULATED, NOISED = dmd2.simulated, dmd2.noised


def with_the_first_noise(batch: TrainingBatch, draw: Draw, steps: int) -> Tensor:
    again = None if draw.renoise is None else tuple(draw.e for _ in draw.renoise)
    return SIMULATED(batch, replace(draw, renoise=again), steps)


def one_step_further(batch: TrainingBatch, draw: Draw, steps: int) -> Tensor:
    return SIMULATED(batch, replace(draw, t=draw.t - 1 / steps), steps)


@pytest.mark.parametrize(
    ("name", "mutant", "missed"),
    [
        (
            "simulated",
            SIMULATED.__wrapped__,  # type: ignore[attr-defined]
            [test_earlier_steps_are_simulated_with_fresh_noise_and_without_gradient],
        ),
        (
            "simulated",
            with_the_first_noise,
            [
                test_earlier_steps_are_simulated_with_fresh_noise_and_without_gradient,
                test_states_of_the_simulation_have_the_law_of_the_path,
                test_every_step_of_an_exact_generator_makes_data,
            ],
        ),
        (
            "simulated",
            one_step_further,
            [
                test_earlier_steps_are_simulated_with_fresh_noise_and_without_gradient,
                test_states_of_the_simulation_have_the_law_of_the_path,
                test_every_step_of_an_exact_generator_makes_data,
            ],
        ),
        (  # the states of real training: always pure noise
            "simulated",
            lambda batch, draw, steps: draw.e,
            [
                test_states_of_the_simulation_have_the_law_of_the_path,
                test_every_step_of_an_exact_generator_makes_data,
            ],
        ),
        (  # noised to the time before
            "noised",
            lambda batch, x, draw: NOISED(batch, x, replace(draw, t=(1 + draw.t) / 2)),
            [
                test_earlier_steps_are_simulated_with_fresh_noise_and_without_gradient,
                test_states_of_the_simulation_have_the_law_of_the_path,
                test_every_step_of_an_exact_generator_makes_data,
            ],
        ),
        (  # the velocity instead of the mean velocity down to the data
            "consistency_function",
            lambda field, z, t: z - expand(t, z) * field(z, t, t),
            [
                test_earlier_steps_are_simulated_with_fresh_noise_and_without_gradient,
                test_states_of_the_simulation_have_the_law_of_the_path,
                test_every_step_of_an_exact_generator_makes_data,
            ],
        ),
    ],
    ids=["gradient", "stale-noise", "step-too-far", "pure-noise", "noised-late", "velocity"],
)
def test_a_mutant_of_backward_simulation_is_seen(
    monkeypatch: pytest.MonkeyPatch, name: str, mutant: Any, missed: list[Callable[[], None]]
) -> None:
    monkeypatch.setattr(dmd2, name, mutant)
    for exactness in missed:
        with pytest.raises(AssertionError):
            exactness()
