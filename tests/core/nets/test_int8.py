"""Linear layers with 8-bit products: how near they are, and that rows do not see each other."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from oneleap.core.nets.int8 import ROWS, SMALLEST, Int8Linear, use_int8


def layer(inputs: int = 80, outputs: int = 96, bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(inputs, outputs, bias=bias)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 2 * ROWS + 3), size=st.sampled_from([1e-6, 1.0, 1e4]))
def test_an_output_is_within_the_rounding_of_its_factors(n: int, size: float) -> None:
    linear = layer()
    x = size * torch.randn(n, 80, generator=torch.Generator().manual_seed(n))
    with torch.no_grad():
        gap = (Int8Linear(linear)(x) - linear(x)).abs()
        # Half a step of each input times its weight, and half a step of each weight times its input
        step_x = x.abs().amax(1, keepdim=True) / 127 / 2
        step_w = linear.weight.abs().amax(1) / 127 / 2
        bound = step_x * linear.weight.abs().sum(1) + x.abs().sum(1, keepdim=True) * step_w
        bound = bound + 80 * step_x * step_w
    assert (gap <= 1.01 * bound + 1e-6).all()
    assert gap.max() > 0


def test_weights_of_255_values_and_whole_inputs_are_exact() -> None:
    linear = layer()
    with torch.no_grad():
        whole = torch.randint(-127, 128, (96, 80), generator=torch.Generator().manual_seed(1))
        whole[:, 0] = 127
        linear.weight.copy_(whole / 64)
        x = torch.randint(-127, 128, (5, 80), generator=torch.Generator().manual_seed(2)).float()
        x[:, 0] = 127
        torch.testing.assert_close(Int8Linear(linear)(x), linear(x))


def test_a_row_does_not_depend_on_its_neighbors() -> None:
    quick, x = Int8Linear(layer()), torch.randn(3, 2 * ROWS, 80)
    alone = quick(x[1:2, 7:8])
    x[1, 8:] *= 100
    torch.testing.assert_close(quick(x)[1:2, 7:8], alone, rtol=0, atol=0)


def test_a_silent_row_gives_the_bias() -> None:
    linear = layer()
    torch.testing.assert_close(Int8Linear(linear)(torch.zeros(1, 80))[0], linear.bias.detach())
    plain = Int8Linear(layer(bias=False))
    assert plain(torch.zeros(2, 80)).abs().max() == 0


def test_only_large_layers_are_replaced() -> None:
    small = SMALLEST - 1
    net = nn.Sequential(layer(), nn.Sequential(nn.GELU(), layer(96, small)), layer(small, 200))
    use_int8(net)
    kinds = [type(m) for m in net.modules() if isinstance(m, nn.Linear | Int8Linear)]
    assert kinds == [Int8Linear, nn.Linear, nn.Linear]
    assert not any(p.requires_grad for p in net[0].parameters())


def test_the_second_conversion_of_the_same_weights_changes_nothing() -> None:
    first = Int8Linear(layer())
    again = layer()
    with torch.no_grad():
        again.weight.copy_((first.whole.float() * first.scale).T)
    second = Int8Linear(again)
    assert torch.equal(first.whole, second.whole)


@pytest.mark.parametrize("shape", [(80,), (2, 80), (2, 3, 80)])
def test_any_number_of_leading_sizes(shape: tuple[int, ...]) -> None:
    assert Int8Linear(layer())(torch.randn(shape)).shape == (*shape[:-1], 96)
