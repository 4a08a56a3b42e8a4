"""The path of TrigFlow (Lu & Song 2024, arXiv 2410.11081): data and noise on a circle."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.paths.base import GaussianPath, expand


@dataclass(frozen=True)
class TrigFlow(GaussianPath):
    """Path ``x_tau = cos(tau) x + sin(tau) s e`` for ``0 <= tau <= pi/2``; ``s`` is ``sigma_data``.

    The network predicts the velocity in units of the data, ``dx_tau/dtau = s F(x_tau / s, tau)``.
    With ``a = cos(tau)``, ``b = s sin(tau)``, ``t = b / (a + b)`` and ``z = x_tau / (a + b)``,

        ``s F = a' (z - t u) + b' (z + (1 - t) u) = [(s a - sin(tau)) x_tau + s u] / (a + b)``.

    This is nowhere singular, because ``a + b >= min(1, s)``. With ``u(z, 0, t)`` in place of
    ``u(z, t, t)``, the consistency function ``cos(tau) x_tau - sin(tau) s F`` equals
    ``z - t u(z, 0, t)``, the consistency function of the linear path.

    Attributes:
        sigma_data: Standard deviation of the data.
    """

    sigma_data: float = 0.5

    def scales(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """``cos(tau)`` and ``sigma_data sin(tau)``."""
        return tau.cos(), self.sigma_data * tau.sin()

    def rates(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """``-sin(tau)`` and ``sigma_data cos(tau)``."""
        return -tau.sin(), self.sigma_data * tau.cos()

    def tau(self, t: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """``arctan(t / (sigma_data (1 - t)))``."""
        return torch.atan2(t, self.sigma_data * (1 - t))

    def network_output(
        self, u: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> Float[Tensor, "b *d"]:
        """Output of TrigFlow's network from the field's value.

        Args:
            u: Value of the field at the point, (b, *d).
            point: State ``x_tau``, (b, *d).
            tau: The path's own times, (b,).

        Returns:
            Output ``F``, (b, *d).
        """
        gain, skip = self._affine(point, tau)
        return (skip * point + u) / gain

    def field_value(
        self, f: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> Float[Tensor, "b *d"]:
        """The field's value from TrigFlow's network; inverse of :meth:`network_output`.

        Args:
            f: Output ``F`` of the network, (b, *d).
            point: State ``x_tau``, (b, *d).
            tau: The path's own times, (b,).

        Returns:
            Value of the field, (b, *d).
        """
        gain, skip = self._affine(point, tau)
        return gain * f - skip * point

    def _affine(self, point: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        """``cos + s sin`` and ``cos - sin / s``."""
        cos, sin = expand(tau.cos(), point), expand(tau.sin(), point)
        return cos + self.sigma_data * sin, cos - sin / self.sigma_data
