"""Further distributions of pairs ``r <= t``, each the law of a paper."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.paths.times import LogitNormal, TimePairs, Times, Uniform


@dataclass(frozen=True)
class ApartPairs(TimePairs):
    """Pairs whose two times have laws of their own; the later is ``t``.

    Decoupled MeanFlow and SoFlow draw so: ``times`` for the rows with ``r = t``, which learn the
    velocity, ``late`` and ``early`` for the others.

    Attributes:
        times: Distribution of the rows with ``r = t``.
        p_equal: Share of rows with ``r = t``.
        late: Distribution of the one time.
        early: Distribution of the other time.
    """

    times: Times = field(default_factory=lambda: LogitNormal(0.0, 1.0))
    late: Times = field(default_factory=lambda: LogitNormal(0.4, 1.0))
    early: Times = field(default_factory=lambda: LogitNormal(-1.2, 1.0))

    def _ordered(
        self, n: int, like: Tensor, generator: torch.Generator | None
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Draw two times, and the law of the rows with ``r = t`` for these."""
        first, second = (law.sample((n,), like, generator) for law in (self.late, self.early))
        t, equal = torch.maximum(first, second), self.n_equal(n)
        t[:equal] = self.times.sample((equal,), like, generator)
        return torch.minimum(first, second), t


@dataclass(frozen=True)
class BelowPairs(TimePairs):
    """``r`` is uniform below ``t``: RCGM's law.

    Attributes:
        times: Distribution of ``t``.
    """

    times: Times = field(default_factory=Uniform)

    def _ordered(
        self, n: int, like: Tensor, generator: torch.Generator | None
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Draw ``t``, and a share of it."""
        t = self.times.sample((n,), like, generator)
        return t * Uniform().sample((n,), like, generator), t


@dataclass(frozen=True)
class ToDataPairs(TimePairs):
    """``r`` is 0: only the rest of the way to the data is trained, as by consistency models.

    Attributes:
        times: Distribution of ``t``.
    """

    def _ordered(
        self, n: int, like: Tensor, generator: torch.Generator | None
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Draw ``t``."""
        t = self.times.sample((n,), like, generator)
        return torch.zeros_like(t), t


@dataclass(frozen=True)
class TerminalPairs(TimePairs):
    """A target time and a gap, the law of terminal velocity matching: ``t = min(1, r + gap)``.

    Attributes:
        times: Distribution of ``r``.
        gaps: Distribution of ``t - r``.
    """

    gaps: Times = field(default_factory=lambda: LogitNormal(-0.8, 1.0))

    def _ordered(
        self, n: int, like: Tensor, generator: torch.Generator | None
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Draw ``r`` and the gap; rows with ``r = t`` are at ``r``'s law."""
        r = self.times.sample((n,), like, generator)
        t, equal = (r + self.gaps.sample((n,), like, generator)).clamp(max=1.0), self.n_equal(n)
        t[:equal] = r[:equal]
        return r, t
