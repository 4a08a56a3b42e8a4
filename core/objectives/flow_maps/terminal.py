"""Terminal velocity matching (Zhou et al. 2025, arXiv 2511.19797)."""

from dataclasses import dataclass, field

from oneleap.core.errors import require_decay
from oneleap.core.objectives.flow_maps.lagrangian import Lagrangian
from oneleap.core.paths.pairs import TerminalPairs
from oneleap.core.types import Field, TrainingBatch


@dataclass(frozen=True)
class TerminalVelocityMatching(Lagrangian):
    """The Lagrangian equation with the velocity of a moving average at the end of the map.

    ``u = v_bar(X, r) + (t - r) d_r u``, and flow matching where ``r = t``. The paper bounds the
    Wasserstein distance of the samples by this loss. The average ``v_bar`` only gives targets and
    is fast; another one generates samples. The law of times draws the target time and the gap. Cost
    and traps: see :class:`oneleap.core.objectives.Lagrangian`.

    Traps: the bound needs a network that is Lipschitz in ``z``, and the paper normalizes all inputs
    of attention and modulation for it. With a teacher, its velocity takes the place of the
    average's, and only the law of times is left of the method.

    Deviations: the target carries no gradient, whereas the paper differentiates through ``d_r u``
    with a kernel of its own. Flow matching has rows of its own instead of a second term for each
    row. Guidance is a teacher's; the paper guides the velocity by the average and scales the
    output.

    Attributes:
        pairs: Distribution of ``(r, t)`` and the share of rows with ``r = t``.
        target_ema: Decay of the moving average that gives the targets. ``None`` takes them from the
            average that generates samples.
    """

    pairs: TerminalPairs = field(default_factory=TerminalPairs)
    target_ema: float | None = 0.99

    def __post_init__(self) -> None:
        """Reject a decay outside [0, 1)."""
        require_decay("target_ema", self.target_ema)

    def target_decay(self, progress: float) -> float | None:
        """``target_ema``."""
        return self.target_ema

    def own_field(self, batch: TrainingBatch) -> Field:
        """The moving average, where the domain has one."""
        return batch.field if batch.target is None else batch.target
