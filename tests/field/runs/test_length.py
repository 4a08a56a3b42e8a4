"""Runs that end by time, runs that would never end, and runs shorter than the logging interval."""

import csv
import math
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Timer
from support.tiny_generative import Endless, Toy, batch, trainer
from support.tiny_rl import SPEC, TINY, bandit, plain

from oneleap.core.errors import InputError
from oneleap.core.objectives import ConsistencyTraining, FlowMatching, MeanFlow
from oneleap.core.training.checkpoints import Checkpoints
from oneleap.core.training.loaders import FixedBatches
from oneleap.core.training.logger import RunLogger
from oneleap.core.training.optim import AdamConfig, RunLength, run_length
from oneleap.domains.rl.algorithms.ofql import OFQL


class Clock(Timer):
    """A timer of ten seconds, in which each step takes one."""

    def __init__(self) -> None:
        super().__init__(duration={"seconds": 10}, verbose=False)
        self.now = 0.0

    def time_elapsed(self, stage: Any = "train") -> float:
        return self.now

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any, **kwargs: Any) -> None:
        self.now += 1.0
        super().on_train_batch_end(trainer, *args, **kwargs)


class Progress(L.Callback):
    """Notes the share that is done, and the learning rate, before each step."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.rates: list[float] = []

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        self.shares.append(pl_module.step.progress)
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


@pytest.mark.parametrize("kind", ["model", "actor-critic"])
def test_a_run_that_only_time_ends_goes_by_the_clock(kind: str) -> None:
    adam, seen = AdamConfig(lr=1.0, cosine=True), Progress()
    if kind == "model":
        model: Any = Toy(ConsistencyTraining())
        model.recipe = plain(optimizer=adam)
        data: Any = Endless(batch())
    else:
        model = OFQL(SPEC, MeanFlow(), **TINY | {"recipe": plain(optimizer=adam)})
        data = bandit(8)
    run = trainer(-1, callbacks=[Clock(), seen], max_epochs=-1)
    run.fit(model.lightning_module(), data)
    assert run.global_step == 10
    assert seen.shares == pytest.approx([k / 10 for k in range(10)])
    # The schedule moves before the clock does, in the step whose number it then divides.
    assert seen.rates[0] == 1.0
    assert seen.rates == sorted(seen.rates, reverse=True)
    assert 0 < seen.rates[-1] < 0.1


def test_the_length_is_estimated_from_the_time() -> None:
    length = RunLength(None, lambda: 0.25)
    assert length.total(100) == 400
    assert length.progress(7) == 0.25
    assert RunLength(None).total(0) == math.inf
    assert RunLength(8).progress(2) == 0.25
    assert RunLength(8, lambda: 0.9).progress(2) == 0.25  # steps go first: they repeat


@pytest.mark.parametrize(
    ("steps", "epochs", "message"),
    [
        (-1, -1, r"nothing ends the training: set --trainer\.max_steps N or --trainer\.max_time"),
        (-1, 1, r"trainer\.max_epochs: 1 has no effect, because batches are drawn"),
        (100_000, 1, r"trainer\.max_epochs: 1 has no effect, because batches are drawn"),
    ],
)
def test_a_run_that_nothing_ends_is_refused(steps: int, epochs: int, message: str) -> None:
    run = trainer(steps, max_epochs=epochs)
    with pytest.raises(InputError, match=message):
        run.fit(Toy(FlowMatching()).lightning_module(), Endless(batch()))
    assert run.global_step == 0


def test_epochs_of_a_finite_loader_end() -> None:
    run = trainer(-1, max_epochs=2)
    module = Toy(FlowMatching()).lightning_module()
    run.fit(module, FixedBatches([batch()] * 3))
    assert run.global_step == 6
    assert run_length(run).steps == 6


@pytest.mark.parametrize(
    ("steps", "every", "logged"),
    [
        (8, 500, [1, 3, 5, 7]),
        (3, 500, [0, 1, 2]),
        (11, 500, [1, 3, 5, 7, 9, 10]),
        (8, 4, [1, 3, 5, 7]),
        (40, 10, [9, 19, 29, 39]),
    ],
)
@pytest.mark.parametrize("kind", ["model", "actor-critic"])
def test_a_short_run_logs_too(
    tmp_path: Path, steps: int, every: int, logged: list[int], kind: str
) -> None:
    model: Any = Toy(FlowMatching())
    data: Any = Endless(batch())
    if kind == "actor-critic":
        model, data = OFQL(SPEC, MeanFlow(), **TINY), bandit(8)
    run = L.Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        callbacks=[Checkpoints()],
        default_root_dir=tmp_path,
        enable_model_summary=False,
        enable_progress_bar=False,
        log_every_n_steps=every,
        logger=RunLogger(tmp_path),
    )
    run.fit(model.lightning_module(), data)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == logged
    name = "train/loss" if kind == "model" else "train/critic_loss"
    assert all(torch.tensor(float(row[name])).isfinite() for row in rows)
