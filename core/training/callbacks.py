"""Lightning callbacks of every run: configuration, progress line, export of the model."""

import sys
import time
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import nn

from oneleap.core.files import atomic_write
from oneleap.core.hub.card import hardware, model_card
from oneleap.core.reading.tensors import read_checkpoint
from oneleap.core.training.checkpoints import Checkpoints, is_fast_dev_run
from oneleap.core.training.finite import require_finite_weights
from oneleap.core.training.logger import RunLogger
from oneleap.core.training.module import trained_model
from oneleap.core.training.run import BEST, CONFIG, MODEL

RUN_SETTINGS = ("config", "run", "runs", "ckpt_path", "weights_only")
"""Settings of a single run; the saved ``config.yaml`` does not contain them."""


class SaveConfig(SaveConfigCallback):
    """Writes the resolved configuration to the run's folder; it can be used as ``--config``.

    It is written after the first step, so a run that is refused leaves no files.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Tell all processes the folder; write nothing, as data or teacher may be refused."""
        if trainer.world_size > 1:  # only the first process has reserved its folder
            folder = trainer.strategy.broadcast(trainer.default_root_dir)
            vars(trainer)["_default_root_dir"] = folder
            for logger in trainer.loggers:
                if isinstance(logger, RunLogger):
                    logger.folder = Path(folder)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        """Write the configuration once, and print the folder."""
        if self.already_saved:
            return
        if trainer.is_global_zero:
            print(f"run: {trainer.default_root_dir}", file=sys.stderr)
        super().setup(trainer, pl_module, "fit")

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """See Lightning's ``SaveConfigCallback``."""
        config = self.config.clone()
        for name in RUN_SETTINGS:
            config.pop(name, None)
        text = self.parser.dump(config, skip_validation=True, skip_unset=False)
        with atomic_write(Path(trainer.default_root_dir) / CONFIG) as path:
            path.write_text(text, encoding="utf-8")


class Progress(ProgressBar):
    """A progress line on standard error, refreshed by time, so that steps cost nothing.

    Args:
        every_s: Seconds between two refreshes on a terminal. A log file gets a line every 30 times
            that.
        shown: Largest number of values shown.
    """

    def __init__(self, every_s: float = 1.0, shown: int = 4) -> None:
        super().__init__()
        self.every_s, self.shown = every_s, shown
        self._enabled, self._next = True, 0.0
        self.started = False
        self._bar: Bar | None = None

    def disable(self) -> None:
        """Disable the line; Lightning calls this in all processes but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Enable the line."""
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the line."""
        self.started = True
        if not self._enabled:
            return
        columns = (
            TextColumn("fit"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.fields[figures]}"),
        )
        console = Console(stderr=True)
        disable = not console.is_terminal
        self._bar = Bar(*columns, console=console, auto_refresh=False, disable=disable)
        total = trainer.max_steps if trainer.max_steps > 0 else None
        self._bar.add_task("fit", total=total, completed=trainer.global_step, figures="")
        self._bar.start()
        self._next = time.monotonic() + self.every_s

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Refresh the line if it is time."""
        if time.monotonic() > self._next:
            self._refresh(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the final state."""
        self._refresh(trainer)
        self._close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Stop the line, so that it does not overwrite an error message."""
        self._close()

    def _refresh(self, trainer: Trainer) -> None:
        if self._bar is None:
            return
        logged = sorted(trainer.callback_metrics.items(), key=lambda item: "eval/" not in item[0])
        figures = " ".join(f"{name}={float(x):.4g}" for name, x in logged[: self.shown])
        task, every = self._bar.task_ids[0], self.every_s
        self._bar.update(task, completed=trainer.global_step, figures=figures, refresh=True)
        if not self._bar.console.is_terminal:
            every *= 30
            total = f"/{trainer.max_steps}" if trainer.max_steps > 0 else ""
            self._bar.console.print(f"fit {trainer.global_step}{total} {figures}")
        self._next = time.monotonic() + every

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Export(Callback):
    """Writes the trained model with a model card to ``model/`` in the run's folder.

    Args:
        weights: Weights of the last step, or of ``best.ckpt`` if there is one. A score that
            selected its own checkpoint is biased upward; say so when you report it.
    """

    def __init__(self, weights: Literal["last", "best"] = "last") -> None:
        self.weights = weights

    @rank_zero_only
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the folder."""
        run, model = Path(trainer.default_root_dir), trained_model(pl_module)
        if is_fast_dev_run(trainer) or model is None:
            return
        best = self.weights == "best" and (run / BEST).is_file()
        if best:
            checkpoint = read_checkpoint(run / BEST, pl_module.device)
            pl_module.on_load_checkpoint(checkpoint)
            pl_module.load_state_dict(checkpoint["state_dict"])
        if isinstance(model, nn.Module):
            require_finite_weights(model, str(run / MODEL))
        config = (run / CONFIG).read_text(encoding="utf-8") if (run / CONFIG).is_file() else ""
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        text = model_card(model, facts=_facts(trainer, best), figures=figures, config=config)
        model.save_pretrained(run / MODEL, card=text)


def _facts(trainer: Trainer, best: bool) -> dict[str, object]:
    """Return the facts of the run for the model card."""
    module = trainer.lightning_module
    facts: dict[str, object] = {
        "Weights": "best score during training" if best else "last step",
        "Gradient steps": trainer.global_step,
        "Seed": _seed(module),
        "Hardware": hardware(module.device),
    }
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, Checkpoints):
            facts["Training time"] = f"{callback.state_dict()['seconds'] / 60:.1f} minutes"
            if callback.best is not None:
                facts[f"Best {callback.monitor} during training"] = f"{callback.best:.4g}"
    return facts


def _seed(module: LightningModule) -> object:
    """Return the training seed of a module, from its recipe or its own attribute."""
    model = getattr(module, "model", module)
    return getattr(getattr(model, "recipe", model), "seed", "none")
