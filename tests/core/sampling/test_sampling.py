"""Sampling against the exact flow of a Gaussian."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.exact import Gaussian, seeded
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields import guidance as guidance_file
from oneleap.core.fields.guidance import GuidedField
from oneleap.core.fields.jvp import total_derivative
from oneleap.core.sampling.ode import euler, heun, sample, time_grid
from oneleap.core.types import Field

SHAPES = [(64,), (3, 5), (2, 4, 4)]


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=seeded(), dtype=torch.float64)


def exact_image(truth: Gaussian, e: Tensor) -> Tensor:
    ones = torch.ones(len(e), dtype=e.dtype)
    return truth.flow(e, 0 * ones, ones)


def test_the_grid_falls_from_noise_to_data_in_equal_steps() -> None:
    grid = time_grid(4, noise(2, 3))
    assert grid.dtype == torch.float64
    assert grid.tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]


@pytest.mark.parametrize("steps", [0, -3])
@pytest.mark.parametrize("sampler", [sample, euler, heun])
def test_fewer_than_one_step_is_refused(sampler: Callable[..., Tensor], steps: int) -> None:
    with pytest.raises(InputError, match=f"at least 1 step, not {steps}"):
        sampler(Gaussian(), noise(2, 3), steps=steps)


def test_one_step_is_noise_minus_the_mean_velocity_of_the_whole_interval() -> None:
    field, e = Gaussian(), noise(7, 3)
    ones = torch.ones(7, dtype=torch.float64)
    torch.testing.assert_close(sample(field, e), e - field(e, 0 * ones, ones), rtol=0, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 64])
def test_any_number_of_steps_on_the_exact_field_is_the_exact_flow(
    shape: tuple[int, ...], steps: int
) -> None:
    truth, e = Gaussian(), noise(*shape)
    torch.testing.assert_close(
        sample(truth, e, steps=steps), exact_image(truth, e), rtol=0, atol=1e-12
    )


def test_one_step_turns_noise_into_data() -> None:
    x = sample(Gaussian(0.7, 0.5), noise(200_000))
    assert abs(x.mean() - 0.7) < 5e-3
    assert abs(x.std() - 0.5) < 5e-3


@pytest.mark.parametrize(("solver", "order"), [(euler, 1), (heun, 2)])
def test_solvers_converge_at_their_order(solver: Callable[..., Tensor], order: int) -> None:
    truth, e = Gaussian(0.7, 0.5), noise(50)
    wanted = exact_image(truth, e)
    errors = [(solver(truth, e, steps=k) - wanted).abs().max() for k in (32, 64, 128)]
    for coarse, fine in itertools.pairwise(errors):
        assert torch.log2(coarse / fine).item() == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize(("solver", "calls"), [(sample, 3), (euler, 3), (heun, 6)])
def test_cost_is_as_documented_and_the_callback_counts_steps(
    solver: Callable[..., Tensor], calls: int
) -> None:
    seen: list[tuple[int, Tensor]] = []
    times: list[tuple[float, float]] = []

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        times.append((r[0].item(), t[0].item()))
        return Gaussian()(z, r, t)

    x = solver(field, noise(4, 2), steps=3, callback=lambda k, z: seen.append((k, z)))
    assert len(times) == calls
    assert [k for k, _ in seen] == [1, 2, 3]
    assert torch.equal(seen[-1][1], x)
    assert all(r <= t for r, t in times)
    if solver is not sample:
        assert all(r == t for r, t in times)  # a multi-step field is asked for velocities only


@pytest.mark.parametrize("sampler", [sample, euler, heun])
def test_samples_are_differentiable_in_the_noise(sampler: Callable[..., Tensor]) -> None:
    e = noise(4, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda e: sampler(Gaussian(), e, steps=2), (e,))
    (slope,) = torch.autograd.grad(sample(Gaussian(0.7, 0.5), e).sum(), e)
    torch.testing.assert_close(slope, torch.full_like(slope, 0.5))


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_guidance_extrapolates_from_null_to_condition(scale: float) -> None:
    cond, null = Gaussian(1.0, 0.5), Gaussian(-1.0, 0.8)
    z, r, t = noise(6, 2), torch.rand(6).double() / 2, torch.rand(6).double() / 2 + 0.5
    wanted = (1 - scale) * null(z, r, t) + scale * cond(z, r, t)
    torch.testing.assert_close(GuidedField(cond, null, scale)(z, r, t), wanted)


def test_guidance_in_an_interval_depends_on_the_time_where_a_step_starts() -> None:
    cond, null = Gaussian(1.0, 0.5), Gaussian(-1.0, 0.8)
    t = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9], dtype=torch.float64)
    z, r = noise(5, 2), t - 0.1
    some = GuidedField(cond, null, 3.0, (0.3, 0.5))
    inside = torch.tensor([False, True, True, False, False])
    guided = 3 * cond(z, r, t) - 2 * null(z, r, t)
    wanted = torch.where(inside.unsqueeze(1), guided, cond(z, r, t))
    torch.testing.assert_close(some(z, r, t), wanted)
    assert torch.equal(some(z, r, t)[~inside], cond(z, r, t)[~inside])
    part = slice(2, 5)
    assert torch.equal(some.rows(part)(z[part], r[part], t[part]), some(z, r, t)[part])


def test_a_sampler_is_guided_on_its_way_through_the_interval_only() -> None:
    cond, null, e = Gaussian(1.0, 0.5), Gaussian(-1.0, 0.8), noise(6, 2)
    z = euler(GuidedField(cond, null, 3.0, (0.4, 0.6)), e, steps=10)
    plain = e
    for k in range(10):
        t = torch.full((6,), 1 - k / 10, dtype=torch.float64)
        scale = 3.0 if k in (4, 5, 6) else 1.0
        plain = plain - GuidedField(cond, null, scale)(plain, t, t) / 10
    torch.testing.assert_close(z, plain)


def test_an_interval_has_a_forward_derivative() -> None:
    some = GuidedField(Gaussian(1.0, 0.5), Gaussian(-1.0, 0.8), 3.0, (0.2, 0.8))
    z, v = noise(4, 2), noise(4, 2).cos()
    r, t = torch.zeros(4).double(), torch.tensor([0.1, 0.4, 0.6, 0.9]).double()
    u, slope = total_derivative(some, z, r, t, v)
    after, before = some(z + 1e-5 * v, r, t + 1e-5), some(z - 1e-5 * v, r, t - 1e-5)
    torch.testing.assert_close(u, some(z, r, t))
    torch.testing.assert_close(slope, (after - before) / 2e-5, rtol=1e-6, atol=1e-7)


CALL = GuidedField.__call__
Guided = Callable[[GuidedField, Tensor, Tensor, Tensor], Tensor]


def the_end_decides(self: GuidedField, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
    cond, null = self.cond, self.null
    fixed = replace(self, cond=lambda *_: cond(z, r, t), null=lambda *_: null(z, r, t))
    return CALL(fixed, z, t, r)


def other_interval(ends: Callable[[float, float], tuple[float, float]]) -> Guided:
    return lambda self, z, r, t: CALL(replace(self, interval=ends(*self.interval)), z, r, t)


def chosen(choice: Callable[[Tensor, Tensor, Tensor], Tensor]) -> SimpleNamespace:
    """torch as the file of the guidance sees it, with another choice."""
    return SimpleNamespace(**{**vars(torch), "where": choice})


@pytest.mark.parametrize(
    ("where", "name", "mutant"),
    [
        (GuidedField, "__call__", the_end_decides),
        (GuidedField, "__call__", other_interval(lambda low, high: (0.0, 1.0))),
        (
            GuidedField,
            "__call__",
            other_interval(lambda low, high: (low / (1 + low), high / (1 + high))),
        ),
        (GuidedField, "__call__", other_interval(lambda low, high: (1 - high, 1 - low))),
        (GuidedField, "__call__", other_interval(lambda low, high: (low + 1e-6, high - 1e-6))),
        (guidance_file, "torch", chosen(lambda inside, guided, cond: cond)),
        (guidance_file, "torch", chosen(lambda i, guided, cond: torch.where(~i, guided, cond))),
        (guidance_file, "torch", chosen(lambda i, guided, cond: torch.where(i, guided, 0.0))),
    ],
    ids=["end", "always", "sigma", "reversed", "open", "never", "outside", "nothing-outside"],
)
def test_a_mutant_of_the_interval_is_seen(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, mutant: Any
) -> None:
    monkeypatch.setattr(where, name, mutant)
    with pytest.raises(AssertionError):
        test_guidance_in_an_interval_depends_on_the_time_where_a_step_starts()


def test_an_interval_that_rows_lose_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = GuidedField.rows
    everywhere = lambda self, index: replace(right(self, index), interval=(0.0, 1.0))  # noqa: E731
    monkeypatch.setattr(GuidedField, "rows", everywhere)
    with pytest.raises(AssertionError):
        test_guidance_in_an_interval_depends_on_the_time_where_a_step_starts()


@pytest.mark.parametrize("interval", [(0.6, 0.4), (-0.1, 0.5), (0.5, 1.1)])
def test_what_is_no_interval_is_refused(interval: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="interval must be two rising times"):
        GuidedField(Gaussian(), Gaussian(), 2.0, interval)


@pytest.mark.parametrize("sampler", [sample, euler, heun])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samplers_leave_the_noise_alone_and_keep_its_dtype(
    sampler: Callable[..., Tensor], dtype: torch.dtype
) -> None:
    e = noise(6, 2).to(dtype)
    before = e.clone()
    assert sampler(Gaussian(), e, steps=3).dtype == dtype
    assert torch.equal(e, before)


def test_guidance_of_two_equal_fields_changes_nothing() -> None:
    field: Field = GuidedField(Gaussian(), Gaussian(), 7.0)
    e = noise(6, 2)
    torch.testing.assert_close(sample(field, e), sample(Gaussian(), e))
