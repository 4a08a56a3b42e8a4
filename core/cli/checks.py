"""Checks of ``oneleap fit`` and its sisters, made before anything is built or written."""

import logging
import re
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
from jsonargparse import Namespace
from lightning.pytorch.utilities.model_helpers import is_overridden

from oneleap.core.errors import InputError, Notice
from oneleap.core.reading.guard import reason_of
from oneleap.core.training.module import TrainingModule

LENGTHS = ("max_steps", "max_epochs")
"""Settings of the trainer that end a run; -1 means no end."""

STEPS = {
    "validate": ("validation_step", "val_dataloader"),
    "test": ("test_step", "test_dataloader"),
    "predict": ("predict_step", "predict_dataloader"),
}
"""What each of Lightning's other commands needs of a model, and of data."""


SHARDING = ("fsdp", "deepspeed", "modelparallel", "model_parallel")
"""Parts of the names of strategies that split the weights over processes."""

SPAWNING = ("spawn", "fork", "notebook")
"""Parts of the names of strategies whose processes hand weights back by a file of their own."""

OWN = ": use it with the config.yaml of its own run"
"""What to do with a checkpoint that fits no other run."""

UNUSED = {
    "enable_checkpointing": "a run always keeps its last checkpoint: leave it out, or write fewer "
    "with --checkpoints.every_n_steps N",
    "barebones": "a run always writes figures and checkpoints: leave it out",
    "default_root_dir": "a run has a folder of its own: name it with --run",
}
"""Settings of the trainer that a run cannot have, and the mend."""

MENDS = (
    ("No supported gpu", "accelerator: no GPU is found: use auto or cpu (see oneleap doctor)"),
    ("can not run on your system", "accelerator: it is not on this machine: use auto or cpu"),
    ("torch_xla", "accelerator: torch_xla is not installed: use auto or cpu"),
    ("`devices`", "devices: give a number of at least 1, or auto"),
    ("Trainer(devices=", "devices: give a number of at least 1, or auto"),
    ("invalid strategy name", "strategy: use auto, or ddp for several processes"),
    ("multiple progress bar", "callbacks: a run has a progress line already: leave others out"),
)
"""Parts of Lightning's refusals that name no mend, and what to say instead."""


def split_configs(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate configurations from other arguments, which take precedence wherever they stand."""
    configs, rest, arguments = list[str](), list[str](), iter(argv)
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name in ("--config", "-c"):
            configs.append(value if equals else next(arguments, ""))
            if configs[-1].startswith("--") or not configs[-1]:
                raise InputError("config: name a configuration: --config NAME (oneleap configs)")
        else:
            rest.append(argument)
    return configs, rest


def require_different(files: Sequence[Path]) -> None:
    """Refuse a configuration that is named twice.

    Raises:
        InputError: If one is.
    """
    file, times = Counter(files).most_common(1)[0] if files else (None, 0)
    if times > 1:
        raise InputError(f"config: {file} is named {times} times: name it once")


def require_length(trainer: Namespace) -> None:
    """Refuse a training that would never end, or not begin.

    Raises:
        InputError: If the trainer's settings say so.
    """
    for name in LENGTHS:
        value = trainer[name]
        if value is not None and (value == 0 or value < -1):
            raise InputError(f"trainer.{name}: {value} trains nothing: give at least 1")
    if trainer.limit_train_batches == 0:
        raise InputError("trainer.limit_train_batches: 0 batches train nothing")
    endless = all(trainer[name] in (None, -1) for name in LENGTHS)
    if endless and trainer.max_time is None and not trainer.fast_dev_run:
        raise InputError("no length of training: set --trainer.max_steps N or --trainer.max_time")


def nothing_to_resume(checkpoint: str) -> str:
    """Say that a checkpoint is missing, and what to do."""
    return (
        f"nothing to resume: {checkpoint} is missing; a run has none before its first checkpoint: "
        "start it again without --ckpt_path, in another folder"
    )


def at_its_end(checkpoint: str, step: int) -> str:
    """Say that a run is at its last step already, and what to do."""
    return (
        f"nothing to train: {checkpoint} is at step {step} already: give a larger "
        "--trainer.max_steps"
    )


@contextmanager
def restoring(checkpoint: str | None) -> Iterator[None]:
    """Say in one line that a checkpoint does not fit the model, the data or the trainer.

    Args:
        checkpoint: Path of the checkpoint, if there is one.

    Raises:
        InputError: If Lightning fails while it restores the checkpoint.
    """
    try:
        yield
    except (InputError, ImportError):
        raise
    except Exception as error:  # each part restores itself, and raises errors of its own
        if checkpoint is None or not _while_restoring(error):
            raise
        if "Error(s) in loading state_dict" in str(error):
            first = str(error).splitlines()[1].strip()
            raise InputError(f"{checkpoint} is for another model: {first}{OWN}") from None
        raise InputError(f"{checkpoint} does not fit this run: {reason_of(error)}{OWN}") from None


def _while_restoring(error: BaseException) -> bool:
    """Whether an error passed through Lightning's code that restores checkpoints."""
    frames = traceback.walk_tb(error.__traceback__)
    codes = (frame.f_code for frame, _ in frames)
    return any(
        code.co_name.startswith("restore") and "checkpoint_connector" in code.co_filename
        for code in codes
    )


def check_trainer(trainer: Namespace) -> None:
    """Refuse settings that Lightning accepts and fails on later.

    Raises:
        InputError: If there is one.
    """
    counts = ("log_every_n_steps", "accumulate_grad_batches", "check_val_every_n_epoch")
    for name in (*counts, "val_check_interval"):
        value = trainer[name]
        if isinstance(value, int | float) and value < (1 if name in counts else 1e-9):
            raise InputError(f"trainer.{name}: {value} is not positive")
    if re.fullmatch(r"0|-(?!1$)\d+", str(trainer.devices)):  # -1 means all
        raise InputError(
            f"trainer.devices: give a number of at least 1, or auto, not {trainer.devices}"
        )
    strategy = trainer.strategy
    named = strategy if isinstance(strategy, str) else getattr(strategy, "class_path", "")
    if any(part in str(named).lower() for part in SHARDING):
        raise InputError(
            f"trainer.strategy: {named} splits the weights over processes, and moving averages and "
            "exact checkpoints need them whole: use ddp (docs/howto/scale.md)"
        )
    if any(part in str(named).lower() for part in SPAWNING):
        raise InputError(
            f"trainer.strategy: the processes of {named} cannot hand back the weights: use ddp "
            "(docs/howto/scale.md)"
        )


def require_used(trainer: Namespace) -> None:
    """Refuse settings of the trainer that a training cannot have.

    Raises:
        InputError: If there is one; the message says what to do instead.
    """
    for name, mend in UNUSED.items():
        if trainer[name] not in ((None, True) if name.startswith("enable") else (None, False)):
            raise InputError(f"trainer.{name}: {mend}")


def refused(error: Exception) -> Exception:
    """Return the error to raise when Lightning refuses the settings of its trainer.

    Args:
        error: What Lightning raised.

    Returns:
        One line with the mend, or the error itself if a library is missing.
    """
    if isinstance(error, ImportError) and error.name is not None:
        return error
    text = str(error)
    mend = next((mend for part, mend in MENDS if part in text), None)
    return InputError(f"trainer: {text}" if mend is None else f"trainer.{mend}")


def require_names(settings: Namespace) -> None:
    """Refuse empty names of folders and files, which would mean something else.

    Raises:
        InputError: If there is one.
    """
    for name in ("run", "runs", "ckpt_path"):
        if settings.get(name) == "":
            raise InputError(f"{name}: the name is empty: give one, or leave --{name} out")


def require_own_clipping(trainer: Namespace, module: L.LightningModule) -> None:
    """Refuse clipping by the trainer for a model that clips by its own settings.

    Raises:
        InputError: If both would be needed.
    """
    own = is_overridden("configure_gradient_clipping", module, L.LightningModule)
    if own and trainer.gradient_clip_val is not None:
        group = (
            "model.recipe.optimizer" if isinstance(module, TrainingModule) else "model.optimizer"
        )
        raise InputError(f"trainer.gradient_clip_val is not used here: set --{group}.clip")


def require_steps(
    command: str, module: L.LightningModule, data: L.LightningDataModule, untrained: bool
) -> None:
    """Refuse ``validate``, ``test`` or ``predict`` of a model that has no such thing.

    Args:
        command: The command.
        module: Lightning module.
        data: Data module.
        untrained: Whether no checkpoint was named; a notice then says so.

    Raises:
        InputError: If the model has no such step, or there are no data for it.
    """
    step, loader = STEPS[command]
    score = "oneleap evaluate RUN scores a trained model"
    model = module.model if isinstance(module, TrainingModule) else module
    if not is_overridden(step, module, L.LightningModule):
        raise InputError(f"{command}: {type(model).__name__} has no {step}: {score}")
    if not is_overridden(loader, data, L.LightningDataModule):
        raise InputError(f"{command}: {type(data).__name__} has no {loader}: {score}")
    if untrained:
        text = f"{command}: no --ckpt_path is given, so the weights are untrained"
        warnings.warn(text, Notice, stacklevel=2)


def name_library(error: ModuleNotFoundError) -> None:
    """Raise the mend, if Lightning says which library one of its classes needs.

    Raises:
        InputError: If it does.
    """
    found: Any = re.search(r"pip install -U '([\w.-]+)", str(error))
    if error.name is None and found is not None:
        raise InputError(f"{found[1]} is not installed: pip install {found[1]}") from None


@contextmanager
def quiet_loggers() -> Iterator[None]:
    """Hide Lightning's tips and its messages about absent hardware."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        yield
