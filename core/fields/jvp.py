"""The total time derivative of a mean-velocity field along its trajectory."""

import functools
import warnings
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from oneleap.core.types import Field


@functools.cache
def load_jvp_rules() -> None:
    """Have torch load its rules of forward differentiation, which warn of ``torch.jit``.

    The first JVP of a process loads them. Do it outside compiled code.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))


def jvp(
    function: Callable[..., Tensor], primals: tuple[Tensor, ...], tangents: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Compute ``function(*primals)`` and its directional derivative in one pass.

    Two things differ from ``torch.func.jvp``, within this call only. Attention runs on the MATH
    kernel, the only one with a forward derivative. Autocast is off, and half-precision inputs are
    widened to float32: a derivative in bfloat16 is mostly rounding error. Both hold under
    ``torch.compile`` as well.

    Gradients flow through the value; the derivative is detached. torch's own gradient of a
    derivative is silently wrong through layer norm (pytorch issue 196700).

    Args:
        function: Function of the primals; returns one tensor.
        primals: Point of evaluation.
        tangents: Direction, one tensor for each primal, of the same shape.

    Returns:
        The value and the derivative, of the same shape.
    """
    if not torch.compiler.is_compiling():
        load_jvp_rules()
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
