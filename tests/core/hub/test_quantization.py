"""Weights of 8 bits: bounded errors, numbers that do not drift, and files that are refused."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.hub.quantization import (
    SMALLEST,
    dequantize_rows,
    narrow_weights,
    quantize_rows,
    widen_weights,
)

EXPONENTS = st.lists(st.integers(-30, 15), min_size=1, max_size=6)


def matrix(exponents: list[int], seed: int, columns: int = 40) -> Tensor:
    """A matrix whose rows have the given magnitudes, as powers of two."""
    g = torch.Generator().manual_seed(seed)
    scale = torch.tensor([2.0**e for e in exponents])
    return torch.randn(len(exponents), columns, generator=g).clamp(-1.9, 1.9) * scale[:, None]


def test_a_row_by_hand() -> None:
    whole, scale = quantize_rows(torch.tensor([[1.0, -0.5, 0.0, 1 / 127], [0.0, 0.0, 0.0, 0.0]]))
    assert whole.tolist() == [[127, -64, 0, 1], [0, 0, 0, 0]]
    assert scale.tolist() == [1.0, SMALLEST]
    assert dequantize_rows(whole, scale)[0].tolist() == pytest.approx([1, -64 / 127, 0, 1 / 127])


@settings(max_examples=60, deadline=None)
@given(exponents=EXPONENTS, seed=st.integers(0, 2**20))
def test_no_weight_changes_by_more_than_half_a_step_of_its_row(
    exponents: list[int], seed: int
) -> None:
    weight = matrix(exponents, seed)
    whole, scale = quantize_rows(weight)
    largest = weight.abs().amax(1).clamp(min=SMALLEST)
    assert (scale.float() >= largest).all()
    assert (scale.float() <= largest * (1 + 2**-10)).all()
    step = scale.float()[:, None] / 127
    error = (dequantize_rows(whole, scale) - weight).abs()
    assert (error <= step / 2 * (1 + 1e-5)).all()


@settings(max_examples=60, deadline=None)
@given(exponents=EXPONENTS, seed=st.integers(0, 2**20))
def test_quantizing_again_changes_no_bit(exponents: list[int], seed: int) -> None:
    whole, scale = quantize_rows(matrix(exponents, seed))
    again = quantize_rows(dequantize_rows(whole, scale))
    assert torch.equal(again[0], whole)
    assert torch.equal(again[1], scale)


def test_a_kernel_has_a_scale_for_each_output() -> None:
    kernel = matrix([0, 3, -4], 1).view(3, 8, 5)
    whole, scale = quantize_rows(kernel)
    assert whole.shape == kernel.shape
    assert scale.shape == (3,)
    assert (dequantize_rows(whole, scale) - kernel).abs().amax((1, 2)).le(scale / 127).all()


def test_only_long_rows_of_parameters_become_whole_numbers() -> None:
    weights = {
        "linear": torch.randn(4, 32),
        "depthwise": torch.randn(8, 1, 7),
        "bias": torch.randn(64),
        "table": torch.randn(4, 32),  # a buffer
        "count": torch.tensor(3),
    }
    found = narrow_weights(weights, 8, {"linear", "depthwise", "bias"})
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        "linear": torch.int8,
        "linear.scale": torch.float16,
        "depthwise": torch.float16,
        "bias": torch.float16,
        "table": torch.float16,
        "count": torch.int64,
    }
    wide = widen_weights(found, "file")
    assert wide.keys() == weights.keys()
    assert all(tensor.dtype == torch.float32 for tensor in wide.values())
    assert torch.equal(wide["table"], weights["table"].half().float())
    full = narrow_weights(weights, 32, set(weights))
    assert all(torch.equal(full[name], weight) for name, weight in weights.items())


def test_a_scale_of_its_own_is_a_weight() -> None:
    weights = {"norm": torch.ones(3), "norm.scale": torch.full((3,), 2.0)}
    assert widen_weights(weights, "file")["norm.scale"].tolist() == [2.0, 2.0, 2.0]


def test_what_does_not_fit_is_refused() -> None:
    for value in (7e4, math.inf, math.nan):
        with pytest.raises(InputError, match=r"^a: a weight is too large for 16 bits"):
            narrow_weights({"a": torch.tensor([value])}, 16, ())


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (None, "a has 8 bits, but no scales"),
        (torch.ones(3).half(), r"a.scale is torch.float16 of shape \[3\], not .* of shape \[2\]"),
        (torch.ones(2, 1).half(), r"a.scale is torch.float16 of shape \[2, 1\]"),
        (torch.ones(2), "a.scale is torch.float32 of shape"),
        (torch.tensor([1.0, math.nan]).half(), "a.scale is not positive and finite"),
        (torch.tensor([1.0, math.inf]).half(), "a.scale is not positive and finite"),
        (torch.tensor([1.0, -1.0]).half(), "a.scale is not positive and finite"),
        (torch.tensor([1.0, 0.0]).half(), "a.scale is not positive and finite"),
    ],
)
def test_wrong_scales_are_refused(scale: Tensor | None, message: str) -> None:
    weights = {"a": torch.ones(2, 4, dtype=torch.int8)}
    with pytest.raises(InputError, match=f"^file: {message}") as caught:
        widen_weights(weights if scale is None else weights | {"a.scale": scale}, "file")
    assert "\n" not in str(caught.value)
    vector = {"a": torch.ones(2, dtype=torch.int8), "a.scale": torch.ones(2).half()}
    with pytest.raises(InputError, match=r"^file: a\.scale"):
        widen_weights(vector, "file")
