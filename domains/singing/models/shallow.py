"""Shallow start: from a rough spectrogram under some noise, instead of from noise alone.

At depth ``t0`` sampling starts from ``z = (1 - t0) aux + t0 e``, ``aux`` the auxiliary decoder's
spectrogram, and only times up to ``t0`` are trained. openvpi's ``T_start`` counts from the noise:
its 0.4 is the depth 0.6 here.

**Any objective trains so.** On ``[0, t0]`` the straight path from ``x`` to ``z_t0`` is the whole
straight path of other noise, ``e' = (1 - t0) x + t0 e``, in the time ``s = t / t0``: same points,
``z_s = (1 - s) x + s e'``, and mean velocities ``t0`` times as large. So an objective is handed
``e'`` for noise and ``t0 u(z, t0 r, t0 s)`` for field, and knows of nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.paths.ddpm import DiscreteVPPath
from oneleap.core.types import Conditioned


def blend(
    x: Float[Tensor, "b mels n"], e: Float[Tensor, "b mels n"], depth: float
) -> Float[Tensor, "b mels n"]:
    """``(1 - t0) x + t0 e``; the noise itself at depth 1."""
    return e if depth == 1 else (1 - depth) * x + depth * e


@dataclass(frozen=True)
class Scaled:
    """A network in the time ``s = t / depth``.

    Attributes:
        net: Called as ``net(z, r, t, *cond)``.
        depth: Where ``s`` is 1.
    """

    net: Any
    depth: float

    def __call__(self, z: Tensor, r: Tensor, s: Tensor, *cond: Tensor) -> Tensor:
        """``t0 u(z, t0 r, t0 s)``."""
        u: Tensor = self.net(z, self.depth * r, self.depth * s, *cond)
        return self.depth * u


def scaled(field: Conditioned, depth: float) -> Conditioned:
    """The field over ``[0, depth]`` as one over [0, 1]."""
    return field if depth == 1 else Conditioned(Scaled(field.net, depth), field.cond, field.null)


@dataclass(frozen=True)
class FirstBetas(DiscreteVPPath):
    """The first steps of a schedule: DiffSinger's diffusion from step K on.

    Attributes:
        schedule: The whole.
        steps: K.
    """

    schedule: DiscreteVPPath
    steps: int

    def betas(self) -> NDArray[np.float64]:
        """See :meth:`DiscreteVPPath.betas`."""
        return self.schedule.betas()[: self.steps]
