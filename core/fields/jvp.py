"""Jacobian-vector products, and the total time derivative of a mean-velocity field."""

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
    """Make torch load its forward-differentiation rules, and hide their ``torch.jit`` warning.

    The first JVP of a process loads them. Call this function outside compiled code.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))


def jvp(
    function: Callable[..., Tensor], primals: tuple[Tensor, ...], tangents: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Compute ``function(*primals)`` and its directional derivative in one pass.

    This differs from ``torch.func.jvp`` in two ways, within this call only. Attention runs on the
    MATH kernel, the only one with a forward derivative. Autocast is off, and half-precision inputs
    are converted to float32, because a derivative in bfloat16 is mostly rounding error. Both also
    hold under ``torch.compile``.

    Gradients flow through the value; the derivative is detached. torch's own gradient of a
    derivative is silently wrong through layer norm (pytorch issue 196700).

    Args:
        function: Function of the primals that returns one tensor.
        primals: Point of evaluation.
        tangents: Direction, one tensor for each primal, of the same shape.

    Returns:
        The value and the derivative, of the same shape.
    """
    if not torch.compiler.is_compiling():
        load_jvp_rules()
    device = primals[0].device.type
    if torch.is_autocast_enabled(device):
        primals, tangents = _to_float32(primals), _to_float32(tangents)
    primals = tuple(p.clone() for p in primals)  # torch.compile fails on views as primals
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
    """Compute ``u(z, r, t)`` and ``du/dt = v . d_z u + d_t u``, MeanFlow Eq. (8).

    One forward pass gives both, so their dropout masks agree by construction.

    Args:
        field: Mean-velocity field ``u``.
        z: States ``z_t``, (b, *d).
        r: Target times, (b,).
        t: Current times, (b,).
        v: Velocities ``dz/dt``, (b, *d).

    Returns:
        ``u``, through which gradients flow, and ``du/dt``, which is detached; each (b, *d).
    """
    tangents = (v.detach().clone(), torch.zeros_like(r), torch.ones_like(t))
    return jvp(field, (z, r, t), tangents)


def _to_float32(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(x.float() if x.dtype in (torch.float16, torch.bfloat16) else x for x in tensors)
