"""A loss, gradient or weight that is no number stops the run; nothing of it is written."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import lightning as L
import numpy as np
import pytest
import torch
from support.ddp.launch import together
from support.tiny import complain
from support.tiny_audio import MEL
from support.tiny_generative import Toy, batch, trainer
from support.tiny_rl import SPEC, TINY, bandit
from support.tiny_singing import durations, songs
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching, MeanFlow
from oneleap.core.reading.tensors import not_finite
from oneleap.core.training import finite
from oneleap.core.training.callbacks import Export
from oneleap.core.training.checkpoints import AtomicCheckpointIO, Checkpoints, report_score
from oneleap.core.training.finite import FiniteGuard, NotFiniteError
from oneleap.core.training.loaders import FixedBatches
from oneleap.core.training.release import save_release
from oneleap.core.training.run import BEST, LAST, MODEL
from oneleap.core.types import Draw, Loss
from oneleap.domains.audio.vocoders.training import VocoderTraining
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.data.datamodule import OfflineData

WORKER = Path(__file__).parents[2] / "support" / "ddp" / "not_finite_worker.py"
BAD = 5
"""The batch that holds values which are no numbers."""


class Loader:
    """Batches of known rows; rows 1 and 7 of batch :data:`BAD` are no numbers."""

    def __init__(self, value: float = torch.nan) -> None:
        self.value = value

    def __iter__(self) -> Iterator[Tensor]:
        for k in range(100):
            rows = batch(k)
            if k == BAD:
                rows[[1, 7], 0] = self.value
            yield rows

    def rows(self, step: int, rank: int) -> Sequence[int] | None:
        return range(1000 * step, 1000 * step + 12)


class Scored(L.Callback):
    """Reports a score that rises with every step."""

    def on_train_batch_end(self, trainer: L.Trainer, *rest: object) -> None:
        report_score(trainer, {"eval/score": float(trainer.global_step)})


def fit(folder: Path, module: L.LightningModule, loader: Any, steps: int = 20) -> L.Trainer:
    run = L.Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        callbacks=[Scored(), Checkpoints(every_n_steps=2), Export()],
        default_root_dir=folder,
        enable_model_summary=False,
        enable_progress_bar=False,
        log_every_n_steps=1,
        logger=False,
        plugins=[AtomicCheckpointIO()],
    )
    run.fit(module, loader)
    return run


def check_files(folder: Path, step: int) -> None:
    """What is on disk is finite, of this step, and no model is there."""
    last = torch.load(folder / LAST, weights_only=True)
    assert last["global_step"] == step
    best = torch.load(folder / BEST, weights_only=True)
    for saved in (last, best):
        assert not_finite(iter(saved["state_dict"].items())) is None
    assert not (folder / MODEL).exists()


@pytest.mark.parametrize(("value", "shown"), [(torch.nan, "nan"), (torch.inf, "(nan|inf)")])
def test_bad_data_stop_the_run_before_they_reach_the_weights(
    tmp_path: Path, value: float, shown: str
) -> None:
    model = Toy(FlowMatching())
    wanted = rf"^loss is {shown} in step 5 \(batch 5, rows 5001, 5007 of the data\): training stops"
    with pytest.raises(NotFiniteError, match=wanted) as error:
        fit(tmp_path, model.lightning_module(), Loader(value))
    assert f"last good checkpoint: {tmp_path / LAST} (step 4). Look at" in str(error.value)
    assert "\n" not in str(error.value)
    assert not_finite(model.named_parameters()) is None
    check_files(tmp_path, 4)


@pytest.mark.parametrize("every", [100, 7])
def test_losses_that_are_checked_later_name_the_first_bad_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """As on a GPU, where looking at each loss would wait for it."""
    monkeypatch.setattr(FiniteGuard, "checks_at_once", lambda self, module: False)
    monkeypatch.setattr(finite, "EVERY", every)
    wanted = r"loss is nan in step 5 \(batch 5, rows 5001, 5007 of the data\); so are the weights"
    monkeypatch.setattr(Scored, "on_train_batch_end", lambda *rest: None)
    with pytest.raises(NotFiniteError, match=wanted):
        fit(tmp_path, Toy(FlowMatching()).lightning_module(), Loader())
    assert torch.load(tmp_path / LAST, weights_only=True)["global_step"] == 4
    assert not (tmp_path / MODEL).exists()


def test_the_last_steps_are_checked_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FiniteGuard, "checks_at_once", lambda self, module: False)
    with pytest.raises(NotFiniteError, match=r"step 5 .*: none was written"):
        trainer(8).fit(Toy(FlowMatching()).lightning_module(), Loader())


class Cliff(Toy):
    """Has a finite loss whose gradient is none at step :data:`BAD`."""

    def loss(self, batch: Any, draw: Draw) -> Loss:
        loss = super().loss(batch.nan_to_num(0), draw)
        if batch.isfinite().all():
            return loss
        return Loss((0.0 * loss.per_sample).sqrt(), loss.logs)


def test_a_gradient_that_is_none_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(NotFiniteError, match=r"model\.net\S+ is not finite after 6 steps") as error:
        fit(tmp_path, Cliff(FlowMatching()).lightning_module(), Loader())
    assert f"{tmp_path / LAST} (step 4)" in str(error.value)
    check_files(tmp_path, 4)


def test_an_actor_critic_stops_too(tmp_path: Path) -> None:
    def batches() -> Iterator[Any]:
        for k, rows in enumerate(bandit(8)):
            rows.reward[3] = 1e30 if k == BAD else 1.0  # finite, but its square is not
            yield rows

    module = OFQL(SPEC, MeanFlow(), **TINY).lightning_module()
    with pytest.raises(NotFiniteError, match=r"^critic_loss is inf in step 5 \(batch 5\)"):
        fit(tmp_path, module, batches())
    check_files(tmp_path, 4)


@pytest.mark.filterwarnings("ignore:You defined a `validation_step`")
def test_a_vocoder_and_a_duration_model_stop_too(tmp_path: Path) -> None:
    waves = torch.full((2, 8 * MEL.hop), torch.nan)
    vocoder = VocoderTraining(MEL, width=8, hidden=8, depth=1)
    with pytest.raises(NotFiniteError, match=r"^loss is nan in step 0"):
        fit(tmp_path, vocoder, FixedBatches([waves]))
    model = durations().train()
    with torch.no_grad():
        next(iter(model.net.parameters())).fill_(torch.nan)
    with pytest.raises(NotFiniteError, match=r"^loss is nan in step 0 .*; so are the weights"):
        fit(tmp_path, model.lightning_module(), FixedBatches([songs()]))
    assert list(tmp_path.iterdir()) == []


def test_a_release_of_such_weights_is_refused(tmp_path: Path) -> None:
    model = Toy(FlowMatching())
    with torch.no_grad():
        next(iter(model.average.parameters()))[0] = torch.inf
    with pytest.raises(InputError, match=r"out: average\S+ is not finite, so the model is not"):
        save_release(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_first_tensor_that_is_not_finite_is_named() -> None:
    named = {"a": torch.ones(2), "b": torch.tensor([1.0, torch.nan]), "c": torch.tensor(torch.inf)}
    assert not_finite(iter(named.items())) == "b"
    assert not_finite([("a", torch.ones(2)), ("n", torch.tensor(3)), ("e", torch.ones(0))]) is None
    assert not_finite([("big", torch.full((4,), 3e38))]) is None
    assert not_finite(nn.Linear(2, 2).named_parameters()) is None


def test_all_processes_stop_where_one_of_them_must(tmp_path: Path) -> None:
    first, second = together(WORKER, tmp_path)
    assert first == second
    assert first.startswith("loss is nan in step 0 (batch 0); so are the weights")


def test_the_command_says_it_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    g, n = np.random.default_rng(0), 200
    with h5py.File("huge.hdf5", "w") as file:
        file["observations"] = g.normal(size=(n, 11)).astype(np.float32)
        file["actions"] = g.uniform(-1, 1, (n, 3)).astype(np.float32)
        file["rewards"] = np.full(n, 1e30, np.float32)
        file["terminals"] = np.arange(n) % 50 == 49
        file["timeouts"] = np.zeros(n, bool)
    options = "--model.network.width 8 --model.recipe.compile false --trainer.max_steps 4"
    data = "--data.path huge.hdf5 --data.env none --data.batch_size 16 --run run"
    said = complain(capsys, f"fit --config rl/ofql_d4rl {options} {data}")
    assert said.startswith("critic_loss is inf in step 0 (batch 0, rows ")
    assert said.endswith("gradients (model.recipe.optimizer)")
    assert " and 11 more of the data): training stops" in said
    assert not (tmp_path / "run").exists()


def test_the_rows_of_a_batch_are_those_it_was_made_of(tmp_path: Path) -> None:
    g, n = np.random.default_rng(0), 60
    with h5py.File(tmp_path / "data.hdf5", "w") as file:
        file["observations"] = g.normal(size=(n, 3)).astype(np.float32)
        file["actions"] = g.uniform(-1, 1, (n, 2)).astype(np.float32)
        file["rewards"] = np.arange(n, dtype=np.float32)
        file["terminals"] = np.arange(n) % 20 == 19
        file["timeouts"] = np.zeros(n, bool)
    data = OfflineData(str(tmp_path / "data.hdf5"), env="none", batch_size=8)
    loader = data.train_dataloader()
    for step, rank in ((0, 0), (3, 1)):
        assert loader.rows(step, rank) == data.batch(step, rank).reward.long().tolist()
