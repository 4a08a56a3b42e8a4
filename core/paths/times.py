"""Where on [0, 1] an objective looks: distributions of single times and of pairs ``r <= t``."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError


class Times(ABC):
    """A distribution over [0, 1]; subclasses are frozen dataclasses."""

    @abstractmethod
    def sample(
        self, shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Independent times of the given shape, with the dtype and device of ``like``."""


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
        mean: Of the logit; negative leans towards data.
        std: Of the logit.
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
class TimePairs:
    """Pairs ``r <= t``: two draws sorted, then ``r = t`` for the first rows of the batch.

    Which rows are equal is fixed, not random: the rows of a shuffled batch are exchangeable, and
    a fixed split lets an objective skip the work that equal rows do not need (their Jacobian
    term is multiplied by zero) without a shape that depends on data.

    A random interval is almost never the one the model is used on, which is [0, 1] for one step.
    ``deployed`` pins the last rows of the batch to intervals that a sampler will ask for.

    Attributes:
        times: Distribution of both draws.
        p_equal: Share of rows with ``r = t``, where a mean velocity is an instantaneous one.
        deployed: Numbers of steps to sample with; (1, 2) pins to [0, 1], [0, 1/2] and [1/2, 1],
            each as likely as the others. None of them by default.
        p_deployed: Share of the batch that is pinned, if ``deployed`` names any steps.
    """

    times: Times = field(default_factory=LogitNormal)
    p_equal: float = 0.5
    deployed: tuple[int, ...] = ()
    p_deployed: float = 0.1

    def __post_init__(self) -> None:
        """Refuse shares outside [0, 1], and steps that no sampler takes."""
        if not 0 <= self.p_equal <= 1:
            raise InputError(f"p_equal is a share between 0 and 1, not {self.p_equal}")
        if any(steps < 1 for steps in self.deployed):
            raise InputError(f"deployed lists numbers of steps from 1 up, not {self.deployed}")
        if self.deployed and not 0 < self.p_deployed <= 1 - self.p_equal + 1e-9:  # rounding
            raise InputError(
                f"p_deployed is a share above 0 of the rows that p_equal={self.p_equal} leaves, "
                f"not {self.p_deployed}"
            )

    def n_equal(self, n: int) -> int:
        """How many leading rows of a batch of ``n`` have ``r = t``.

        Raises:
            InputError: If the batch is too small to hold both kinds of rows.
        """
        equal = round(n * self.p_equal)
        if 0 < self.p_equal < 1 and equal in (0, n):
            raise InputError(
                f"a batch of {n} cannot hold a share p_equal={self.p_equal} of rows with r = t: "
                "take a larger batch"
            )
        return equal

    def n_deployed(self, n: int) -> int:
        """How many of the last rows of a batch of ``n`` are pinned to deployed intervals.

        Raises:
            InputError: If the batch is too small to hold any.
        """
        pinned = round(n * self.p_deployed) if self.deployed else 0
        if self.deployed and pinned == 0:
            raise InputError(
                f"a batch of {n} cannot hold a share p_deployed={self.p_deployed} of rows on "
                "deployed intervals: take a larger batch"
            )
        return min(pinned, n - self.n_equal(n))

    def sample(
        self, n: int, like: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Draw ``(r, t)``, the rows with ``r = t`` first."""
        both = self.times.sample((2, n), like, generator)
        r, t = both.amin(0), both.amax(0)
        equal = self.n_equal(n)
        r[:equal] = t[:equal]
        if self.deployed:
            pinned = slice(n - self.n_deployed(n), None)
            r[pinned], t[pinned] = self._intervals(len(t[pinned]), like, generator)
        return r, t

    def _intervals(
        self, n: int, like: Tensor, generator: torch.Generator | None
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Intervals of a sampler's grids, at random."""
        ends = [(k / steps, (k + 1) / steps) for steps in self.deployed for k in range(steps)]
        chosen = torch.randint(len(ends), (n,), generator=generator, device=like.device)
        r, t = torch.tensor(ends, dtype=like.dtype, device=like.device)[chosen].unbind(1)
        return r, t
