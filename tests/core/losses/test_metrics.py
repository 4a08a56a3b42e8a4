"""Masked reductions and the metrics of the objectives."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.exact import seeded
from torch import Tensor

from oneleap.core.losses import metrics
from oneleap.core.losses.metrics import (
    AdaptiveSquaredError,
    Metric,
    SquaredError,
    masked_mean,
    masked_sum,
)

METRICS = [SquaredError(), AdaptiveSquaredError(), AdaptiveSquaredError(0.5, 1e-3)]


def example(*shape: int) -> tuple[Tensor, Tensor]:
    prediction, target = torch.randn(2, *shape, generator=seeded(), dtype=torch.float64)
    return prediction.requires_grad_(), target


@pytest.mark.parametrize("shape", [(64,), (3, 5), (2, 4, 4)])
def test_without_a_mask_sum_and_mean_run_over_all_axes_but_the_first(
    shape: tuple[int, ...],
) -> None:
    values = torch.randn(shape, generator=seeded(), dtype=torch.float64)
    rows = values.reshape(shape[0], -1)
    torch.testing.assert_close(masked_sum(values), rows.sum(1))
    torch.testing.assert_close(masked_mean(values), rows.mean(1))
    everything = torch.ones(shape, dtype=torch.bool)
    torch.testing.assert_close(masked_mean(values, everything), rows.mean(1))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_a_mask_equals_cutting_the_padding_off(lengths: list[int]) -> None:
    values = torch.randn(len(lengths), 6, 3, generator=seeded(), dtype=torch.float64)
    mask = (torch.arange(6) < torch.tensor(lengths).unsqueeze(1)).unsqueeze(2)
    for row, length in enumerate(lengths):
        real = values[row, :length]
        torch.testing.assert_close(masked_sum(values, mask)[row], real.sum())
        mean = real.mean() if length else torch.zeros((), dtype=torch.float64)
        torch.testing.assert_close(masked_mean(values, mask)[row], mean)


def test_an_empty_batch_reduces_to_no_rows() -> None:
    assert masked_sum(torch.empty(0, 3)).shape == masked_mean(torch.empty(0, 3)).shape == (0,)


def test_squared_error_is_a_mean_over_the_dimensions() -> None:
    prediction, target = example(4, 3)
    expected = torch.nn.functional.mse_loss(prediction, target, reduction="none").mean(1)
    torch.testing.assert_close(SquaredError()(prediction, target), expected)


def test_adaptive_error_of_power_zero_is_the_plain_sum() -> None:
    prediction, target = example(4, 3)
    expected = 3 * SquaredError()(prediction, target)
    torch.testing.assert_close(AdaptiveSquaredError(power=0.0)(prediction, target), expected)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_adaptive_weight_scales_the_gradient_and_takes_none_itself(power: float) -> None:
    prediction, target = example(4, 3)
    total = (prediction - target).square().sum(1)
    (plain,) = torch.autograd.grad(total.sum(), prediction)
    loss = AdaptiveSquaredError(power, c=0.01)(prediction, target)
    (weighted,) = torch.autograd.grad(loss.sum(), prediction)
    weight = (total.detach() + 0.01) ** -power
    torch.testing.assert_close(loss, weight * total)
    torch.testing.assert_close(weighted, weight.unsqueeze(1) * plain)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_padding_reaches_neither_value_nor_gradient(metric: Metric) -> None:
    prediction, target = example(4, 6, 3)
    mask = (torch.arange(6) < torch.tensor([[6], [4], [1], [0]])).unsqueeze(2)
    spoilt = torch.where(mask, target, 99.0)
    clean, dirty = metric(prediction, target, mask), metric(prediction, spoilt, mask)
    assert torch.equal(clean, dirty)
    (gradient,) = torch.autograd.grad(dirty.sum(), prediction)
    assert (gradient[~mask.expand_as(gradient)] == 0).all()
    assert clean[3] == 0


# Mutants of the weights.


def halved() -> None:
    test_adaptive_weight_scales_the_gradient_and_takes_none_itself(0.5)


def test_a_weight_that_takes_a_gradient_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    halved()
    with monkeypatch.context() as patch:
        patch.setattr(metrics, "masked_sum", metrics.masked_mean)  # the mean for the sum
        with pytest.raises(AssertionError):
            halved()
        with pytest.raises(AssertionError):
            test_adaptive_error_of_power_zero_is_the_plain_sum()
    monkeypatch.setattr(Tensor, "detach", lambda self: self)
    with pytest.raises(AssertionError):
        halved()


def test_a_mask_that_is_forgotten_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = metrics.masked_mean
    monkeypatch.setattr(metrics, "masked_mean", lambda values, mask: right(values))
    with pytest.raises(AssertionError):
        test_padding_reaches_neither_value_nor_gradient(SquaredError())
