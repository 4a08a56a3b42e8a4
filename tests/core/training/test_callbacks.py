"""What a run leaves behind: checkpoints written whole, the best of them, a model with its card."""

import os
import re
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from support.tiny import Noise, Shrink, Spec

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import CARD
from oneleap.core.training.callbacks import MODEL, Export, Progress
from oneleap.core.training.checkpoints import (
    BEST,
    LAST,
    AtomicCheckpointIO,
    Checkpoints,
    report_score,
)
from oneleap.core.training.loaders import FixedBatches
from oneleap.core.training.logger import RunLogger

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


class Watch(L.Callback):
    """Notes which checkpoints are there before each step."""

    def __init__(self) -> None:
        self.steps: dict[str, list[int]] = {}

    def on_train_batch_start(self, trainer: L.Trainer, *args: Any) -> None:
        folder = Path(trainer.default_root_dir)
        for name in (LAST, BEST):
            if (folder / name).exists():
                step = torch.load(folder / name, weights_only=True)["global_step"]
                self.steps.setdefault(name.name, []).append(step)


def train(folder: Path, *callbacks: L.Callback, steps: int = 40, **kwargs: Any) -> Shrink:
    data = Noise("here")
    model = Shrink(data.spec)
    trainer = L.Trainer(
        accelerator="cpu",
        callbacks=list(callbacks),
        default_root_dir=folder,
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(c, Progress) for c in callbacks),
        log_every_n_steps=5,
        logger=RunLogger(folder),
        max_epochs=-1,
        max_steps=steps,
        num_sanity_val_steps=0,
        plugins=[AtomicCheckpointIO()],
        **kwargs,
    )
    trainer.fit(model, datamodule=data)
    return model


def test_last_and_best(tmp_path: Path) -> None:
    record_activations, kept = Watch(), Checkpoints(every_n_steps=15)
    train(tmp_path, record_activations, kept)
    assert sorted(set(record_activations.steps["last.ckpt"])) == [15, 30]
    assert sorted(set(record_activations.steps["best.ckpt"])) == [
        10,
        20,
    ]  # the score is best at step 20
    assert kept.best == 0
    last = torch.load(tmp_path / LAST, weights_only=True)
    assert last["global_step"] == 40  # the end, though no multiple of 15
    assert sorted(os.listdir((tmp_path / LAST).parent)) == ["best.ckpt", "last.ckpt"]


def test_a_score_that_is_no_number_is_never_the_best(tmp_path: Path) -> None:
    class Blind(L.Callback):
        """Before all else, takes the first score away."""

        def on_train_batch_end(self, trainer: L.Trainer, *rest: Any) -> None:
            if trainer.global_step == 10:
                report_score(trainer, {"eval/score": float("nan")})

    record_activations, kept = Watch(), Checkpoints(every_n_steps=1000)
    train(tmp_path, record_activations, Blind(), kept)
    assert sorted(set(record_activations.steps["best.ckpt"])) == [20]
    assert kept.best == 0


class Each(L.LightningModule):
    """Counts the steps that each checkpoint has, with gradients of several batches to one."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Linear(1, 1)
        self.at: list[tuple[int, int]] = []

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss: torch.Tensor = self.net(torch.ones(1, 1)).square().mean()
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.at.append((self.global_step, self.trainer.fit_loop.total_batch_idx + 1))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_a_checkpoint_is_never_within_a_step_of_several_batches(tmp_path: Path) -> None:
    model = Each()
    trainer = L.Trainer(
        accelerator="cpu",
        accumulate_grad_batches=3,
        callbacks=[Checkpoints(every_n_steps=2)],
        default_root_dir=tmp_path,
        enable_model_summary=False,
        enable_progress_bar=False,
        logger=False,
        max_steps=7,
    )
    trainer.fit(model, FixedBatches([torch.zeros(1)] * 24))
    assert model.at == [(2, 6), (4, 12), (6, 18), (7, 21)]


def test_training_that_ends_by_epochs_has_its_last_step_too(tmp_path: Path) -> None:
    data = Noise("here")
    trainer = L.Trainer(
        accelerator="cpu",
        callbacks=[Checkpoints()],
        default_root_dir=tmp_path,
        enable_model_summary=False,
        enable_progress_bar=False,
        limit_train_batches=3,
        limit_val_batches=0,
        logger=False,
        max_epochs=2,
    )
    trainer.fit(Shrink(data.spec, score_every=100), datamodule=data)
    assert torch.load(tmp_path / LAST, weights_only=True)["global_step"] == 6
    assert not (tmp_path / BEST).exists()


def test_every_n_steps_must_be_positive() -> None:
    with pytest.raises(InputError, match=r"checkpoints\.every_n_steps"):
        Checkpoints(every_n_steps=0)


def test_a_failed_checkpoint_leaves_the_one_before(tmp_path: Path) -> None:
    path, io = tmp_path / "a.ckpt", AtomicCheckpointIO()
    io.save_checkpoint({"state_dict": {}, "step": 1}, path)
    with pytest.raises((AttributeError, TypeError), match="pickle"):
        io.save_checkpoint({"state_dict": {}, "step": 2, "no": lambda: None}, path)
    assert torch.load(path, weights_only=True) == {"state_dict": {}, "step": 1}
    assert os.listdir(tmp_path) == ["a.ckpt"]


@pytest.mark.parametrize("weights", ["last", "best"])
def test_export(tmp_path: Path, weights: Any) -> None:
    model = train(tmp_path, Checkpoints(every_n_steps=10), Export(weights))
    saved = Shrink.from_pretrained(tmp_path / MODEL, trusted=("support",))
    name = LAST if weights == "last" else BEST
    expected = torch.load(tmp_path / name, weights_only=True)["state_dict"]
    assert all(torch.equal(w, expected[name]) for name, w in saved.state_dict().items())
    assert saved.spec == model.spec
    text = (tmp_path / MODEL / CARD).read_text()
    weights_line = "last step" if weights == "last" else "best score during training"
    for line in (
        "# Shrink",
        "| Class | `support.tiny.Shrink` |",
        f"| Weights | {weights_line} |",
        "| Gradient steps | 40 |",
        "| Seed | 3 |",
        "| Best eval/score during training | 0 |",
        "| train/loss |",
    ):
        assert line in text
    assert re.search(r"\| Training time \| 0\.\d minutes \|", text)


def test_best_of_nothing_is_the_last(tmp_path: Path) -> None:
    train(tmp_path, Checkpoints(monitor="eval/nothing"), Export("best"))
    assert "| Weights | last step |" in (tmp_path / MODEL / CARD).read_text()


def test_a_fast_dev_run_leaves_no_files(tmp_path: Path) -> None:
    train(tmp_path, Checkpoints(every_n_steps=1), Export(), fast_dev_run=True)
    assert os.listdir(tmp_path) == []


@pytest.mark.filterwarnings("ignore:You passed in a `val_dataloader`")
def test_a_model_that_cannot_be_saved_is_not_exported(tmp_path: Path) -> None:
    class Plain(L.LightningModule):
        """No Pretrained."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = Shrink(Spec(3, (0.0, 0.0, 0.0), []), score_every=100)

        def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
            return self.inner.net(batch).mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return self.inner.configure_optimizers()

    trainer = L.Trainer(
        accelerator="cpu",
        callbacks=[Export()],
        default_root_dir=tmp_path,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        limit_val_batches=0,
        logger=False,
        max_epochs=-1,
        max_steps=1,
    )
    trainer.fit(Plain(), datamodule=Noise("here"))
    assert os.listdir(tmp_path) == []


def test_progress_is_one_line_now_and_then(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path, Progress(every_s=0.0), Checkpoints())
    lines = capfd.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("fit 40/40 eval/score=-20 train/loss=")
    assert len(lines) == 41  # each step, and the end


def test_progress_costs_nothing_between_refreshes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path, Progress(every_s=1e6), Checkpoints())
    assert len(capfd.readouterr().err.strip().splitlines()) == 1


def test_progress_is_silent_in_other_processes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    progress = Progress(every_s=0.0)
    progress.disable()
    progress.setup = lambda *args, **kwargs: None  # type: ignore[method-assign]  (enables rank 0)
    train(tmp_path, progress, Checkpoints())
    assert capfd.readouterr().err == ""
