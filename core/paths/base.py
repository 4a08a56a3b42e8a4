"""The convention for time and sign, and the linear path between data and noise.

All average-velocity methods in oneleap use these definitions:

=============================  ==========================================
``t = 0``                      data ``x``
``t = 1``                      noise ``e``
``z_t = (1 - t) x + t e``      point on the path
``v = e - x``                  velocity of the point, ``dz_t / dt``
``0 <= r <= t <= 1``           target time ``r`` and current time ``t``
``u(z_t, r, t)``               mean velocity over ``[r, t]``
``z_r = z_t - (t - r) u``      one step; from noise to data ``x = e - u(e, 0, 1)``
=============================  ==========================================

Methods with another convention (EDM, TrigFlow, DDPM) use a path object. No other file flips a sign.

**A domain's network is always a field on the linear path.** Any other Gaussian path
``x_tau = a(tau) x + b(tau) e`` is a change of variables, see :class:`GaussianPath`. Therefore every
objective trains the same network, the formula for one step is always the same, and a field trained
on one path can teach a student on any other.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Shaped
from torch import Tensor


def expand(t: Shaped[Tensor, "b"], like: Shaped[Tensor, "b *d"]) -> Shaped[Tensor, "b *ones"]:
    """Append singleton axes to ``t`` until it broadcasts against ``like``."""
    return t.reshape(-1, *([1] * (like.ndim - 1)))


def jump(
    z: Float[Tensor, "b *d"],
    u: Float[Tensor, "b *d"],
    r: Float[Tensor, "b"],
    t: Float[Tensor, "b"],
) -> Float[Tensor, "b *d"]:
    """Move ``z_t`` to ``z_r`` with the mean velocity ``u`` over ``[r, t]``.

    Args:
        z: State ``z_t``, (b, *d).
        u: Mean velocity over ``[r, t]``, (b, *d).
        r: Target times, (b,).
        t: Current times, (b,).

    Returns:
        State ``z_r``, (b, *d).
    """
    return z - expand(t - r, z) * u


class GaussianPath(ABC):
    """A path ``x_tau = a(tau) x + b(tau) e`` with ``e ~ N(0, I)``, mapped onto the linear path.

    Division by ``a + b`` gives the point ``z = x_tau / (a + b)`` on the linear path at time
    ``t = b / (a + b)``. With ``u = u(z, t, t)``, every quantity that a network may predict is
    affine in ``u``:

    ===========  ===========================  =====================
    data         ``D = z - t u``              ``E[x | x_tau]``
    noise        ``N = z + (1 - t) u``        ``E[e | x_tau]``
    velocity     ``a' D + b' N``              ``dx_tau / dtau``
    score        ``-N / b``                   gradient of the log-density
    field        ``u = N - D``
    ===========  ===========================  =====================

    Noise has unit variance; a domain scales its data. ``tau`` is the path's own time, (b,).
    """

    @abstractmethod
    def scales(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """Coefficients ``a(tau)`` of the data and ``b(tau)`` of the noise."""

    @abstractmethod
    def rates(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """Derivatives ``a'(tau)`` and ``b'(tau)``."""

    @abstractmethod
    def tau(self, t: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """The path's own time at time ``t`` of the linear path; inverse of :meth:`time`."""

    def time(self, tau: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """Time on the linear path, ``b / (a + b)``."""
        a, b = self.scales(tau)
        return b / (a + b)

    def point(
        self, x: Float[Tensor, "b *d"], e: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> Float[Tensor, "b *d"]:
        """State ``x_tau`` between data ``x`` and noise ``e``.

        Args:
            x: Data, (b, *d).
            e: Standard normal noise, (b, *d).
            tau: The path's own times, (b,).

        Returns:
            State ``a(tau) x + b(tau) e``, (b, *d).
        """
        a, b = self.scales(tau)
        return expand(a, x) * x + expand(b, x) * e

    def velocity(
        self, x: Float[Tensor, "b *d"], e: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> Float[Tensor, "b *d"]:
        """Velocity ``a' x + b' e``.

        Args:
            x: Data, or their posterior mean, (b, *d).
            e: Noise, or its posterior mean, (b, *d).
            tau: The path's own times, (b,).

        Returns:
            Velocity of this pair of samples, (b, *d). For two posterior means it is the velocity of
            the probability flow.
        """
        a, b = self.rates(tau)
        return expand(a, x) * x + expand(b, x) * e

    def score(self, e: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]) -> Float[Tensor, "b *d"]:
        """Score ``-N / b``; it is infinite where the point is pure data."""
        return -e / expand(self.scales(tau)[1], e)

    def to_linear(
        self, point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b"]]:
        """Point and time on the linear path, ``(z, t)``."""
        a, b = self.scales(tau)
        return point / expand(a + b, point), b / (a + b)

    def from_linear(
        self, z: Float[Tensor, "b *d"], t: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b"]]:
        """Point and time on this path, ``(x_tau, tau)``; inverse of :meth:`to_linear`."""
        tau = self.tau(t)
        a, b = self.scales(tau)
        return z * expand(a + b, z), tau

    def posterior_means(
        self,
        field: Callable[[Tensor, Tensor, Tensor], Tensor],
        point: Float[Tensor, "b *d"],
        tau: Float[Tensor, "b"],
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Posterior means of data and noise from a field's velocity; nowhere singular.

        Cost: 1 network evaluation.

        Args:
            field: Field on the linear path.
            point: State ``x_tau``, (b, *d).
            tau: The path's own times, (b,).

        Returns:
            ``E[x | x_tau]`` and ``E[e | x_tau]``, each (b, *d).
        """
        z, t = self.to_linear(point, tau)
        u, w = field(z, t, t), expand(t, z)
        return z - w * u, z + (1 - w) * u

    # Posterior means of data and noise, from one predicted quantity.

    def from_data(
        self, data: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Posterior means of data and noise, from the mean of the data.

        Args:
            data: Posterior mean of the data, (b, *d).
            point: State ``x_tau``, (b, *d).
            tau: The path's own times, (b,).

        Returns:
            Means of data and noise, each (b, *d); undefined where ``b(tau) = 0``.
        """
        a, b = (expand(c, point) for c in self.scales(tau))
        return data, (point - a * data) / b

    def from_noise(
        self, noise: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Posterior means of data and noise, from the mean of the noise.

        Args:
            noise: Posterior mean of the noise, (b, *d).
            point: State ``x_tau``, (b, *d).
            tau: The path's own times, (b,).

        Returns:
            Means of data and noise, each (b, *d); undefined where ``a(tau) = 0``.
        """
        a, b = (expand(c, point) for c in self.scales(tau))
        return (point - b * noise) / a, noise

    def from_score(
        self, score: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Posterior means of data and noise, from the score.

        Args:
            score: Gradient of the log-density of ``x_tau``, (b, *d).
            point: State ``x_tau``, (b, *d).
            tau: The path's own times, (b,).

        Returns:
            Means of data and noise, each (b, *d); undefined where ``a(tau) = 0``.
        """
        return self.from_noise(-expand(self.scales(tau)[1], point) * score, point, tau)

    def from_velocity(
        self, velocity: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Posterior means of data and noise, from the velocity, by Cramer's rule.

        Args:
            velocity: ``dx_tau / dtau``, (b, *d).
            point: State ``x_tau``, (b, *d).
            tau: The path's own times, (b,).

        Returns:
            Means of data and noise, each (b, *d).
        """
        a, b, da, db = (expand(c, point) for c in (*self.scales(tau), *self.rates(tau)))
        det = a * db - da * b
        return (db * point - b * velocity) / det, (a * velocity - da * point) / det


@dataclass(frozen=True)
class LinearPath(GaussianPath):
    """Linear path ``z_t = (1 - t) x + t e`` of rectified flow, MeanFlow and similar methods."""

    def scales(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """``1 - t`` and ``t``."""
        return 1 - tau, tau

    def rates(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """-1 and 1."""
        one = tau.new_ones(len(tau))
        return -one, one

    def tau(self, t: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """``t`` itself."""
        return t

    def velocity(
        self,
        x: Float[Tensor, "b *d"],
        e: Float[Tensor, "b *d"],
        tau: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """Velocity ``v = dz_t / dt = e - x``, the same at all times."""
        return e - x


@dataclass(frozen=True)
class ExternalTeacher:
    """A field made from a network that was trained on another path.

    For example, ``ExternalTeacher(path, lambda x, tau: path.from_noise(net(x, tau), x, tau))``
    wraps a network that predicts noise.

    Attributes:
        path: Path on which the network was trained.
        posterior_means: Function of ``(x_tau, tau)`` that returns the posterior means of data and
            noise.
        t_max: Latest time at which the network is evaluated. Later times are replaced by this one,
            because the linear path runs on to pure noise. For an EDM network it is ``80 / 81``.
    """

    path: GaussianPath
    posterior_means: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    t_max: float = 1.0

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Instantaneous velocity ``N - D`` at ``t``; ``r`` is ignored."""
        point, tau = self.path.from_linear(z, t.clamp(max=self.t_max))
        data, noise = self.posterior_means(point, tau)
        return noise - data
