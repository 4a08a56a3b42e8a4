"""Checkpoints of a run: the last one, to resume from, and the best one."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.reading.tensors import read_checkpoint
from oneleap.core.training.finite import FiniteGuard, require_finite
from oneleap.core.training.logger import RunLogger
from oneleap.core.training.run import BEST, LAST


@runtime_checkable
class LogsLast(Protocol):
    """A module that logs its last step when the training ends."""

    def log_last(self) -> None:
        """Log the last step if it was not logged."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes each checkpoint to a temporary file in its folder, then renames it.

    Lightning uses the system's temporary folder. If that is on another disk, the rename becomes a
    copy.

    Attributes:
        holds: Whether a checkpoint is kept in memory instead of being written.
        held: The checkpoint that is kept, and its path.
    """

    holds: bool = False
    held: tuple[dict[str, Any], Path] | None = None

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: object = None,
    ) -> None:
        """See Lightning's ``CheckpointIO``. The file is on the disk before it gets its name."""
        if self.holds:
            self.held = checkpoint, Path(path)
            return
        with atomic_write(path) as temporary:
            torch.save(checkpoint, temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = None, weights_only: Any = None
    ) -> Any:
        """See Lightning's ``CheckpointIO``.

        Raises:
            InputError: If the file is damaged or not a checkpoint of a run.
        """
        return read_checkpoint(path, map_location)


class Checkpoints(Checkpoint):
    """Writes ``checkpoints/last.ckpt`` and ``checkpoints/best.ckpt`` in the run's folder.

    As a ``Checkpoint`` it runs after all other callbacks, so it sees what they log in a step.
    Lightning resumes exactly from the end of a batch, and logs and validates after it. The state is
    therefore taken there, and written once the rows and the validation of the step are, too: before
    the next batch. A run that is killed in between goes on from the checkpoint before.

    Weights that are not finite stop the run instead of being written. A run that is shorter than
    four logging intervals logs more often.

    Args:
        every_n_steps: Steps between two ``last.ckpt``; the last step always writes one.
        monitor: Name of the value whose maximum selects ``best.ckpt``. Validation logs it, or
            :func:`report_score` passes it.
    """

    def __init__(self, every_n_steps: int = 1000, monitor: str = "eval/score") -> None:
        if every_n_steps < 1:
            raise InputError(f"checkpoints.every_n_steps must be positive, not {every_n_steps}")
        self.every_n_steps, self.monitor = every_n_steps, monitor
        self.best: float | None = None
        self.seconds, self.rows = 0.0, 0
        self._since, self._saved = time.monotonic(), -1
        self._pending: float | None = None
        self._resumed: int | None = None
        self._step, self._waits = 0, False

    def update(self, figures: Mapping[str, float]) -> None:
        """Receive values of this step, which may be the best; see :func:`report_score`."""
        self._pending = figures.get(self.monitor)

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a resumed run needs."""
        seconds = self.seconds + time.monotonic() - self._since
        return {"best": self.best, "seconds": seconds, "rows": self.rows, "step": self._step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of :meth:`state_dict`.

        Raises:
            ValueError: If it holds something else.
        """
        kinds = {"best": float | int | None, "seconds": float | int, "rows": int}
        for name, kind in kinds.items():
            value = state_dict[name]
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ValueError(f"damaged: {name} of Checkpoints is a {type(value).__name__}")
        self.best, self.seconds = state_dict["best"], state_dict["seconds"]
        self.rows, self._resumed = state_dict["rows"], state_dict.get("step")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock, and drop logged values that a resumed run will log again.

        Raises:
            InputError: If the counters of a checkpoint do not fit its step.
        """
        if self._resumed is not None and self._resumed != trainer.global_step:
            raise InputError(
                f"{trainer.ckpt_path}: damaged: it is of step {self._resumed}, and its counters "
                f"say {trainer.global_step}"
            )
        shorten_log_interval(trainer)
        self._since, self._saved = time.monotonic(), trainer.global_step
        if trainer.global_step > 0 and isinstance(trainer.logger, RunLogger):
            batches = trainer.fit_loop.total_batch_idx + 1
            trainer.logger.resume(min(trainer.global_step, batches), self.rows)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time; Lightning resumes exactly from this point of a step."""
        step, score = trainer.global_step, self._pending
        if score is not None:
            self._pending = None
            self._keep_best(trainer, score)
        # With accumulated gradients, a step is done when its number has changed.
        if step != self._saved and (step % self.every_n_steps == 0 or step == trainer.max_steps):
            self._hold(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the best checkpoint of a module whose score comes from validation."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        score = trainer.callback_metrics.get(self.monitor)
        if score is not None:
            self._keep_best(trainer, float(score))
        self._write_held(trainer, trainer_callbacks(trainer))

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        """Write what waits, before the weights change."""
        self._write_held(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the last step, with its row."""
        if isinstance(pl_module, LogsLast):
            pl_module.log_last()
        self._write_held(trainer)
        if trainer.global_step != self._saved:
            self._save(trainer, LAST)

    def last_good(self, trainer: Trainer) -> str | None:
        """Describe the newest checkpoint, for the message of a run that stops."""
        path = Path(trainer.default_root_dir) / LAST
        if not path.is_file():
            return None
        return f"{path} (step {read_checkpoint(path)['global_step']})"

    def _keep_best(self, trainer: Trainer, score: float) -> None:
        better = math.isfinite(score) and (self.best is None or score > self.best)
        # Saving waits for all processes, so they must agree.
        if trainer.strategy.broadcast(better):
            self.best = score
            self._save(trainer, BEST)

    def _hold(self, trainer: Trainer) -> None:
        """Take the state of this step, to be written when the step is complete."""
        io = trainer.strategy.checkpoint_io
        if not isinstance(io, AtomicCheckpointIO):
            self._save(trainer, LAST)
            return
        io.holds = True
        try:
            self._save(trainer, LAST)
        finally:
            io.holds = False
        self._waits = True
        data = type(getattr(trainer, "datamodule", None)).__qualname__
        if io.held is not None and data in io.held[0]:  # the next batch may change it
            io.held[0][data] = deepcopy(io.held[0][data])

    def _write_held(self, trainer: Trainer, changed: Sequence[Callback] = ()) -> None:
        """Write the state that :meth:`_hold` took.

        Args:
            trainer: The trainer.
            changed: Callbacks whose state the validation has changed since.
        """
        io = trainer.strategy.checkpoint_io
        if not self._waits or not isinstance(io, AtomicCheckpointIO):
            return
        self._waits = False
        if io.held is not None:  # in the first process only
            checkpoint, path = io.held
            io.held = None
            states = {callback.state_key: callback.state_dict() for callback in (*changed, self)}
            checkpoint["callbacks"] |= {key: state for key, state in states.items() if state}
            io.save_checkpoint(checkpoint, path)
        trainer.strategy.barrier("Checkpoints")

    def _save(self, trainer: Trainer, name: Path) -> None:
        if is_fast_dev_run(trainer):
            return
        module = trainer.lightning_module
        guard = getattr(module, "guard", None)
        if isinstance(guard, FiniteGuard):
            guard.check(module)
        require_finite(module)
        self._step = trainer.global_step
        if name == LAST:
            self._saved = trainer.global_step
        if isinstance(trainer.logger, RunLogger):
            self.rows = trainer.logger.rows
        trainer.save_checkpoint(Path(trainer.default_root_dir) / name)


def report_score(trainer: Trainer, figures: Mapping[str, float]) -> None:
    """Pass the score of this step's weights to :class:`Checkpoints`.

    Logged values are on the module's device. Reading them after every step would wait for the
    device each time.
    """
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, Checkpoints):
            callback.update(figures)


def trainer_callbacks(trainer: Trainer) -> list[Callback]:
    """Return the callbacks of a trainer, which Lightning declares without a type."""
    callbacks: list[Callback] = vars(trainer)["callbacks"]
    return callbacks


def shorten_log_interval(trainer: Trainer) -> None:
    """Log at least four times, if the number of steps is known and Lightning's interval is longer.

    A run shorter than ``log_every_n_steps`` would log nothing.
    """
    steps, every = trainer.estimated_stepping_batches, vars(trainer)["log_every_n_steps"]
    if 0 < steps < math.inf:
        vars(trainer)["log_every_n_steps"] = min(every, max(1, int(steps) // 4))


def is_fast_dev_run(trainer: Trainer) -> bool:
    """Return whether this is ``--trainer.fast_dev_run``, which writes no files."""
    return bool(getattr(trainer, "fast_dev_run", False))
