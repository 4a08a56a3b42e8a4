"""Optimizer and learning-rate schedule as one serializable configuration."""

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

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig


@dataclass(frozen=True)
class AdamConfig:
    """Adam, or AdamW if ``weight_decay`` is positive, with warm-up and cosine decay.

    Attributes:
        lr: Peak learning rate.
        betas: Decay rates of the first and second moment.
        weight_decay: Decoupled weight decay, per step and unit of learning rate.
        warmup_steps: Steps over which the learning rate rises linearly from 0 to ``lr``.
        cosine: Whether the learning rate decays to 0 at the last step of the run.
        clip: Largest gradient norm; ``None`` does not clip.
    """

    lr: float = 3e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    warmup_steps: int = 0
    cosine: bool = False
    clip: float | None = None

    def factor(self, step: int, total_steps: int) -> float:
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
    *parts: tuple[AdamConfig, Iterable[nn.Parameter]], total_steps: int
) -> "OptimizerLRSchedulerConfig":
    """Build one fused optimizer over all parts of a model, each with its own settings.

    Args:
        parts: Settings and parameters of each part; each becomes a parameter group.
        total_steps: Gradient steps of the run, for the schedules.

    Returns:
        The value for Lightning's ``configure_optimizers``; the schedule advances each gradient
        step.
    """
    groups = [
        {"params": list(p), "lr": a.lr, "betas": a.betas, "weight_decay": a.weight_decay}
        for a, p in parts
    ]
    optimizer = AdamW(groups, fused=True)
    factors: list[Callable[[int], float]] = [
        functools.partial(a.factor, total_steps=total_steps) for a, _ in parts
    ]
    scheduler = LambdaLR(optimizer, factors)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
