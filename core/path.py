"""The one convention of time and sign, and the straight path between data and noise.

Everywhere in oneleap's average-velocity methods:

=============================  =====================================
``t = 0``                      data ``x``
``t = 1``                      noise ``e``
``z_t = (1 - t) x + t e``      a point on the path
``v = e - x``                  its velocity, ``dz_t / dt``
``0 <= r <= t <= 1``           ``r`` the target time, ``t`` the current one
``u(z_t, r, t)``               mean velocity over ``[r, t]``
``z_r = z_t - (t - r) u``      a jump; one step is ``x = e - u(e, 0, 1)``
=============================  =====================================

Methods born in another convention (EDM, TrigFlow, DDPM) bring a path object of their own;
no other file flips a sign.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


def expand(t: Float[Tensor, "b"], like: Float[Tensor, "b *d"]) -> Float[Tensor, "b *ones"]:
    """Append singleton axes to ``t`` until it broadcasts against ``like``."""
    return t.reshape(-1, *([1] * (like.ndim - 1)))


def jump(
    z: Float[Tensor, "b *d"],
    u: Float[Tensor, "b *d"],
    r: Float[Tensor, "b"],
    t: Float[Tensor, "b"],
) -> Float[Tensor, "b *d"]:
    """Carry ``z_t`` to ``z_r`` along the mean velocity ``u`` of ``[r, t]``."""
    return z - expand(t - r, z) * u


@dataclass(frozen=True)
class LinearPath:
    """``z_t = (1 - t) x + t e``: rectified flow, MeanFlow and their kin."""

    def point(
        self, x: Float[Tensor, "b *d"], e: Float[Tensor, "b *d"], t: Float[Tensor, "b"]
    ) -> Float[Tensor, "b *d"]:
        """``z_t``, the state at time ``t`` between data ``x`` and noise ``e``."""
        w = expand(t, x)
        return (1 - w) * x + w * e

    def velocity(self, x: Float[Tensor, "b *d"], e: Float[Tensor, "b *d"]) -> Float[Tensor, "b *d"]:
        """``v = dz_t / dt = e - x``, the same at every time."""
        return e - x
