"""Each classic mistake, made on purpose, must show: the tests of exactness are able to fail.

No equation is written twice here. A mutant is the objective itself with one of the names it uses
rebound, or with a field that does what a mistaken call would.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from support.exact import Gaussian, on_trajectory, seeded
from torch import Tensor

from oneleap.core.fields.jvp import total_derivative
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import alphaflow, improved_meanflow, meanflow, shortcut, splitmeanflow
from oneleap.core.objectives.alphaflow import AlphaFlow
from oneleap.core.objectives.flow_matching import FlowMatching
from oneleap.core.objectives.improved_meanflow import ImprovedMeanFlow
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.core.objectives.shortcut import Shortcut
from oneleap.core.objectives.splitmeanflow import SplitMeanFlow
from oneleap.core.paths.base import LinearPath, expand, jump
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.sampling import ode as sampling
from oneleap.core.types import Draw, Field, Objective, TrainingBatch

Patch = pytest.MonkeyPatch
TRUTH = Gaussian(0.7, 0.5)
PAIRS = TimePairs(Uniform(), p_equal=0.5)
FM, MF, SMF = FlowMatching(), MeanFlow(PAIRS), SplitMeanFlow(PAIRS)
IMF, ALPHA = ImprovedMeanFlow(PAIRS), AlphaFlow(PAIRS)
SHORT = Shortcut(PAIRS, steps=2**36)


def drawn(objective: Objective, x: Tensor) -> Draw:
    """Long intervals for Shortcut: only the very shortest, which are Euler's, have an error."""
    source = replace(objective, steps=16) if isinstance(objective, Shortcut) else objective
    return source.draw(x, seeded(), progress=0.52)


def loss_at_the_truth(objective: Objective, field: Field | None = None) -> float:
    """What test_objectives.py and test_average_velocity.py demand to be below 1e-20."""
    truth = Gaussian(0.7, 0.0) if objective is ALPHA else TRUTH  # exact on straight paths alone
    z = torch.randn(64, 3, generator=seeded(), dtype=torch.float64)
    draw = drawn(objective, z)
    x, at = on_trajectory(truth, z, draw)
    batch = TrainingBatch(field=field or truth, x=x)
    return objective.loss(batch, replace(draw, e=at.e)).per_sample.mean().item()


# Mistakes of the path, shared by all objectives.


def velocity_from_noise_to_data(patch: Patch) -> None:
    patch.setattr(LinearPath, "velocity", lambda self, x, e: x - e)


def data_at_time_one(patch: Patch) -> None:
    point = LinearPath.point
    patch.setattr(LinearPath, "point", lambda self, x, e, t: point(self, e, x, t))


# Mistakes of MeanFlow: the tangents (v, 0, 1) of Eq. (8), and the sign and factor of Eq. (6).
# iMF has the same in another place.


def derivative(patch: Patch, mutant: Callable[..., tuple[Tensor, Tensor]]) -> None:
    patch.setattr(meanflow, "total_derivative", mutant)
    patch.setattr(improved_meanflow, "total_derivative", mutant)


def factor(patch: Patch, mutant: Callable[[Tensor, Tensor], Tensor]) -> None:
    patch.setattr(meanflow, "expand", mutant)
    patch.setattr(improved_meanflow, "expand", mutant)


def tangent_in_r_for_t(patch: Patch) -> None:
    def mutant(u: Field, z: Tensor, r: Tensor, t: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return total_derivative(lambda z, t, r: u(z, r, t), z, t, r, v)

    derivative(patch, mutant)


def tangent_in_r_and_t(patch: Patch) -> None:
    def mutant(u: Field, z: Tensor, r: Tensor, t: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return total_derivative(lambda z, _, now: u(z, r + (now - t), now), z, r, t, v)

    derivative(patch, mutant)


def tangent_without_time(patch: Patch) -> None:
    def mutant(u: Field, z: Tensor, r: Tensor, t: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return total_derivative(lambda z, r, _: u(z, r, t), z, r, t, v)

    derivative(patch, mutant)


def tangent_without_velocity(patch: Patch) -> None:
    derivative(patch, lambda u, z, r, t, v: total_derivative(u, z, r, t, 0 * v))


def tangent_of_the_wrong_sign(patch: Patch) -> None:
    derivative(patch, lambda u, z, r, t, v: total_derivative(u, z, r, t, -v))


def correction_added(patch: Patch) -> None:
    factor(patch, lambda h, like: -expand(h, like))


def correction_without_its_factor(patch: Patch) -> None:
    factor(patch, lambda h, like: torch.ones_like(expand(h, like)))


def correction_left_out(patch: Patch) -> None:
    factor(patch, lambda h, like: 0 * expand(h, like))


# Mistakes of SplitMeanFlow: the weights of the two parts, and the jump between them. The jump is
# Shortcut's and alpha-Flow's, too; for the weights of the latter see test_average_velocity.py.


def weights_swapped(patch: Patch) -> None:
    patch.setattr(splitmeanflow, "expand", lambda share, like: 1 - expand(share, like))


def leap(patch: Patch, mutant: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    for file in (splitmeanflow, shortcut, alphaflow):
        patch.setattr(file, "jump", mutant)


def jump_towards_noise(patch: Patch) -> None:
    leap(patch, lambda z, u, r, t: jump(z, u, t, r))


def jump_left_out(patch: Patch) -> None:
    leap(patch, lambda z, u, r, t: z)


def jump_to_the_end(patch: Patch) -> None:
    leap(patch, lambda z, u, r, t: jump(z, u, torch.zeros_like(r), t))


def times_of_the_draw_swapped(patch: Patch) -> None:
    draw = Shortcut.draw
    patch.setattr(Shortcut, "draw", lambda *a, **k: swapped(draw(*a, **k)))


def swapped(draw: Draw) -> Draw:
    return replace(draw, r=draw.t, t=draw.r)


def halves_of_the_wrong_length(patch: Patch) -> None:
    """The finest level's rule, to ask at ``d = 0``, everywhere."""
    patch.setattr(torch, "where", lambda finest, zero, half: zero)


EACH: list[Objective] = [FM, MF, SMF, IMF, SHORT, ALPHA]
OF_THE_DERIVATIVE = [
    tangent_in_r_for_t,
    tangent_in_r_and_t,
    tangent_without_time,
    tangent_without_velocity,
    tangent_of_the_wrong_sign,
    correction_added,
    correction_without_its_factor,
    correction_left_out,
]
MUTANTS: list[tuple[Objective, Callable[[Patch], None]]] = [
    *[(o, m) for o in EACH for m in (velocity_from_noise_to_data, data_at_time_one)],
    *[(o, m) for o in (MF, IMF) for m in OF_THE_DERIVATIVE],
    *[(o, m) for o in (SMF, SHORT, ALPHA) for m in (jump_towards_noise, jump_left_out)],
    *[(o, jump_to_the_end) for o in (SMF, SHORT, ALPHA)],
    (SMF, weights_swapped),
    (SHORT, times_of_the_draw_swapped),
    (SHORT, halves_of_the_wrong_length),
]


@pytest.mark.parametrize(
    ("objective", "mutate"), MUTANTS, ids=lambda a: getattr(a, "__name__", type(a).__name__)
)
def test_the_exact_field_has_a_loss_under_a_mutant(
    monkeypatch: Patch, objective: Objective, mutate: Callable[[Patch], None]
) -> None:
    assert loss_at_the_truth(objective) < 1e-20
    mutate(monkeypatch)
    assert loss_at_the_truth(objective) > 1e-3


@pytest.mark.parametrize("objective", [MF, SMF, IMF, SHORT], ids=lambda o: type(o).__name__)
@pytest.mark.parametrize(
    "field",
    [
        lambda z, r, t: TRUTH(z, t, r),
        lambda z, r, t: -TRUTH(z, r, t),
        lambda z, r, t: TRUTH(z, t, t),
        lambda z, r, t: TRUTH(z, 0 * r, t),
        lambda z, r, t: TRUTH(z, 1 - t, 1 - r),
    ],
    ids=["r-and-t-swapped", "sign", "velocity-for-mean", "always-to-data", "time-reversed"],
)
def test_a_field_called_wrongly_has_a_loss(objective: Objective, field: Field) -> None:
    assert loss_at_the_truth(objective, field) > 1e-3


def gradient(objective: Objective, net: MLP) -> Tensor:
    x = TRUTH.sample((16, 3), seeded())
    loss = objective.loss(TrainingBatch(field=net, x=x), drawn(objective, x)).per_sample.mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.parameters()))])


def stop_gradient_of_tensors_left_out(patch: Patch) -> None:
    patch.setattr(Tensor, "detach", lambda self: self)


def stop_gradient_of_the_block_left_out(patch: Patch) -> None:
    patch.setattr(torch, "no_grad", nullcontext)


def stop_gradient_left_out(patch: Patch) -> None:
    stop_gradient_of_tensors_left_out(patch)
    stop_gradient_of_the_block_left_out(patch)


@pytest.mark.parametrize(
    ("objective", "mutate"),
    [
        (MF, stop_gradient_of_tensors_left_out),
        (IMF, stop_gradient_of_tensors_left_out),
        (SMF, stop_gradient_left_out),
        (SHORT, stop_gradient_of_the_block_left_out),
        (ALPHA, stop_gradient_of_the_block_left_out),
    ],
    ids=lambda a: getattr(a, "__name__", type(a).__name__),
)
def test_a_missing_stop_gradient_changes_the_gradient(
    monkeypatch: Patch, objective: Objective, mutate: Callable[[Patch], None]
) -> None:
    """And so fails the comparison with a constant target in test_objectives.py."""
    torch.manual_seed(0)
    net = MLP(3, width=16).double()
    wanted = gradient(objective, net)
    mutate(monkeypatch)
    assert (gradient(objective, net) - wanted).norm() > 1e-3 * wanted.norm()


@pytest.mark.parametrize(
    "mutant",
    [
        lambda z, u, r, t: jump(z, u, t, r),
        lambda z, u, r, t: z - u,
        lambda z, u, r, t: z - expand(t, z) * u,
    ],
    ids=["sign", "full-length", "to-the-end"],
)
def test_a_wrong_jump_misses_the_exact_flow(
    monkeypatch: Patch, mutant: Callable[..., Tensor]
) -> None:
    e = torch.randn(32, generator=seeded(), dtype=torch.float64)
    ones = torch.ones_like(e)
    monkeypatch.setattr(sampling, "jump", mutant)
    missed = sampling.sample(TRUTH, e, steps=2) - TRUTH.flow(e, 0 * ones, ones)
    assert missed.square().mean() > 1e-3
