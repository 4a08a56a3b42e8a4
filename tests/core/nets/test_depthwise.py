"""The depthwise convolution: equal to torch's on channels in rows, with both layouts."""

import pytest
import torch
from torch import Tensor, nn

from oneleap.core.nets.depthwise import LONG_KERNEL, DepthwiseConv


def by_torch(conv: DepthwiseConv, x: Tensor) -> Tensor:
    size = conv.kernel_size[0]
    args = (x.mT, conv.weight, conv.bias, 1, size // 2, 1, conv.groups)
    return nn.functional.conv1d(*args).mT


@pytest.mark.parametrize("kernel", [7, LONG_KERNEL, LONG_KERNEL + 2, 31])
@pytest.mark.parametrize("frames", [1, 5, 40])
def test_values_and_gradients_are_those_of_torch(kernel: int, frames: int) -> None:
    torch.manual_seed(kernel)
    conv = DepthwiseConv(6, kernel).double()
    x = torch.randn(3, frames, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, frames, 6, dtype=torch.float64)
    wanted = by_torch(conv, x)
    torch.testing.assert_close(conv(x), wanted)
    with torch.no_grad():
        torch.testing.assert_close(conv(x), wanted)
    inputs = (x, conv.weight, conv.bias)
    for one, two in zip(
        torch.autograd.grad((weight * conv(x)).sum(), inputs),
        torch.autograd.grad((weight * wanted).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("kernel", [7, 31])
def test_the_forward_derivative_is_the_convolution_of_the_tangent(kernel: int) -> None:
    torch.manual_seed(0)
    conv = DepthwiseConv(4, kernel)
    x, tangent = torch.randn(2, 2, 20, 4)
    _, found = torch.func.jvp(conv, (x,), (tangent,))
    torch.testing.assert_close(found, by_torch(conv, tangent) - conv.bias)


def test_half_precision_is_filtered_in_float32() -> None:
    torch.manual_seed(0)
    conv = DepthwiseConv(4, 31)
    x = torch.randn(2, 20, 4).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = conv(x)
    assert found.dtype is torch.bfloat16
    torch.testing.assert_close(found, by_torch(conv, x.float()).bfloat16())
