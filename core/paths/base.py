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

**The network of a domain is always a field on this path.** Any other Gaussian path
``x_tau = a(tau) x + b(tau) e`` is a change of variables onto it, see :class:`GaussianPath`: one
point, two names. So every objective trains the same network, one step is the same formula after
any of them, and a field trained under one path is a teacher under every other.
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
    """Carry ``z_t`` to ``z_r`` along the mean velocity ``u`` of ``[r, t]``."""
    return z - expand(t - r, z) * u


class GaussianPath(ABC):
    """``x_tau = a(tau) x + b(tau) e`` with ``e ~ N(0, I)``, as the linear path in disguise.

    Divide by ``a + b``: ``z = x_tau / (a + b)`` lies on the linear path at ``t = b / (a + b)``.
    With ``u = u(z, t, t)``, whatever a network may be asked to predict is affine in ``u``:

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
        """``a(tau)`` and ``b(tau)``, how much of the point is data and how much noise."""

    @abstractmethod
    def rates(self, tau: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """``a'(tau)`` and ``b'(tau)``."""

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
        """``x_tau``, the state between data ``x`` and noise ``e``."""
        a, b = self.scales(tau)
        return expand(a, x) * x + expand(b, x) * e

    def velocity(
        self, x: Float[Tensor, "b *d"], e: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> Float[Tensor, "b *d"]:
        """``a' x + b' e``: of a pair of samples, or of the flow if given both posterior means."""
        a, b = self.rates(tau)
        return expand(a, x) * x + expand(b, x) * e

    def score(self, e: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]) -> Float[Tensor, "b *d"]:
        """``-N / b``; infinite where the point is pure data."""
        return -e / expand(self.scales(tau)[1], e)

    def to_linear(
        self, point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b"]]:
        """``(z, t)``, the point and its time as the linear path has them."""
        a, b = self.scales(tau)
        return point / expand(a + b, point), b / (a + b)

    def from_linear(
        self, z: Float[Tensor, "b *d"], t: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b"]]:
        """``(x_tau, tau)``; inverse of :meth:`to_linear`."""
        tau = self.tau(t)
        a, b = self.scales(tau)
        return z * expand(a + b, z), tau

    def ends(
        self,
        field: Callable[[Tensor, Tensor, Tensor], Tensor],
        point: Float[Tensor, "b *d"],
        tau: Float[Tensor, "b"],
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Posterior means of data and noise by a field's velocity; singular nowhere.

        Cost: 1 network evaluation.
        """
        z, t = self.to_linear(point, tau)
        u, w = field(z, t, t), expand(t, z)
        return z - w * u, z + (1 - w) * u

    # The same pair out of what a network predicts. A field is the noise less the data.

    def from_data(
        self, data: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Means of data and noise, given the former; undefined where ``b = 0``."""
        a, b = (expand(c, point) for c in self.scales(tau))
        return data, (point - a * data) / b

    def from_noise(
        self, noise: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Means of data and noise, given the latter; undefined where ``a = 0``."""
        a, b = (expand(c, point) for c in self.scales(tau))
        return (point - b * noise) / a, noise

    def from_score(
        self, score: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Means of data and noise, given the score; undefined where ``a = 0``."""
        return self.from_noise(-expand(self.scales(tau)[1], point) * score, point, tau)

    def from_velocity(
        self, velocity: Float[Tensor, "b *d"], point: Float[Tensor, "b *d"], tau: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
        """Means of data and noise, given ``dx_tau / dtau``: Cramer's rule."""
        a, b, da, db = (expand(c, point) for c in (*self.scales(tau), *self.rates(tau)))
        det = a * db - da * b
        return (db * point - b * velocity) / det, (a * velocity - da * point) / det


@dataclass(frozen=True)
class LinearPath(GaussianPath):
    """``z_t = (1 - t) x + t e``: rectified flow, MeanFlow and their kin."""

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
        """``v = dz_t / dt = e - x``, the same at every time."""
        return e - x


@dataclass(frozen=True)
class ExternalTeacher:
    """A field made of a network born under another path, to teach ours.

    ``ExternalTeacher(path, lambda x, tau: path.from_noise(net(x, tau), x, tau))`` makes one of a network
    that predicts noise.

    Attributes:
        path: The path the network was trained under.
        ends: Posterior means of data and noise, given ``(x_tau, tau)``.
        t_max: Later times are answered as this one: the noisiest the network knows (for an EDM
            network ``80 / 81``), where the linear path runs on to pure noise.
    """

    path: GaussianPath
    ends: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    t_max: float = 1.0

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Instantaneous velocity ``N - D`` at ``t``; ``r`` is ignored."""
        point, tau = self.path.from_linear(z, t.clamp(max=self.t_max))
        data, noise = self.ends(point, tau)
        return noise - data
