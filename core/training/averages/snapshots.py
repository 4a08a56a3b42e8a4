"""The callback that stores power-function averages during a run."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from oneleap.core.errors import InputError
from oneleap.core.objectives.matching.base import Matching
from oneleap.core.training.averages.posthoc import AVERAGES, Profile, store
from oneleap.core.training.ema import PowerEMA, ema_update, frozen_copy
from oneleap.core.training.model import GenerativeModel


class Snapshots(Callback):
    """Keeps averages of some widths beside the model's own, and stores them now and then.

    ``oneleap average RUN --sigma_rel 0.08`` makes from them, after the run, the model that an
    average of any width would have had. Time counts the updates of the generator alone. Each stored
    average has the size of the network.

    Args:
        sigma_rels: Widths, see :class:`oneleap.core.training.ema.PowerEMA`; EDM2 keeps these two.
        every_n_steps: Updates between two stored averages; the end of the run stores one, too.
    """

    def __init__(
        self, sigma_rels: tuple[float, ...] = (0.05, 0.1), every_n_steps: int = 1000
    ) -> None:
        if not sigma_rels or len(set(sigma_rels)) < len(sigma_rels):
            raise InputError(f"sigma_rels must be different widths, not {sigma_rels}")
        if every_n_steps < 1:
            raise InputError(f"snapshots.every_n_steps must be positive, not {every_n_steps}")
        self.sigma_rels, self.every_n_steps = sigma_rels, every_n_steps
        self.updates, self._step, self._written = 0, 0, 0
        self._averages: list[nn.Module] = []
        self._saved: list[dict[str, torch.Tensor]] = []

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"updates": self.updates, "averages": [a.state_dict() for a in self._averages]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what a checkpoint kept."""
        self.updates, self._saved = state_dict["updates"], state_dict["averages"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the model's average, or go on with those of the checkpoint.

        Raises:
            InputError: If there is no generative model, or the run had other widths.
        """
        model = _model(pl_module)
        self._averages = [frozen_copy(model.average) for _ in self.sigma_rels]
        self._step = self._written = trainer.global_step
        if trainer.global_step == 0:
            return
        if len(self._saved) != len(self._averages):
            raise InputError(
                "Snapshots: the run began without it or with other sigma_rels: resume it with its "
                "own config.yaml"
            )
        for average, weights in zip(self._averages, self._saved, strict=True):
            average.load_state_dict(weights)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        """Update the averages after an update of the generator, and store them if they are due."""
        model, step = _model(pl_module), trainer.global_step
        if step == self._step:  # gradients are being accumulated
            return
        self._step = step
        if isinstance(model.objective, Matching) and not model.objective.generates(step - 1, 0.0):
            return
        for average, sigma in zip(self._averages, self.sigma_rels, strict=True):
            ema_update(average, model.net, PowerEMA(sigma), self.updates)
        self.updates += 1
        if self.updates % self.every_n_steps == 0:
            self._store(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Store the averages at the end."""
        if self.updates and self._written != self.updates:
            self._store(trainer)

    def _store(self, trainer: Trainer) -> None:
        """Write all averages to the run's folder."""
        self._written = self.updates
        if not trainer.is_global_zero:
            return
        folder = Path(trainer.default_root_dir) / AVERAGES
        for average, sigma in zip(self._averages, self.sigma_rels, strict=True):
            store(folder, Profile(self.updates, sigma), dict(average.named_parameters()))


def _model(module: LightningModule) -> GenerativeModel:
    """Return the model that a Lightning module trains.

    Raises:
        InputError: If it is no generative model.
    """
    model = getattr(module, "model", None)
    if not isinstance(model, GenerativeModel):
        raise InputError("Snapshots averages generative models, and this is none: leave it out")
    return model
