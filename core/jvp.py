"""The total time derivative of a mean-velocity field along its trajectory."""

import warnings

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.types import Field

with warnings.catch_warnings():  # the first JVP loads rules of torch's own that warn of torch.jit
    warnings.simplefilter("ignore", FutureWarning)
    torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))


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
    primals = (z.clone(), r.clone(), t.clone())  # a view as primal trips torch.compile
    tangents = (v.detach().clone(), torch.zeros_like(r), torch.ones_like(t))
    u, dudt, *_ = torch.func.jvp(field, primals, tangents)
    return u, dudt.detach()
