"""The Lightning module that trains a duration model."""

from typing import Any

import lightning as L
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim import Optimizer

from oneleap.core.training.ema import ema_update
from oneleap.core.training.finite import FiniteGuard
from oneleap.core.training.model import SCORE
from oneleap.core.training.module import PREFIX
from oneleap.core.training.optim import build_optimizer, run_length
from oneleap.core.training.seed import step_generator
from oneleap.domains.singing.models.durations import DurationModel
from oneleap.domains.singing.spec import SingingBatch


class DurationTraining(L.LightningModule):
    """Trains a duration model in place.

    Checkpoints hold the weights under the model's own names.

    Args:
        model: The model.
    """

    def __init__(self, model: DurationModel) -> None:
        super().__init__()
        self.model, self.guard = model, FiniteGuard()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the weights without a prefix for this wrapper."""
        weights = checkpoint["state_dict"]
        checkpoint["state_dict"] = {n.removeprefix(PREFIX): w for n, w in weights.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Load weights that were saved without a prefix."""
        weights = checkpoint["state_dict"]
        checkpoint["state_dict"] = {PREFIX + n.removeprefix(PREFIX): w for n, w in weights.items()}

    def training_step(self, batch: SingingBatch, batch_idx: int) -> Tensor:
        """Weighted sum of the three losses."""
        draw = step_generator(self.model.recipe.seed, self.global_step, self.global_rank)
        losses = self.model.losses(batch, draw)
        self.guard.watch(self, {"loss": losses["loss"]})
        every: int = vars(self.trainer)["log_every_n_steps"]
        if (self.global_step + 1) % every == 0:
            self.log_dict({f"train/{name}": value.detach() for name, value in losses.items()})
        return losses["loss"]

    def validation_step(self, batch: SingingBatch, batch_idx: int) -> None:
        """Log the figures of one validation batch."""
        found = self.model.validate(batch)
        for name, value in found.figures.items():
            logged = None if name != SCORE else False
            self.log(
                name, value, on_epoch=True, batch_size=found.rows, logger=logged, sync_dist=True
            )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Optimizer and learning-rate schedule."""
        return build_optimizer(
            (self.model.recipe.optimizer, self.model.net.parameters()),
            total_steps=run_length(self.trainer),
        )

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients as the recipe says."""
        self.model.recipe.optimizer.clip_(self.model.net.parameters())

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take one optimizer step, then update the moving average."""
        step = self.global_step  # super() increments the step
        super().optimizer_step(*args, **kwargs)
        ema_update(self.model.average, self.model.net, self.model.recipe.ema, step)
