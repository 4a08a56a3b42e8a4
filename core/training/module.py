"""What every domain's Lightning module shares: objective, moving average, seeds, optimiser."""

import os
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import Pretrained, load_pretrained
from oneleap.core.losses.hooks import RecordsActivations
from oneleap.core.nets.embed import zero_interval_embedding
from oneleap.core.training.compile import compiled
from oneleap.core.training.ema import PowerEMA, ema_update, frozen_copy
from oneleap.core.training.optim import AdamConfig, build_optimizer
from oneleap.core.training.seed import BATCHES, step_generator
from oneleap.core.types import Draw, Field, Loss, Objective, TrainingBatch


class GenerativeModule(Pretrained, L.LightningModule):
    """Trains a network under an objective; a domain says what its data are and how they bind.

    Args:
        net: Called as ``net(z, r, t, *cond)``.
        objective: Any objective of the core.
        optimizer: Optimiser, schedule and gradient clip.
        ema: Decay per step of the moving average that samples are drawn from, or a schedule.
        seed: Of all draws of a training run.
        compile_loss: Run the loss through ``torch.compile``.
        teacher: Folder or repository of a trained model to distil, see :meth:`load_teacher`.
        from_teacher: Start from the teacher's weights, as a field that at every interval is the
            teacher's instantaneous velocity.
    """

    average: nn.Module

    def __init__(
        self,
        net: nn.Module,
        objective: Objective,
        *,
        optimizer: AdamConfig,
        ema: float | PowerEMA = 0.999,
        seed: int = 0,
        compile_loss: bool = False,
        teacher: str | None = None,
        from_teacher: bool = False,
    ) -> None:
        super().__init__()
        self.net, self.objective, self.optimizer = net, objective, optimizer
        self.ema, self.seed, self.compile_loss = ema, seed, compile_loss
        self.teacher, self.from_teacher = teacher, from_teacher
        if from_teacher and teacher is None:
            raise InputError("from_teacher: no teacher was named")
        if isinstance(ema, float | int) and not 0 <= ema < 1:
            raise InputError(f"ema: {ema} is not from 0 to below 1")
        self._teacher: list[GenerativeModule] = []  # in a list it is no part of the weights
        self.average = frozen_copy(net)
        if isinstance(objective, RecordsActivations):
            objective.record_activations(net)
        self._total_steps = 1
        self._loss: Callable[[Any, Draw], Loss] = self.loss

    @abstractmethod
    def data(self, batch: Any) -> Tensor:
        """What is to be generated, (b, *d), as the network sees it; cheap."""

    @abstractmethod
    def bind(self, batch: Any, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Close ``net``, by default the network being trained, over a batch's conditions."""

    def loss(self, batch: Any, draw: Draw) -> Loss:
        """The objective on one batch, for given randomness."""
        return self.objective.loss(self.bind(batch), draw)

    def load_teacher(self) -> "GenerativeModule":
        """Load the model named ``teacher``, frozen; done when training starts.

        Not when a model is built: a student that was saved acts without its teacher.

        Raises:
            InputError: If there is no such model, or it is of another kind.
        """
        if self.teacher is None:
            raise InputError("no teacher was named")
        model = load_pretrained(self.teacher)
        if not isinstance(model, GenerativeModule):
            kind = type(model).__name__
            raise InputError(f"teacher: {self.teacher} holds a {kind}, which cannot teach")
        self._teacher = [model.requires_grad_(False).to(self.device)]
        return model

    def teacher_field(self, batch: Any) -> Field | None:
        """The teacher's field under a batch's conditions, as it normalises them, or ``None``.

        The weights are the teacher's average, from which it samples.
        """
        return next((m.bind(batch, m.average).field for m in self._teacher), None)

    def generator(self, stream: int = 0) -> torch.Generator:
        """The randomness of this batch, on this process.

        Args:
            stream: Tells apart what draws for one batch; below 1000, and not that of the batches
                themselves, whose equal draws would tie what is drawn to the rows.
        """
        if stream == BATCHES:
            raise ValueError(f"stream {BATCHES} is the batches' own")
        return step_generator(
            self.seed, self._batches, stream + 1000 * self.global_rank, self.device
        )

    @property
    def _batches(self) -> int:
        """Batches before this one: gradient steps, if gradients of several are not summed."""
        trainer = self._trainer
        if trainer is None or trainer.accumulate_grad_batches == 1:
            return self.global_step
        each = trainer.accumulate_grad_batches
        return self.global_step * each + max(0, trainer.fit_loop.total_batch_idx) % each

    @property
    def progress(self) -> float:
        """Share of the training run that is done."""
        return min(1.0, self.global_step / self._total_steps)

    def on_fit_start(self) -> None:
        """Fetch the teacher and compile, once the weights are on their device."""
        if not torch.cuda.is_available():
            # Optimisers ask for a GPU in every step, which looks for a driver anew: 0.7 ms.
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        if self.trainer.precision == "16-mixed" and self.optimizer.clip is not None:
            raise InputError(
                "trainer.precision: 16-mixed scales the gradients that model.optimizer.clip looks "
                "at: take bf16-mixed, or clip: null"
            )
        if self.teacher is not None:
            self.load_teacher()
        self._total_steps = max(1, int(self.trainer.estimated_stepping_batches))
        if self.compile_loss:
            self._loss = compiled(self.loss)

    def on_train_start(self) -> None:
        """Take the teacher's weights, where that is asked for, unless the run is resumed.

        Raises:
            InputError: If the teacher's network has another shape.
        """
        if not self.from_teacher or self.global_step > 0:
            return
        try:
            self.net.load_state_dict(self._teacher[0].average.state_dict())
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise InputError(f"teacher: {self.teacher} has another network: {reason}") from None
        self.average.load_state_dict(zero_interval_embedding(self.net).state_dict())

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Mean loss of one batch."""
        draw = self.objective.draw(self.data(batch), self.generator(), self.progress)
        loss = self._loss(batch, draw)
        self.log_sometimes({"loss": loss.per_sample.detach().mean(), **loss.logs})
        return loss.per_sample.mean()

    def log_sometimes(self, logs: dict[str, Tensor]) -> None:
        """Log under ``train/`` on the trainer's logging steps only: every other step is free."""
        every: int = vars(self.trainer)["log_every_n_steps"]
        if (self.global_step + 1) % every == 0:
            self.log_dict({f"train/{name}": value.detach() for name, value in logs.items()})

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Fused Adam and its schedule."""
        return build_optimizer(
            (self.optimizer, self.net.parameters()),
            total_steps=int(self.trainer.estimated_stepping_batches),
        )

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as the optimiser's description says; the trainer's own flags stay unused."""
        self.optimizer.clip_(self.net.parameters())

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """One optimiser step, then one of the moving average."""
        step = self.global_step  # Lightning counts the step when this returns
        super().optimizer_step(*args, **kwargs)
        ema_update(self.average, self.net, self.ema, step)
