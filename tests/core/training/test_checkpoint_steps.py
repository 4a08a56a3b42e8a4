"""A checkpoint is written when all that belongs to its step is: its row and its validation."""

import csv
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from support.tiny import Noise, Shrink

from oneleap.core.training.checkpoints import AtomicCheckpointIO, Checkpoints
from oneleap.core.training.logger import RunLogger
from oneleap.core.training.run import BEST, LAST

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


class Scored(Shrink):
    """Its score comes from validation, and is best at step 8."""

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        super().validation_step(batch, batch_idx)
        self.log("eval/score", -abs(self.global_step - 8.0), logger=False)


class Killed(Exception):
    """Stands for the end of the process."""


class KillIn(L.Callback):
    """Ends the training in a hook, at a step."""

    def __init__(self, hook: str, step: int) -> None:
        def end(trainer: L.Trainer, *rest: Any) -> None:
            if trainer.global_step == step:
                raise Killed

        setattr(self, hook, end)


def train(folder: Path, *callbacks: L.Callback, resume: bool = False, **settings: Any) -> None:
    data = Noise("here")
    trainer = L.Trainer(
        accelerator="cpu",
        callbacks=[*callbacks, Checkpoints(every_n_steps=4)],
        check_val_every_n_epoch=None,
        default_root_dir=folder,
        enable_model_summary=False,
        enable_progress_bar=False,
        log_every_n_steps=5,
        logger=RunLogger(folder),
        max_epochs=-1,
        max_steps=22,
        num_sanity_val_steps=0,
        plugins=[AtomicCheckpointIO()],
        val_check_interval=4,
        **settings,
    )
    model = Scored(data.spec, score_every=1000)
    at = str(folder / LAST) if resume else None
    trainer.fit(model, datamodule=data, ckpt_path=at, weights_only=True)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def step_of(folder: Path, name: Path) -> int:
    return int(torch.load(folder / name, weights_only=True)["global_step"])


@pytest.mark.parametrize(
    ("hook", "step", "kept"),
    [
        ("on_validation_start", 8, 4),
        ("on_validation_batch_end", 8, 4),
        ("on_validation_end", 8, 4),
        ("on_train_batch_start", 8, 8),  # after the validation
        ("on_train_batch_end", 9, 8),
        ("on_validation_start", 12, 8),
        ("on_train_end", 22, 20),
    ],
)
def test_a_run_that_ends_in_the_middle_of_a_step_loses_nothing(
    hook: str, step: int, kept: int, tmp_path: Path
) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    train(whole)
    assert [row["step"] for row in rows(whole) if row["eval/size"]] == ["3", "7", "11", "15", "19"]
    assert step_of(whole, BEST) == 8
    with pytest.raises(Killed):
        train(run, KillIn(hook, step))
    assert step_of(run, LAST) == kept
    train(run, resume=True)
    assert rows(run) == rows(whole)
    for name in (LAST, BEST):
        one, two = (torch.load(folder / name, weights_only=True) for folder in (run, whole))
        torch.testing.assert_close(one["state_dict"], two["state_dict"], rtol=0, atol=0)
        assert one["global_step"] == two["global_step"]
        key = next(key for key in one["callbacks"] if "Checkpoints" in key)
        assert one["callbacks"][key]["best"] == two["callbacks"][key]["best"]


def test_what_the_next_batch_changes_is_kept_as_it_was(tmp_path: Path) -> None:
    class Counting(Noise):
        """Changes what it saves with each batch."""

        seen = torch.zeros(1)

        def state_dict(self) -> dict[str, Any]:
            return {"seen": self.seen}

        def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            self.seen += self.trainer.training if self.trainer else 0  # type: ignore[operator]
            return batch

    trainer = L.Trainer(
        accelerator="cpu",
        callbacks=[Checkpoints(every_n_steps=3), KillIn("on_train_batch_end", 5)],
        default_root_dir=tmp_path,
        enable_model_summary=False,
        enable_progress_bar=False,
        limit_val_batches=0,
        logger=False,
        max_steps=6,
        plugins=[AtomicCheckpointIO()],
    )
    data = Counting("here")
    with pytest.raises(Killed):
        trainer.fit(Shrink(data.spec, score_every=100), datamodule=data)
    saved = torch.load(tmp_path / LAST, weights_only=True)
    (state,) = (value for key, value in saved.items() if key.endswith("Counting"))
    assert state["seen"].item() == saved["global_step"] == 3
