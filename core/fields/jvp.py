"""The total time derivative of a mean-velocity field along its trajectory."""

import warnings
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from oneleap.core.types import Field

with warnings.catch_warnings():  # the first JVP loads rules of torch's own that warn of torch.jit
    warnings.simplefilter("ignore", FutureWarning)
    torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))


def jvp(
    function: Callable[..., Tensor], primals: tuple[Tensor, ...], tangents: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """``function(*primals)`` and its directional derivative along ``tangents``, in one pass.

    Two things differ from ``torch.func.jvp``, within this call only. Attention runs on the MATH
    kernel, the one that has a forward derivative. And autocast is off, its half-precision primals
    and tangents widened: a derivative in bfloat16 is mostly rounding. Both hold under
    ``torch.compile`` as well.

    Gradients flow through the value; the derivative is detached. torch's own gradient of a
    derivative is wrong, and silently so, through layer norm (pytorch issue 196700).
    """
    device = primals[0].device.type
    if torch.is_autocast_enabled(device):
        primals, tangents = _widened(primals), _widened(tangents)
    primals = tuple(p.clone() for p in primals)  # a view as primal trips torch.compile
    with torch.autocast(device, enabled=False), sdpa_kernel(SDPBackend.MATH):
        value, derivative, *_ = torch.func.jvp(function, primals, tangents)
    return value, derivative.detach()


def total_derivative(
    field: Field,
    z: Float[Tensor, "b *d"],
    r: Float[Tensor, "b"],
    t: Float[Tensor, "b"],
    v: Float[Tensor, "b *d"],
) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
    """``u(z, r, t)`` and ``du/dt = v . d_z u + d_t u``, MeanFlow Eq. (8), in one forward pass.

    Gradients flow through ``u``; ``du/dt`` is detached. The same pass gives both, so dropout
    masks agree by construction.
    """
    tangents = (v.detach().clone(), torch.zeros_like(r), torch.ones_like(t))
    return jvp(field, (z, r, t), tangents)


def _widened(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(x.float() if x.dtype in (torch.float16, torch.bfloat16) else x for x in tensors)
