"""``oneleap fit | validate | test | predict``: LightningCLI, with one folder per run.

A data module states sizes and ranges of its data in the attribute ``spec``, and a model takes them
as its argument ``spec``. This module connects both, so no configuration repeats a size.
"""

import inspect
import os
import sys
import time
from argparse import SUPPRESS, ArgumentError
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch
from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

import oneleap.core.objectives  # noqa: F401  (makes their bare names known to jsonargparse)
from oneleap.core.cli import checks
from oneleap.core.cli.advice import after_training, resume_line
from oneleap.core.cli.configs import find_config, runs_name, with_current_names
from oneleap.core.cli.explain import explain, original_error
from oneleap.core.cli.families import enable_families
from oneleap.core.cli.paths import absolute_paths
from oneleap.core.cli.seeds import OLD, SEED, spread_seed
from oneleap.core.cli.trackers import Track, check_trackers, name_wandb_run, tracker_settings
from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import CONFIG as MODEL_CONFIG
from oneleap.core.hub.trust import about_user_options
from oneleap.core.training.callbacks import Export, Progress, SaveConfig
from oneleap.core.training.checkpoints import AtomicCheckpointIO, Checkpoints
from oneleap.core.training.finite import NotFiniteError
from oneleap.core.training.logger import RunLogger
from oneleap.core.training.model import Trainable
from oneleap.core.training.module import trained_model
from oneleap.core.training.run import (
    BEST,
    CONFIG,
    LAST,
    MODEL,
    claimed_folder,
    newest_run,
    read_run_config,
)

enable_families()  # before any parser is made: jsonargparse keeps the parsers of classes
COMMANDS = {
    "fit": "oneleap fit --config rl/ofql_pointmaze-umaze --trainer.max_steps 2000",
    "validate": "oneleap validate --config RUN/config.yaml --ckpt_path RUN/checkpoints/best.ckpt",
    "test": "oneleap test --config RUN/config.yaml --ckpt_path RUN/checkpoints/best.ckpt",
    "predict": "oneleap predict --config RUN/config.yaml --ckpt_path RUN/checkpoints/best.ckpt",
}
"""Lightning's commands, each with an example."""

NAMED_CHECKPOINTS = {"last": LAST, "best": BEST}
"""Checkpoints that can be given by name."""

MODEL_TYPES = (Trainable, L.LightningModule)
"""Types of models that a configuration may name."""

TRAINER_DEFAULTS = {"max_epochs": -1, "num_sanity_val_steps": 0, "enable_model_summary": False}
"""Defaults that differ from Lightning's."""


class CLI(LightningCLI):
    """LightningCLI in subclass mode; its ``fit`` works in a folder per run.

    Args:
        command: One of :data:`COMMANDS`.
        argv: Arguments of the command.
        claims: Holds the reservation of the run's folder until the command ends.

    Raises:
        InputError: If an argument or a configuration is wrong, or there is nothing to resume.
    """

    folder: Path | None
    wandb_id: str | None

    def __init__(self, command: str, argv: Sequence[str], claims: ExitStack) -> None:
        self.claims = claims
        configs, self.rest = checks.split_configs(argv)
        self.command, self.folder = command, None
        self.name = runs_name(configs) if configs else "unnamed"
        self.files = [find_config(name) for name in configs]
        checks.require_different(self.files)
        self.texts = [with_current_names(file) for file in self.files]
        given = [part for text in self.texts for part in ("--config", text)]
        self.file_arguments = [command, *given]
        self.seed, self.wandb_id = 0, None
        parsers = {
            name: {
                "exit_on_error": False,
                "description": f"Example: {example}",
                "epilog": about_user_options(),
            }
            for name, example in COMMANDS.items()
        }
        super().__init__(
            L.LightningModule,
            L.LightningDataModule,
            save_config_callback=SaveConfig,
            save_config_kwargs={"save_to_log_dir": False},
            trainer_defaults=TRAINER_DEFAULTS,
            parser_kwargs={
                "prog": "oneleap",
                "allow_abbrev": False,
                "exit_on_error": False,
                **parsers,
            },
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=[*self.file_arguments, *self.rest],
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    @property
    def settings(self) -> Namespace:
        """The parsed configuration of the selected command."""
        settings: Namespace = self.config[self.config.subcommand]
        return settings

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add ``--seed``; Lightning's name for it does the same."""
        text = "Seed of data, weights, draws and evaluations; seeds that are set by name win."
        parser.add_argument(f"--{SEED}", type=int | None, help=text)
        parser.add_argument(f"--{OLD}", type=bool | int | None, help=SUPPRESS)

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add data before model, since a model is built from ``data.spec``."""
        parser.add_subclass_arguments(L.LightningDataModule, "data", required=True)
        parser.add_subclass_arguments(MODEL_TYPES, "model", required=True, skip={"spec"})
        parser.add_lightning_class_args(L.Trainer, "trainer")
        parser.set_defaults({f"trainer.{name}": value for name, value in TRAINER_DEFAULTS.items()})

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the folder of a run, and the callbacks of every run."""
        parser.add_argument("--runs", default="runs", help="A run's folder is RUNS/CONFIG/TIME.")
        parser.add_argument("--run", type=str | None, help="Use this very folder instead.")
        parser.add_lightning_class_args(Checkpoints, "checkpoints")
        parser.add_lightning_class_args(Export, "export")
        parser.add_lightning_class_args(Progress, "progress")

        self.options = [*parser.get_defaults(skip_validation=True).keys(), "config", "ckpt_path"]

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the arguments; an error message says whether a file or an argument is wrong.

        Raises:
            InputError: If anything is wrong.
        """
        try:
            self.config = parser.parse_args(args)
        except UnicodeDecodeError:
            raise InputError(f"{', '.join(map(str, self.files))}: not a YAML file") from None
        except ArgumentError as error:
            message = str(error)
            where = f"{self.files[-1]}: " if self._files_fail_alone(parser, message) else ""
            hint = "" if self.files else "; name a configuration: --config NAME (oneleap configs)"
            raise InputError(where + explain(message, self.options) + hint) from None
        self.seed = spread_seed(self.config[self.command], self.texts, self.rest)

    def _set_seed(self) -> None:
        """Seed what draws without a generator of its own; nothing in oneleap does."""
        L.seed_everything(self.seed, workers=True, verbose=False)

    def _files_fail_alone(self, parser: LightningArgumentParser, message: str) -> bool:
        """Return whether the configuration files alone give the same error."""
        try:
            parser.parse_args(self.file_arguments)
        except ArgumentError as error:
            return bool(self.files) and str(error) == message
        return False

    def _parse_ckpt_path(self) -> None:
        """Do nothing: Lightning reads settings from checkpoints here, and ours contain none."""

    def before_instantiate_classes(self) -> None:
        """Choose the run's folder, and the checkpoint.

        Raises:
            InputError: If there is no such checkpoint, or the folder already holds a run.
        """
        settings = self.settings
        checks.require_names(settings)
        check_trackers(tracker_settings(settings.trainer.logger))
        checks.check_trainer(settings.trainer)
        if self.command != "fit":
            self._find_checkpoint(settings)
            return
        checks.require_length(settings.trainer)
        checks.require_used(settings.trainer)
        self.folder = self._claim_folder(settings)
        self._to_save = absolute_paths(settings)
        trackers = tracker_settings(settings.trainer.logger)
        self.wandb_id = name_wandb_run(trackers, self.folder, settings.ckpt_path is not None)

    def _claim_folder(self, settings: Namespace) -> Path:
        """Return the run's folder, reserved for this run, and resolve the checkpoint.

        Only the first of several processes reserves it. It tells the others its name in
        :meth:`oneleap.core.training.callbacks.SaveConfig.setup`.

        Raises:
            InputError: If there is no such checkpoint, or the folder already holds a run.
        """
        runs = Path(settings.runs) / self.name
        resumed = settings.ckpt_path == "last"
        if resumed:
            folder = Path(settings.run) if settings.run else self._resumed_run(runs)
            settings.ckpt_path = str(folder / LAST)
        else:
            folder = Path(settings.run or runs / time.strftime("%Y-%m-%d_%H-%M-%S"))
        if settings.ckpt_path and not Path(settings.ckpt_path).is_file():
            raise InputError(checks.nothing_to_resume(settings.ckpt_path))
        if resumed:
            self._resume_seed(settings, folder)
        if getattr(rank_zero_only, "rank", 0) != 0:
            return folder
        fresh = not (resumed or settings.run)
        folder = self.claims.enter_context(claimed_folder(folder, fresh=fresh))
        if (folder / CONFIG).exists() and not resumed:
            resume = "resume it with --ckpt_path last, " if (folder / LAST).exists() else ""
            raise InputError(
                f"{folder} already holds a run: {resume}delete it, or name another folder"
            )
        return folder

    def _resume_seed(self, settings: Namespace, run: Path) -> None:
        """Use the seed that a resumed run was started with, unless another is given."""
        seed = read_run_config(run).get(SEED) if (run / CONFIG).is_file() else None
        if settings[SEED] is None and isinstance(seed, int):
            self.seed = spread_seed(settings, self.texts, self.rest, seed)
            self._set_seed()

    def _resumed_run(self, runs: Path) -> Path:
        """Return the run whose own configuration was named, or else the newest one."""
        own = self.files[-1].parent if self.files else Path()
        named = bool(self.files) and self.files[-1].name == CONFIG.name and (own / LAST).is_file()
        return own if named else newest_run(runs)

    def _find_checkpoint(self, settings: Namespace) -> None:
        """Resolve named checkpoints, which are in the folder of the run's configuration.

        Raises:
            InputError: If there is none.
        """
        if settings.ckpt_path in NAMED_CHECKPOINTS:
            run = self.files[-1].parent
            settings.ckpt_path = str(run / NAMED_CHECKPOINTS[settings.ckpt_path])
        if settings.ckpt_path and not Path(settings.ckpt_path).is_file():
            raise InputError(f"ckpt_path: {settings.ckpt_path} is missing: name another")

    def instantiate_classes(self) -> None:
        """Build the data, then the model that fits them, then the trainer.

        jsonargparse's links on instantiation cannot target a dataclass in subclass mode, because
        jsonargparse then requires the fields of the dataclass.
        """
        refused: list[InputError] = []

        @contextmanager
        def noted() -> Iterator[None]:
            """Remember a refusal: jsonargparse wraps it in complaints about types."""
            try:
                yield
            except InputError as error:
                refused.append(error)
                raise

        def build_data(cls: type[L.LightningDataModule], **arguments: Any) -> L.LightningDataModule:
            with noted():
                self.datamodule = cls(**arguments)
            data: L.LightningDataModule = self.datamodule
            return data

        def build_model(cls: type[nn.Module], **arguments: Any) -> nn.Module:
            with noted():
                if "spec" in inspect.signature(cls).parameters:
                    arguments["spec"] = getattr(self.datamodule, "spec", None)
                return cls(**arguments)

        builders = [
            (build_data, L.LightningDataModule, True),
            *((build_model, kind, True) for kind in MODEL_TYPES),
        ]
        try:
            self.config_init = self.parser.instantiate(self.config, instantiators=builders)
        except ValueError as error:
            raise (refused[0] if refused else original_error(error)) from None
        except ModuleNotFoundError as error:
            checks.name_library(error)
            raise
        model = self.config_init[self.command].model
        self.model = model.lightning_module() if isinstance(model, Trainable) else model
        if self.command != "fit":
            untrained = not self.settings.ckpt_path
            checks.require_steps(self.command, self.model, self.datamodule, untrained)
        checks.require_own_clipping(self.settings.trainer, self.model)
        self.trainer = self.instantiate_trainer()

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Add what every run has, unless the configuration sets it.

        Raises:
            InputError: If Lightning rejects its settings.
        """
        settings = self.config_init[self.command].trainer
        if settings.enable_progress_bar is False:  # ours stays, as it counts the steps, but silent
            self.config_init[self.command].progress.disable()
        kwargs["enable_progress_bar"] = True
        kwargs["plugins"] = [AtomicCheckpointIO(), *_as_list(settings.plugins)]
        loggers = [] if settings.logger is True else _as_list(settings.logger)
        if self.folder is None:
            kwargs["logger"] = loggers or False
        else:
            kwargs["default_root_dir"] = str(self.folder)
            kwargs["logger"] = settings.logger is not False and [RunLogger(self.folder), *loggers]
            track = Track(self._to_save.as_dict(), self.wandb_id)
            kwargs["callbacks"] = [*_as_list(settings.callbacks), track]
            self.config[self.command] = self._to_save  # what config.yaml will hold
        try:
            return super().instantiate_trainer(**kwargs)
        except (ImportError, TypeError, ValueError, MisconfigurationException) as error:
            raise checks.refused(error) from None

    def _run_subcommand(self, subcommand: str) -> None:
        with checks.restoring(self.settings.ckpt_path):
            super()._run_subcommand(subcommand)

    def fit(self, **kwargs: Any) -> None:
        """Train, and print how to continue.

        A run that was killed after its last step is ended: its model is written.
        """
        ended = self.folder is None or (self.folder / MODEL / MODEL_CONFIG).is_file()
        try:
            self.trainer.fit(**{"weights_only": True, **kwargs})
        except NotFiniteError:
            if self.trainer.is_global_zero:
                raise
            raise SystemExit(0) from None  # all processes raise it; the first one reports it
        except SystemExit:
            if self.trainer.interrupted:
                print(f"\n{resume_line(self.folder)}", file=sys.stderr)
                raise KeyboardInterrupt from None
            raise
        bar = self.trainer.progress_bar_callback
        if isinstance(bar, Progress) and not bar.started and ended:
            raise InputError(checks.at_its_end(self.settings.ckpt_path, self.trainer.global_step))
        run = self.folder if self.trainer.is_global_zero else None
        if run is not None and (run / MODEL).is_dir():
            print(after_training(trained_model(self.model), run))


def main(command: str, argv: Sequence[str]) -> int:
    """Run one of Lightning's commands.

    Args:
        command: One of :data:`COMMANDS`.
        argv: Arguments of the command.

    Returns:
        Exit status 0.

    Raises:
        InputError: If an argument or a configuration is wrong.
    """
    if not torch.cuda.is_available():
        # Without this, optimizers query the driver for a GPU in every step, which takes 0.7 ms.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    with checks.quiet_loggers(), ExitStack() as claims:
        try:
            CLI(command, argv, claims)
        except MisconfigurationException as error:
            raise InputError(f"trainer: {str(error).splitlines()[0]}") from None
    return 0


def _as_list(value: Any) -> list[Any]:
    """Return a setting that may be a list, one value or nothing as a list."""
    return [item for item in (value if isinstance(value, list) else [value]) if item]
