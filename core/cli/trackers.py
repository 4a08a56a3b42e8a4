"""Services that record runs, Weights & Biases above all, beside the run's own log."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.training.logger import RunLogger

LIBRARIES = {
    "CometLogger": "comet_ml",
    "MLFlowLogger": "mlflow",
    "WandbLogger": "wandb",
}
"""Library of each of Lightning's loggers that needs one."""

WANDB = "WandbLogger"

WANDB_ID = Path("wandb-id.txt")
"""File of a run with its name at Weights & Biases."""


def tracker_settings(logger: Any) -> Iterator[Any]:
    """Yield the settings of each logger in the trainer's setting ``logger``."""
    for item in logger if isinstance(logger, list) else [logger]:
        if hasattr(item, "class_path"):
            yield item


def check_trackers(trackers: Iterable[Any]) -> None:
    """Check that the libraries of loggers are installed.

    Args:
        trackers: Settings of the loggers.

    Raises:
        InputError: If one is not.
    """
    for tracker in trackers:
        package, _, name = tracker.class_path.rpartition(".")
        library = LIBRARIES.get(name) if package.startswith("lightning.") else None
        if library is not None and find_spec(library) is None:
            raise InputError(f"trainer.logger: {name} needs {library}: pip install {library}")


def name_wandb_run(trackers: Iterable[Any], folder: Path, resumes: bool) -> str | None:
    """Choose the run of Weights & Biases: a resumed run continues its own.

    Args:
        trackers: Settings of the loggers, which get the name; a name of the user stays.
        folder: Folder of the run; also that of W&B's files, unless another is set.
        resumes: Whether training continues from a checkpoint.

    Returns:
        The name, or ``None`` without such a logger, or if the user chose it.
    """
    for tracker in trackers:
        options = tracker.get("init_args")
        if tracker.class_path.rpartition(".")[2] != WANDB or options is None:
            continue
        if options.get("id") or options.get("version") or options.get("experiment"):
            continue
        known = folder / WANDB_ID
        resumed = known.read_text(encoding="utf-8").strip() if resumes and known.is_file() else ""
        options["id"] = name = resumed or secrets.token_hex(4)
        if options.get("save_dir", ".") in (".", None):
            options["save_dir"] = str(folder)
        return name
    return None


class Track(Callback):
    """Gives the settings of the run to its loggers, once the first step has succeeded.

    Args:
        settings: Settings of the run.
        wandb_id: Name of the run at Weights & Biases, which the run's folder keeps.
    """

    def __init__(self, settings: Mapping[str, Any], wandb_id: str | None) -> None:
        self.settings, self.wandb_id = settings, wandb_id
        self._done = False

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        """Record the settings once."""
        if self._done:
            return
        self._done = True
        for logger in trainer.loggers:
            if not isinstance(logger, RunLogger):
                logger.log_hyperparams(dict(self.settings))
        if self.wandb_id is not None and trainer.is_global_zero:
            with atomic_write(Path(trainer.default_root_dir) / WANDB_ID) as path:
                path.write_text(f"{self.wandb_id}\n", encoding="utf-8")
