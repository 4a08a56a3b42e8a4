"""Distributions of training times on [0, 1]: single times, and pairs ``r <= t``."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError, SmallBatchError


class Times(ABC):
    """A distribution over [0, 1]; subclasses are frozen dataclasses."""

    @abstractmethod
    def sample(
        self, shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw independent times.

        Args:
            shape: Shape of the result.
            like: Tensor whose dtype and device the result has.
            generator: Source of randomness.

        Returns:
            Times in [0, 1].
        """


@dataclass(frozen=True)
class Uniform(Times):
    """Uniform on [0, 1]."""

    def sample(
        self, shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """See :meth:`Times.sample`."""
        return torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)


@dataclass(frozen=True)
class LogitNormal(Times):
    """``sigmoid(N(mean, std^2))``, Esser et al. 2024; MeanFlow's default is (-0.4, 1).

    Attributes:
        mean: Mean of the logit; negative values favor times near the data.
        std: Standard deviation of the logit.
    """

    mean: float = -0.4
    std: float = 1.0

    def sample(
        self, shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """See :meth:`Times.sample`."""
        z = torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)
        return torch.sigmoid(self.mean + self.std * z)


@dataclass(frozen=True)
class UShaped(Times):
    """Density proportional to ``exp(-rate t) + exp(-rate (1 - t))``: mostly both ends.

    Straight flows are hardest to fit there (Lee et al. 2024, arXiv 2405.20320); Re-MeanFlow's code
    draws ``t`` so, with rate 4. The density is proportional to ``cosh(rate (t - 1/2))``, whose
    distribution function inverts to ``1/2 + asinh((2 U - 1) sinh(rate / 2)) / rate``.

    Attributes:
        rate: Rate of both exponentials, above 0.
    """

    rate: float = 4.0

    def __post_init__(self) -> None:
        """Reject a rate that is not positive."""
        if self.rate <= 0:
            raise InputError(f"rate of UShaped must be positive, not {self.rate}")

    def sample(
        self, shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """See :meth:`Times.sample`."""
        u = torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)
        t = 0.5 + torch.asinh((2 * u - 1) * math.sinh(self.rate / 2)) / self.rate
        return t.clamp(0.0, 1.0)


@dataclass(frozen=True)
class TimePairs:
    """Pairs ``r <= t``: two sorted draws, with ``r = t`` in the first rows of the batch.

    The rows with ``r = t`` are fixed, not random, because the rows of a shuffled batch are
    exchangeable. With a fixed split an objective can skip work that these rows do not need (their
    Jacobian term is multiplied by zero), and no shape depends on data.

    A random interval is almost never the interval that a sampler uses, which is [0, 1] for one
    step. ``deployed`` assigns the last rows of the batch to the intervals of such samplers.

    Attributes:
        times: Distribution of both draws.
        p_equal: Share of rows with ``r = t``, where the mean velocity is the instantaneous one.
        deployed: Numbers of sampling steps to train for; (1, 2) selects the intervals [0, 1], [0,
            1/2] and [1/2, 1] with equal probability. Empty for none.
        p_deployed: Share of the batch on these intervals; unused if ``deployed`` is empty.
    """

    times: Times = field(default_factory=LogitNormal)
    p_equal: float = 0.5
    deployed: tuple[int, ...] = ()
    p_deployed: float = 0.1

    def __post_init__(self) -> None:
        """Reject shares outside [0, 1] and numbers of steps below 1."""
        if not 0 <= self.p_equal <= 1:
            raise InputError(f"p_equal must lie in [0, 1], not {self.p_equal}")
        if any(steps < 1 for steps in self.deployed):
            raise InputError(f"deployed must list positive numbers of steps, not {self.deployed}")
        if self.deployed and not 0 < self.p_deployed <= 1 - self.p_equal + 1e-9:  # rounding
            raise InputError(
                f"p_deployed must be above 0 and at most 1 - p_equal = {1 - self.p_equal:g}, "
                f"not {self.p_deployed}"
            )

    def n_equal(self, n: int) -> int:
        """Number of leading rows with ``r = t`` in a batch of ``n``.

        Raises:
            InputError: If the batch is too small to hold both kinds of rows.
        """
        equal = round(n * self.p_equal)
        if 0 < self.p_equal < 1 and equal in (0, n):
            raise SmallBatchError(
                f"a batch of {n} is too small to split by p_equal={self.p_equal}: "
                "use a larger batch"
            )
        return equal

    def n_deployed(self, n: int) -> int:
        """Number of last rows on deployed intervals in a batch of ``n``.

        Raises:
            InputError: If the batch is too small to hold any.
        """
        rows = round(n * self.p_deployed) if self.deployed else 0
        if self.deployed and rows == 0:
            raise SmallBatchError(
                f"a batch of {n} is too small for p_deployed={self.p_deployed}: use a larger batch"
            )
        return min(rows, n - self.n_equal(n))

    def sample(
        self, n: int, like: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Draw ``(r, t)``, with the rows where ``r = t`` first.

        Args:
            n: Number of rows.
            like: Tensor whose dtype and device the times have.
            generator: Source of randomness.

        Returns:
            Times ``r`` and ``t``, each (n,), with ``r <= t``.

        Raises:
            InputError: If the batch is too small for the shares.
        """
        r, t = self._ordered(n, like, generator)
        equal = self.n_equal(n)
        r[:equal] = t[:equal]
        if self.deployed:
            last = slice(n - self.n_deployed(n), None)
            r[last], t[last] = self._deployed_intervals(len(t[last]), like, generator)
        return r, t

    def _ordered(
        self, n: int, like: Tensor, generator: torch.Generator | None
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Draw ``r <= t``: two sorted draws."""
        times = self.times.sample((2, n), like, generator)
        return times.amin(0), times.amax(0)

    def _deployed_intervals(
        self, n: int, like: Tensor, generator: torch.Generator | None
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Draw intervals from the grids of the deployed samplers."""
        grid = [(k / steps, (k + 1) / steps) for steps in self.deployed for k in range(steps)]
        index = torch.randint(len(grid), (n,), generator=generator, device=like.device)
        r, t = torch.tensor(grid, dtype=like.dtype, device=like.device)[index].unbind(1)
        return r, t


@dataclass(frozen=True)
class GapPairs(TimePairs):
    """Pairs of a time and a gap, Re-MeanFlow's law: ``r = t - gap``, but no less than 0.

    MeanFlow on the pairs of noise and data that a teacher's solver made (Reflow's) has a target
    that is nearly exact for each sample. Re-MeanFlow's code draws ``t`` mostly at both ends, and
    completes long intervals: where ``t`` is above ``snap[0]`` and ``r`` below ``snap[1]``, ``r``
    becomes 0, so the single step is trained often.

    Attributes:
        times: Distribution of ``t``.
        p_equal: Share of rows with ``r = t``; 3/4 in the authors' code.
        gaps: Distribution of ``t - r``.
        snap: Times beyond which an interval is completed; ``None`` for never.
    """

    times: Times = field(default_factory=UShaped)
    p_equal: float = 0.75
    gaps: Times = field(default_factory=lambda: LogitNormal(-0.8, 1.0))
    snap: tuple[float, float] | None = (0.8, 0.4)

    def _ordered(
        self, n: int, like: Tensor, generator: torch.Generator | None
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Draw a time and a gap, and complete long intervals."""
        t = self.times.sample((n,), like, generator)
        r = (t - self.gaps.sample((n,), like, generator)).clamp(min=0.0)
        if self.snap is not None:
            late, early = self.snap
            r = r.masked_fill((t > late) & (r < early), 0.0)
        return r, t
