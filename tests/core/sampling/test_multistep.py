"""DPM-Solver++(2M) and UniPC: orders, cost, and the coefficients written once more."""

from collections.abc import Callable

import pytest
import torch
from support.exact import Gaussian, seeded
from torch import Tensor

from oneleap.core.sampling import multistep
from oneleap.core.sampling.multistep import dpm_solver, unipc
from oneleap.core.sampling.ode import euler, time_grid

TRUTH = Gaussian(0.7, 0.5)
E = torch.randn(32, 2, generator=seeded(), dtype=torch.float64)
DATA = TRUTH.flow(E, torch.zeros(32).double(), torch.ones(32).double())
Solver = Callable[..., Tensor]
each = pytest.mark.parametrize("solver", [dpm_solver, unipc])


def error(solver: Solver, steps: int) -> float:
    return float((solver(TRUTH, E, steps=steps) - DATA).abs().max())


@pytest.mark.parametrize(("solver", "least"), [(euler, 1.9), (dpm_solver, 3.2), (unipc, 3.8)])
def test_halving_the_step_divides_the_error(solver: Solver, least: float) -> None:
    assert error(solver, 64) / error(solver, 128) > least


def test_at_equal_cost_they_are_ahead_of_euler() -> None:
    plain, second, corrected = (error(s, 32) for s in (euler, dpm_solver, unipc))
    assert second < plain / 5
    assert corrected < second / 1.5


@each
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_each_step_takes_one_call_and_the_last_is_finite(solver: Solver, steps: int) -> None:
    calls: list[float] = []
    done: list[int] = []

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        calls.append(t[0].item())
        assert torch.equal(r, t)
        return TRUTH(z, r, t)

    x = solver(field, E, steps=steps, callback=lambda k, z: done.append(k))
    assert calls == time_grid(steps, E)[:-1].tolist()
    assert done == list(range(1, steps + 1))
    assert x.isfinite().all()


@each
def test_of_a_point_and_in_up_to_two_steps_it_is_exact_or_eulers(solver: Solver) -> None:
    point = Gaussian(0.7, 0.0)
    torch.testing.assert_close(solver(point, E, steps=9), torch.full_like(E, 0.7))
    torch.testing.assert_close(solver(TRUTH, E, steps=1), euler(TRUTH, E, steps=1))
    if solver is dpm_solver:
        torch.testing.assert_close(solver(TRUTH, E, steps=3), euler(TRUTH, E, steps=3))


def test_the_weights_of_the_correction_solve_their_equations() -> None:
    times, k = time_grid(10, E), 4
    before, now, after = torch.randn(3, 5, generator=seeded(1), dtype=torch.float64)
    odds = [((1 - t) / t).log() for t in times[k - 1 : k + 2]]
    h, ratio = odds[2] - odds[1], (odds[0] - odds[1]) / (odds[2] - odds[1])
    scaled = torch.expm1(-h)
    b1 = (scaled / -h - 1) / scaled
    b2 = 2 * ((scaled / -h - 1) / -h - 0.5) / scaled
    matrix = torch.stack([torch.ones(2).double(), torch.stack([ratio, ratio / ratio])])
    rho = torch.linalg.solve(matrix, torch.stack([b1, b2]))
    wanted = now + rho[0] * (before - now) / ratio + rho[1] * (after - now)
    means = [now, now, now, before, now, after]
    torch.testing.assert_close(multistep._corrected(means, times, k), wanted)


def test_mutants_lose_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multistep, "_corrected", lambda means, times, k: means[k])
    assert error(unipc, 64) / error(unipc, 128) < 3.0
    monkeypatch.setattr(multistep, "_inner", lambda times, k: False)
    assert error(dpm_solver, 64) / error(dpm_solver, 128) < 2.1
