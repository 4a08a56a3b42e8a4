"""The Lightning module that trains any generative model."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer

from oneleap.core.errors import InputError, SmallBatchError
from oneleap.core.hub.pretrained import Pretrained
from oneleap.core.nets.beside.judges import JudgePool
from oneleap.core.nets.beside.log_variance import LogVariance
from oneleap.core.nets.beside.second import SecondModules
from oneleap.core.objectives.matching.base import Matching
from oneleap.core.objectives.pairing.coupled import Coupled
from oneleap.core.objectives.pairing.stored import PairedBatch, StoredPairs
from oneleap.core.training.compile import compiled
from oneleap.core.training.ema import ema_update, frozen_view, trainable
from oneleap.core.training.finite import FiniteGuard
from oneleap.core.training.loaders import repeat_rows
from oneleap.core.training.model import SCORE, GenerativeModel, check_teacher
from oneleap.core.training.optim import AdamConfig, RunLength, build_optimizer, run_length
from oneleap.core.training.seed import Step
from oneleap.core.types import Draw, Loss

TARGET = "target_average"
"""Name in a checkpoint of the weights of the average that only gives targets."""

SECOND = "second"
"""Name in a checkpoint of the weights of the networks beside the generator, and their prefix."""

REFRESH = 11
"""Stream of the choice and of the new weights of judges that a step renews."""

LOG_VARIANCE = "log_variance"
"""Name in a checkpoint of the weights of the loss's log-variance, and their prefix."""

FEWEST_ROWS = 8
"""Rows of a validation batch that was too small for the objective, once they are repeated."""

PREFIX = "model."
"""Prefix of the names of a model's weights inside the Lightning module."""


class TrainingModule(L.LightningModule):
    """Trains a :class:`GenerativeModel`: draws, loss, optimizer step, moving average.

    Its checkpoints contain the weights under the model's own names.

    Args:
        model: Model; it is trained in place.
    """

    def __init__(self, model: GenerativeModel) -> None:
        super().__init__()
        self.model = model
        self.guard = FiniteGuard()
        self._length = RunLength(1)
        self._last_logs: tuple[int, Mapping[str, Tensor]] = 0, {}
        self._loss: Callable[[Any, Draw], Loss] = model.loss
        self._saved_target: dict[str, Tensor] | None = None
        self.second: SecondModules | None = None
        self._copies = 0
        if isinstance(model.objective, Matching):
            objective = model.objective
            pool = None
            if objective.pool is not None:
                pool = JudgePool(*objective.pool, seed=model.recipe.seed)
            self.second = SecondModules(
                model.net if model.recipe.rank is None else trainable(model.average),
                judged=objective.judged,
                rank=objective.fake_rank,
                pool=pool,
                kept=objective.kept,
                view=frozen_view,
            )
            objective.attend(self.second.fake)
        model.train_beside(self.second)
        self.log_variance = (
            LogVariance(seed=model.recipe.seed) if model.recipe.log_variance else None
        )
        if self.log_variance is not None and not model.objective.is_distance():
            name = type(model.objective).__name__
            raise InputError(
                f"recipe.log_variance: the loss of {name} can be negative: it has no log-variance: "
                "set it to false"
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the weights under the model's own names, without the prefix of this module.

        The average that only gives targets is no part of the model, nor are the networks beside
        the generator; they are saved beside it.
        """
        if self.second is not None:
            checkpoint[SECOND] = self.second.state_dict()
        if self.log_variance is not None:
            checkpoint[LOG_VARIANCE] = self.log_variance.state_dict()
        if self.model.target_net is not self.model.average:
            checkpoint[TARGET] = self.model.target_net.state_dict()
        checkpoint["state_dict"] = {
            name.removeprefix(PREFIX): weight
            for name, weight in checkpoint["state_dict"].items()
            if not name.startswith((f"{SECOND}.", f"{LOG_VARIANCE}."))
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Load weights that were saved under the model's own names, or with the prefix."""
        self._saved_target = checkpoint.get(TARGET)
        checkpoint["state_dict"] = {
            name if name.startswith(PREFIX) else PREFIX + name: weight
            for name, weight in checkpoint["state_dict"].items()
        }
        for part, module in ((SECOND, self.second), (LOG_VARIANCE, self.log_variance)):
            if module is not None:
                saved = checkpoint.get(part, {})
                checkpoint["state_dict"] |= {f"{part}.{name}": w for name, w in saved.items()}

    @property
    def step(self) -> Step:
        """Position of the run, on this process."""
        return Step(
            seed=self.model.recipe.seed,
            batch=self._batches,
            gradient_step=self.global_step,
            progress=self._length.progress(self.global_step),
            rank=self.global_rank,
            device=self.device,
        )

    @property
    def _batches(self) -> int:
        """Number of batches so far: gradient steps, unless gradients are accumulated."""
        trainer = self._trainer
        if trainer is None or trainer.accumulate_grad_batches == 1:
            return self.global_step
        each = trainer.accumulate_grad_batches
        return self.global_step * each + max(0, trainer.fit_loop.total_batch_idx) % each

    def on_fit_start(self) -> None:
        """Load the teacher and compile, once the weights are on their device.

        Raises:
            InputError: If gradients are scaled and to be clipped, the teacher cannot be loaded, the
                objective cannot use it or lacks one, or nothing ends the training.
        """
        recipe = self.model.recipe
        check_teacher(self.model.objective, recipe)
        if self.trainer.precision == "16-mixed" and recipe.optimizer.clip is not None:
            raise InputError(
                "trainer.precision: 16-mixed scales gradients, so model.recipe.optimizer.clip "
                "cannot be applied: use bf16-mixed, or clip: null"
            )
        if recipe.teacher is not None:
            self.model.load_teacher()
        if self.second is not None:
            self.second.settle()
        self._length = run_length(self.trainer)
        if recipe.compile:
            self._loss = compiled(self.model.loss)

    def on_train_start(self) -> None:
        """Copy the weights of another model if asked, unless the run is resumed; start the targets.

        A run that began without an average for targets alone goes on without it.
        """
        if self.global_step == 0:
            self.model.start_from_teacher()
            self.model.start_from_init()
            self.model.start_second()
            self.model.start_target()
        elif self._saved_target is not None:
            self.model.start_target(self._saved_target)
        objective = self.model.objective
        if isinstance(objective, Matching):  # a checkpoint holds the copies made before
            self._copies = objective.copies(self.step.progress)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Compute the mean loss of one batch."""
        model, step = self.model, self.step
        batch = model.prepare(batch, step)
        stored: PairedBatch | None = None
        if isinstance(model.objective, StoredPairs):
            number = step.batch * self.trainer.world_size + step.rank
            batch, stored = model.objective.take(batch, number, step.seed, type(model).__name__)
        draw = model.objective.draw(model.data(batch), step.generator(), step.progress)
        if stored is not None:
            draw = replace(draw, e=stored.e, x=stored.x)
        if self.second is not None and isinstance(model.objective, Matching):
            draw = model.objective.turn(draw, step.gradient_step, step.progress)
            self.second.teaching = model.objective.taught_by(step.progress)
        if isinstance(model.objective, Coupled):
            with torch.no_grad():
                draw = model.objective.pair(model.bind(batch), draw)
        loss = self._loss(batch, draw)
        self.guard.watch(self, {"loss": loss.per_sample}, step.gradient_step, step.batch)
        logs = {"loss": loss.per_sample.detach().mean(), **loss.logs}
        self.log_training(logs, step.gradient_step)
        weighed = loss.per_sample
        if self.log_variance is not None:
            weighed = self.log_variance.weigh(weighed, draw.r, draw.t)
        total = weighed.mean()
        if self.second is not None and self.trainer.world_size > 1:
            # DistributedDataParallel waits for every weight, also for those at rest in this step
            total = total + 0 * sum(p.sum() for p in self.parameters() if p.requires_grad)
        return total

    @property
    def _generates(self) -> bool:
        """Whether this step trains the model's own network."""
        step, objective = self.step, self.model.objective
        if not isinstance(objective, Matching):
            return True
        return objective.generates(step.gradient_step, step.progress)

    def log_training(self, logs: Mapping[str, Tensor], step: int) -> None:
        """Log under ``train/`` on the trainer's logging steps; other steps cost nothing.

        The row is written by :meth:`on_train_batch_end`.

        Args:
            logs: Detached scalars by name.
            step: Gradient step that they belong to, from 0.
        """
        if _logs_at(self.trainer, step):
            figures = {f"train/{name}": value.detach() for name, value in logs.items()}
            self.log_dict(figures, logger=False)  # for the progress line
        self._last_logs = step, logs

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Write the row of a logging step, once the step is done.

        Lightning's own row would repeat figures of earlier steps that this one does not have, such
        as a generator's at rest, and a resumed run could not repeat them.
        """
        step, _ = self._last_logs
        if self.global_step > step and _logs_at(self.trainer, step):
            self._write_row()

    def on_train_end(self) -> None:
        """Check the losses that are left, and log the last step if it was not logged."""
        self.guard.check(self)
        self.log_last()

    def log_last(self) -> None:
        """Log the last step, once, if its number is none of the logging steps."""
        if not _logs_at(self.trainer, self._last_logs[0]):
            self._write_row()

    def _write_row(self) -> None:
        """Write the figures of the last step, once."""
        step, logs = self._last_logs
        self._last_logs = step, {}
        if not logs:
            return
        row: dict[str, float] = {f"train/{name}": float(x) for name, x in logs.items()}
        for logger in self.trainer.loggers:
            logger.log_metrics(row | {"epoch": self.current_epoch}, step)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Build fused AdamW and its schedule; each network is a group of its own."""
        adam, objective = self.model.recipe.optimizer, self.model.objective
        parts: list[tuple[AdamConfig, Iterable[nn.Parameter]]] = [
            (adam, self.model.net.parameters())
        ]
        if self.second is not None and isinstance(objective, Matching):
            beside = replace(adam, lr=objective.fake_lr * adam.lr)
            parts += [(beside, net.parameters()) for net in self.second.trained]
        if self.log_variance is not None:
            parts.append((replace(adam, weight_decay=0.0), self.log_variance.parameters()))
        return build_optimizer(*parts, total_steps=run_length(self.trainer))

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients by the recipe's optimizer settings; the trainer's own flags are unused.

        Each network is clipped by itself. Without gradients, the optimizer leaves a generator at
        rest, and its moments, as they are.
        """
        if not self._generates:
            for weight in self.model.net.parameters():
                weight.grad = None
        nets: list[nn.Module] = [
            self.model.net,
            *([] if self.second is None else self.second.trained),
        ]
        if self.log_variance is not None:
            nets.append(self.log_variance)
        for net in nets:
            self.model.recipe.optimizer.clip_(net.parameters())

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take one optimizer step, then update the moving averages of what it trained."""
        # Lightning counts the step when the call below returns
        step, progress, generates = self.global_step, self.step.progress, self._generates
        refreshing = replace(self.step, rank=0).generator(REFRESH)
        super().optimizer_step(*args, **kwargs)
        self._refresh_judges(refreshing)
        self._keep_copies(self._length.progress(step + 1))
        if not generates:
            return
        if isinstance(self.model.objective, Matching):
            step //= self.model.objective.ratio
        ema_update(self.model.average, self.model.net, self.model.recipe.ema, step)
        self.model.update_target(progress)

    def _refresh_judges(self, generator: torch.Generator) -> None:
        """Renew some judges of a pool, and forget what the optimizer knows of them."""
        objective = self.model.objective
        if self.second is None or self.second.pool is None or not isinstance(objective, Matching):
            return
        pool, optimizer = self.second.pool, self.optimizers(use_pl_optimizer=False)
        index = pool.due(objective.refresh, generator)
        pool.renew(index, generator)
        assert isinstance(optimizer, Optimizer)
        for weight in pool.parameters():
            for moment in optimizer.state[weight].values():
                if moment.shape == weight.shape:
                    moment[index] = 0.0

    def _keep_copies(self, progress: float) -> None:
        """Keep the copies of the fake that are due at a share of the run."""
        objective = self.model.objective
        if self.second is not None and isinstance(objective, Matching):
            due = objective.copies(progress)
            for index in range(self._copies, due):
                self.second.keep(index)
            self._copies = max(self._copies, due)


class ValidatingModule(TrainingModule):
    """A :class:`TrainingModule` for a model that has a validation.

    Lightning warns about a validation step without validation data. Other models are therefore
    trained without this class.
    """

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log the model's metrics of one validation batch.

        Some objectives split a batch into kinds of rows, for which the last batch of the data may
        be too small. Its rows are then repeated.
        """
        step = Step(
            seed=self.model.recipe.seed,
            batch=batch_idx,
            gradient_step=self.global_step,
            progress=self.step.progress,
            device=self.device,
        )
        times = 1
        try:
            result = self.model.validate(batch, step)
        except SmallBatchError:
            times = -(-FEWEST_ROWS // max(1, _rows(batch)))
            result = self.model.validate(repeat_rows(batch, times), step)
        for name, value in result.figures.items():
            logger = None if name != SCORE else False
            size = result.rows // times
            self.log(name, value, on_epoch=True, batch_size=size, logger=logger, sync_dist=True)


def _rows(batch: Any) -> int:
    """Return the number of rows of a batch: that of its first tensor; 0 if it has none."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.dim() else 0
    values = batch.values() if isinstance(batch, dict) else batch
    if not isinstance(values, Iterable) or isinstance(values, str):
        return 0
    return next((n for n in map(_rows, values) if n), 0)


def _logs_at(trainer: L.Trainer, step: int) -> bool:
    """Return whether the trainer logs a step, counted from 0."""
    every: int = vars(trainer)["log_every_n_steps"]
    return every > 0 and (step + 1) % every == 0


def trained_model(module: L.LightningModule) -> Pretrained | None:
    """Find the model that a Lightning module trains and that is saved at the end.

    Args:
        module: Module with the model as its attribute ``model``, or a module that can itself be
            saved.

    Returns:
        The model, or ``None`` if there is none to save.
    """
    model = getattr(module, "model", module)
    return model if isinstance(model, Pretrained) else None
