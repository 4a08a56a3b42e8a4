"""Optimizer and learning-rate schedule as one serializable configuration; the length of a run."""

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from oneleap.core.errors import InputError

if TYPE_CHECKING:
    import lightning as L
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig


@dataclass(frozen=True)
class RunLength:
    """Length of a run: a number of gradient steps, or a time.

    Attributes:
        steps: Gradient steps of the run; ``None`` if only a time limits it.
        time_share: Returns the share of that time that has passed.
    """

    steps: int | None
    time_share: Callable[[], float] = lambda: 0.0

    def total(self, step: int) -> int | float:
        """Return the steps of the run, estimated at ``step`` if only a time limits it."""
        if self.steps is not None:
            return self.steps
        share = self.time_share()
        return step / share if share > 0 else math.inf

    def progress(self, step: int) -> float:
        """Return the share of the run that is done at ``step``, in [0, 1]."""
        if self.steps is None:
            return min(1.0, self.time_share())
        return min(1.0, step / max(1, self.steps))


def run_length(trainer: "L.Trainer") -> RunLength:
    """Find what ends a run: ``max_steps``, epochs of a finite loader, or else ``max_time``.

    Raises:
        InputError: If nothing ends it, or it is to end after a number of epochs although batches
            are drawn without end.
    """
    from lightning.pytorch.callbacks import Timer

    steps = trainer.estimated_stepping_batches
    if (trainer.max_epochs or -1) > 0 and trainer.num_training_batches == math.inf:
        raise InputError(
            f"trainer.max_epochs: {trainer.max_epochs} has no effect, because batches are drawn "
            "from the data without end: set --trainer.max_steps N or --trainer.max_time"
        )
    if 0 <= steps < math.inf:
        return RunLength(int(steps))
    timers = [c for c in vars(trainer)["callbacks"] if isinstance(c, Timer)]
    timer = next((t for t in timers if t.time_remaining() is not None), None)
    if timer is None:
        raise InputError(
            "nothing ends the training: set --trainer.max_steps N or --trainer.max_time"
        )

    def share() -> float:
        done, left = timer.time_elapsed(), timer.time_remaining() or 0.0
        passed = done / max(done + left, 1e-9)
        return float(trainer.strategy.broadcast(passed)) if trainer.world_size > 1 else passed

    return RunLength(None, share)


@dataclass(frozen=True)
class AdamConfig:
    """Adam, or AdamW if ``weight_decay`` is positive, with warm-up and cosine decay.

    Attributes:
        lr: Peak learning rate.
        betas: Decay rates of the first and second moment.
        weight_decay: Decoupled weight decay, per step and unit of learning rate.
        warmup_steps: Steps over which the learning rate rises linearly from 0 to ``lr``.
        cosine: Whether the learning rate decays to 0 at the end of the run.
        clip: Largest gradient norm; ``None`` does not clip.
    """

    lr: float = 3e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    warmup_steps: int = 0
    cosine: bool = False
    clip: float | None = None

    def factor(self, step: int, total_steps: int | float) -> float:
        """Return the learning rate at ``step`` of ``total_steps``, as a share of ``lr``."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if not self.cosine:
            return 1.0
        done = (step - self.warmup_steps) / max(1, total_steps - self.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def clip_(self, parameters: Iterable[nn.Parameter]) -> None:
        """Clip gradients in place, without a transfer from the device."""
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self.clip)

    def clipped(self, gradients: list[Tensor]) -> list[Tensor]:
        """Return clipped gradients, equal to the result of :meth:`clip_`; for compiled graphs."""
        if self.clip is None:
            return gradients
        factor = (self.clip / (get_total_norm(gradients) + 1e-6)).clamp(max=1.0)
        return [factor * gradient for gradient in gradients]


def build_optimizer(
    *parts: tuple[AdamConfig, Iterable[nn.Parameter]], total_steps: int | RunLength
) -> "OptimizerLRSchedulerConfig":
    """Build one fused optimizer over all parts of a model, each with its own settings.

    Args:
        parts: Settings and parameters of each part; each becomes a parameter group.
        total_steps: Gradient steps of the run, or its length, for the schedules.

    Returns:
        The value for Lightning's ``configure_optimizers``; the schedule advances each gradient
        step.
    """
    groups = [
        {"params": list(p), "lr": a.lr, "betas": a.betas, "weight_decay": a.weight_decay}
        for a, p in parts
    ]
    optimizer = AdamW(groups, fused=True)
    length = RunLength(total_steps) if isinstance(total_steps, int) else total_steps
    # LambdaLR stores the attributes of a callable object in checkpoints; a partial has none.
    factors: list[Callable[[int], float]] = [
        functools.partial(_factor, config=a, length=length) for a, _ in parts
    ]
    scheduler = LambdaLR(optimizer, factors)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _factor(step: int, config: AdamConfig, length: RunLength) -> float:
    """Return the learning rate at ``step``, as a share of the peak."""
    return config.factor(step, length.total(step))
