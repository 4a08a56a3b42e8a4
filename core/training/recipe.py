"""How a model is trained, apart from its objective: one group of settings for every domain."""

from dataclasses import dataclass, field

from oneleap.core.errors import InputError
from oneleap.core.training.ema import PowerEMA
from oneleap.core.training.optim import AdamConfig


@dataclass(frozen=True)
class Recipe:
    """Settings of training that all models share.

    Attributes:
        optimizer: Optimizer, learning-rate schedule and gradient clipping.
        ema: Decay per step of the moving average that generates samples, or a schedule.
        seed: Seed of the initial weights and of all draws of training.
        compile: Run the loss through ``torch.compile``; each new batch shape is compiled anew.
        teacher: Folder or repository of a trained model to distill.
        from_teacher: Start from the teacher's weights. The student then is, at every interval,
            the teacher's instantaneous velocity.
    """

    optimizer: AdamConfig = field(default_factory=AdamConfig)
    ema: float | PowerEMA = 0.999
    seed: int = 0
    compile: bool = False
    teacher: str | None = None
    from_teacher: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other.

        Raises:
            InputError: If a start from a teacher names none, or the decay is not in [0, 1).
        """
        if self.from_teacher and self.teacher is None:
            raise InputError("from_teacher: no teacher was named")
        if isinstance(self.ema, float | int) and not 0 <= self.ema < 1:
            raise InputError(f"ema: {self.ema} is not from 0 to below 1")
