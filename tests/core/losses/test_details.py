"""Distances of samples: details by frequency, and features of the teacher."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.exact import seeded
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.losses import features, spectral
from oneleap.core.losses.features import FeatureDistance
from oneleap.core.losses.hooks import ActivationRecorder
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.losses.spectral import HighFrequency
from oneleap.core.objectives import (
    ConsistencyDistillation,
    DirectDistillation,
    FlowMatching,
    NoisePrediction,
)
from oneleap.core.types import TrainingBatch

N = 64


@pytest.mark.parametrize(("cycles", "high"), [(4, False), (15, False), (17, True), (28, True)])
def test_one_sinusoid_counts_as_its_frequency_says(cycles: int, high: bool) -> None:
    w = 2 * math.pi * cycles / N
    error = torch.sin(w * torch.arange(N).double()).view(1, 1, N)
    zero = torch.zeros_like(error)
    square = HighFrequency(weight=0.0, edges=0.0)(error, zero)
    torch.testing.assert_close(square, torch.tensor([0.5]).double())
    found = HighFrequency(weight=3.0, edges=0.0)(error, zero) - square
    torch.testing.assert_close(found, 3 * square * high, atol=1e-9, rtol=0)
    edges = HighFrequency(weight=0.0, edges=1.0)(error, zero) - square
    wanted = (2 * math.sin(w / 2)) ** 2 * square  # up to the first frame, which has no neighbor
    torch.testing.assert_close(edges, wanted, rtol=0.05, atol=0)


def test_details_are_zero_at_equality_and_blind_to_padding() -> None:
    x, y = torch.randn(2, 3, 2, 10, generator=seeded())
    mask = torch.ones(3, 1, 10, dtype=torch.bool)
    mask[:, :, 7:] = False
    assert HighFrequency()(x, x).abs().max() == 0
    other = torch.where(mask, x, 100 * y)
    assert torch.equal(HighFrequency()(other, y, mask), HighFrequency()(x, y, mask))
    cut = HighFrequency(weight=0.0)(x[..., :7], y[..., :7])
    torch.testing.assert_close(HighFrequency(weight=0.0)(x, y, mask), cut)
    for wrong in ({"weight": -1.0}, {"edges": -1.0}, {"cutoff": 2.0}):
        with pytest.raises(InputError):
            HighFrequency(**wrong)


# Features.


class Teacher(nn.Module):
    """A network with two hidden layers, of frames with the channels last; the second sees time."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.later = nn.Identity(), nn.Identity()

    def forward(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        h: Tensor = self.inner(z.movedim(1, 2))
        shift = torch.stack([t + r, 0 * t], -1).unsqueeze(1)
        self.later(h + shift)
        return h.movedim(2, 1)


def bound(
    frames: int | None = 1, squared: float = 0.0, layers: tuple[str, ...] = ("inner",)
) -> tuple[FeatureDistance, TrainingBatch]:
    teacher = Teacher()
    distance = FeatureDistance(layers, frames=frames, squared=squared)
    distance.record_activations(teacher)
    x = torch.zeros(3, 2, 5, dtype=torch.float64)
    return distance, TrainingBatch(field=teacher, x=x, teacher=teacher)


def test_features_are_compared_by_their_direction() -> None:
    """Of unit vectors at an angle, the squared distance is ``2 - 2 cos``."""
    distance, batch = bound()
    angle = torch.tensor([0.0, 0.5, math.pi]).double()
    x = torch.stack([torch.ones(3).double(), torch.zeros(3).double()], 1)[..., None].expand(3, 2, 5)
    y = torch.stack([angle.cos(), angle.sin()], 1)[..., None].expand(3, 2, 5)
    found = distance.for_batch(batch)(2 * x, 3 * y)
    torch.testing.assert_close(found, 2 - 2 * angle.cos(), atol=1e-8, rtol=1e-8)


def test_layers_add_up_and_see_the_samples_at_the_early_time() -> None:
    """The second layer sees ``x + (2 time, 0)``, whose angles are known."""
    both, batch = bound(layers=("inner", "later"))
    x = torch.tensor([[0.9, 0.0]]).double()[..., None].expand(1, 2, 5)
    y = torch.tensor([[-0.1, 1.0]]).double()[..., None].expand(1, 2, 5)
    first = 2 - 2 * torch.tensor([-0.1]).double() / math.hypot(0.1, 1.0)
    torch.testing.assert_close(both.for_batch(batch)(x, y), first + 2)  # (1, 0) and (0, 1)


def test_no_gradient_reaches_the_target() -> None:
    distance, batch = bound()
    x, y = torch.randn(2, 3, 2, 5, generator=seeded(), dtype=torch.float64)
    distance.for_batch(batch)(x.requires_grad_(), y.requires_grad_()).sum().backward()
    assert x.grad is not None
    assert y.grad is not None  # of the squared error, whose weight is 0
    assert bool(x.grad.any())
    assert not y.grad.any()


def test_the_gradient_reaches_the_prediction_and_padding_does_not_count() -> None:
    distance, batch = bound(squared=0.1)
    x, y = torch.randn(2, 3, 2, 5, generator=seeded(), dtype=torch.float64)
    x.requires_grad_()
    y.requires_grad_()
    mask = torch.ones(3, 1, 5, dtype=torch.bool)
    mask[:, :, 3:] = False
    metric = distance.for_batch(batch)
    found = metric(x, y.detach(), mask)
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert gradient[..., :3].abs().min() > 0
    assert gradient[..., 3:].abs().max() == 0
    with torch.no_grad():  # a target that was computed without gradient, in a block without any
        torch.testing.assert_close(metric(x, y, mask), found)
    torch.testing.assert_close(metric(x[..., :3], y[..., :3]), found)


def test_a_student_that_is_exact_has_no_distance() -> None:
    teacher = Teacher()
    metric = FeatureDistance(("inner",), frames=1)
    metric.record_activations(teacher)
    x = torch.randn(4, 2, 5, generator=seeded())
    objective = DirectDistillation(steps=1, metric=metric)
    draw = objective.draw(x, seeded(1))
    batch = TrainingBatch(field=teacher, x=x, teacher=teacher)
    assert objective.loss(batch, draw).per_sample.abs().max() < 1e-10
    other = TrainingBatch(field=lambda z, r, t: -z, x=x, teacher=teacher)
    assert objective.loss(other, draw).per_sample.min() > 1e-3
    batch = TrainingBatch(field=lambda z, r, t: z, x=x, teacher=teacher)
    distilled = ConsistencyDistillation(metric=metric)
    assert distilled.loss(batch, distilled.draw(x, seeded(1))).per_sample.isfinite().all()


def test_where_it_has_no_meaning_it_is_refused() -> None:
    distance, batch = bound()
    for objective in (FlowMatching(metric=distance), NoisePrediction(metric=distance)):
        with pytest.raises(InputError, match="this objective regresses a velocity"):
            objective.loss(batch, objective.draw(batch.x, seeded()))
    with pytest.raises(InputError, match="none was given"):
        distance.for_batch(TrainingBatch(field=lambda z, r, t: z, x=batch.x))
    with pytest.raises(InputError, match="time of FeatureDistance"):
        FeatureDistance(time=0.0)
    with pytest.raises(InputError, match="squared must not be negative"):
        FeatureDistance(squared=-1.0)


# Mutants.


def low_frequencies_and_high() -> None:
    test_one_sinusoid_counts_as_its_frequency_says(15, high=False)
    test_one_sinusoid_counts_as_its_frequency_says(17, high=True)


def seen(**names: Any) -> SimpleNamespace:
    """torch as one file sees it, with other functions under some names."""
    return SimpleNamespace(**{**vars(torch), **names})


def unmasked(values: Tensor, mask: Tensor | None) -> Tensor:
    return masked_mean(values)


def twice(error: Tensor, **rest: Any) -> Tensor:
    once = torch.diff(error, **rest)
    return torch.diff(once, dim=-1, prepend=once[..., :1])


def the_last_layer(self: ActivationRecorder) -> dict[str, Tensor]:
    name, values = list(ACTIVATIONS(self).items())[-1]
    return {name: values}


def channels_for_frames(self: ActivationRecorder) -> dict[str, Tensor]:
    return {name: h.movedim(1, 2) for name, h in ACTIVATIONS(self).items()}


ACTIVATIONS = ActivationRecorder.activations
DIRECTION = test_features_are_compared_by_their_direction
LAYERS = test_layers_add_up_and_see_the_samples_at_the_early_time
PADDING = test_the_gradient_reaches_the_prediction_and_padding_does_not_count
MUTANTS: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "share-of-the-sampling-rate": (
        spectral,
        "torch",
        seen(arange=lambda n, device: torch.arange(n) / 2),
        low_frequencies_and_high,
    ),
    "low-for-high": (
        spectral,
        "torch",
        seen(arange=lambda n, device: torch.arange(n).flip(0)),
        low_frequencies_and_high,
    ),
    "second-differences": (spectral, "torch", seen(diff=twice), low_frequencies_and_high),
    "padded-details": (
        spectral,
        "masked_mean",
        unmasked,
        test_details_are_zero_at_equality_and_blind_to_padding,
    ),
    "lengths": (Tensor, "sqrt", lambda x: torch.ones_like(x), DIRECTION),
    "axis-of-frames": (ActivationRecorder, "activations", channels_for_frames, DIRECTION),
    "last-layer": (ActivationRecorder, "activations", the_last_layer, LAYERS),
    "at-noise": (
        features,
        "torch",
        seen(full=lambda n, value, **kind: torch.ones(n, **kind)),
        LAYERS,
    ),
    "padded-features": (features, "masked_mean", unmasked, PADDING),
    "teacher-without-gradient": (features, "torch", seen(enable_grad=torch.no_grad), PADDING),
    "target-with-gradient": (Tensor, "detach", lambda x: x, test_no_gradient_reaches_the_target),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_of_a_distance_is_seen(
    monkeypatch: pytest.MonkeyPatch, mutant: tuple[Any, str, Any, Callable[[], None]]
) -> None:
    where, name, wrong, exactness = mutant
    exactness()
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises((AssertionError, InputError)):  # without gradient, nothing is recorded
        exactness()
