"""Settings of training that all models share, as one group."""

from dataclasses import dataclass, field

from oneleap.core.errors import InputError, require_decay
from oneleap.core.training.ema import PowerEMA
from oneleap.core.training.optim import AdamConfig


@dataclass(frozen=True)
class Recipe:
    """Settings of training that all models share.

    Attributes:
        optimizer: Optimizer, learning-rate schedule and gradient clipping.
        ema: Decay per step of the moving average that generates samples, or a schedule.
        seed: Seed of the initial weights and of all draws of training.
        compile: Whether to compile the loss with ``torch.compile``; each new batch shape is
            compiled again.
        teacher: Folder or repository of a trained model to distill.
        from_teacher: Whether to start from the teacher's weights. At every interval, the student
            then equals the teacher's instantaneous velocity.
        init_from: Folder or repository of a trained model of the same kind, to go on training it
            on other data. Training starts from its averaged weights.
        rank: Rank of low-rank adapters on all linear maps and convolutions, which are then all that
            trains (HiPA); ``None`` trains all weights. The moving average holds the sums, so what
            is sampled and released is a plain network.
        log_variance: Whether to learn the log-variance of the loss over its times, see
            :class:`oneleap.core.nets.beside.log_variance.LogVariance`. Use it with a plain squared
            error, in place of adaptive weights.
    """

    optimizer: AdamConfig = field(default_factory=AdamConfig)
    ema: float | PowerEMA = 0.999
    seed: int = 0
    compile: bool = False
    teacher: str | None = None
    from_teacher: bool = False
    init_from: str | None = None
    rank: int | None = None
    log_variance: bool = False

    def __post_init__(self) -> None:
        """Reject settings that contradict each other.

        Raises:
            InputError: If ``from_teacher`` is set without a teacher or beside ``init_from``, the
                decay is not in [0, 1), or the rank is below 1.
        """
        if self.from_teacher and self.teacher is None:
            raise InputError("from_teacher: no teacher is set: name one as recipe.teacher")
        if self.from_teacher and self.init_from is not None:
            raise InputError(
                "from_teacher: init_from is set too: start from one of the two models, and set the "
                "other to null"
            )
        if self.rank is not None and self.rank < 1:
            raise InputError(f"rank must be at least 1, not {self.rank}")
        if isinstance(self.ema, float | int):
            require_decay("ema", self.ema)
