"""The figures of a run survive new columns, restarts and kills."""

import csv
from collections.abc import Iterator
from pathlib import Path

import lightning as L
import pytest
from support.tiny_generative import Endless, Toy, batch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from oneleap.core.objectives import DMD2, FlowMatching
from oneleap.core.training import model as models
from oneleap.core.training.logger import METRICS, RunLogger


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[RunLogger]:
    logger = RunLogger(tmp_path)
    yield logger
    logger.finalize("success")


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / METRICS).open() as file:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]


def test_rows_are_on_disk_at_once_and_columns_may_come_late(logger: RunLogger) -> None:
    logger.log_metrics({"a": 1.0}, 0)
    assert rows(logger.folder) == [{"step": "0", "a": "1.0"}]
    logger.log_metrics({"b": 2.0}, 1)
    logger.log_metrics({"b": 3.0, "a": 4.0}, 2)
    assert rows(logger.folder) == [
        {"step": "0", "a": "1.0"},
        {"step": "1", "b": "2.0"},
        {"step": "2", "a": "4.0", "b": "3.0"},
    ]


def test_a_continued_run_logs_no_step_twice(logger: RunLogger) -> None:
    for step in range(10):
        logger.log_metrics({"a": step}, step)
    again = RunLogger(logger.folder)
    again.resume(step=6, rows=5)  # a checkpoint of step 6 saw the rows of steps 0 to 4
    assert [row["step"] for row in rows(again.folder)] == ["0", "1", "2", "3", "4", "5"]
    again.log_metrics({"a": 6, "new": 1}, 6)
    assert [row["step"] for row in rows(again.folder)][-2:] == ["5", "6"]
    assert again.rows == 7
    again.finalize("success")


def test_figures_logged_by_hand_at_the_checkpoint_are_kept(logger: RunLogger) -> None:
    logger.log_metrics({"a": 0.0}, 4)
    logger.log_metrics({"score": 1.0}, 5)  # of the state after 5 steps, just before it was saved
    logger.log_metrics({"a": 0.0}, 5)
    again = RunLogger(logger.folder)
    again.resume(step=5, rows=2)
    assert [row["step"] for row in rows(again.folder)] == ["4", "5"]


def test_rows_after_a_checkpoint_that_saw_none_are_dropped(logger: RunLogger) -> None:
    logger.log_metrics({"a": 1.0}, 4)
    again = RunLogger(logger.folder)
    again.resume(step=4, rows=0)
    again.log_metrics({"a": 2.0}, 4)
    assert rows(again.folder) == [{"step": "4", "a": "2.0"}]
    assert again.rows == 1
    again.finalize("success")


def test_a_row_cut_short_by_a_kill_is_dropped(logger: RunLogger) -> None:
    logger.log_metrics({"a": 1.0, "b": 2.0}, 0)
    with (logger.folder / METRICS).open("a") as file:
        file.write("1,3.")
    again = RunLogger(logger.folder)
    again.resume(step=1, rows=1)
    again.log_metrics({"a": 5.0, "b": 6.0}, 1)
    assert rows(again.folder) == [
        {"step": "0", "a": "1.0", "b": "2.0"},
        {"step": "1", "a": "5.0", "b": "6.0"},
    ]
    again.finalize("success")


def test_nothing_to_resume(tmp_path: Path) -> None:
    RunLogger(tmp_path).resume(step=3, rows=0)
    assert not (tmp_path / METRICS).exists()


def test_tensorboard_sees_each_step_once(logger: RunLogger) -> None:
    for step in range(5):
        logger.log_metrics({"a": 1.0}, step)
    logger.finalize("success")
    again = RunLogger(logger.folder)
    again.resume(step=3, rows=3)
    for step in range(3, 5):
        again.log_metrics({"a": 2.0}, step)
    again.finalize("success")
    events = EventAccumulator(str(logger.folder)).Reload().Scalars("a")
    assert [(event.step, event.value) for event in events] == [
        (0, 1.0),
        (1, 1.0),
        (2, 1.0),
        (3, 2.0),
        (4, 2.0),
    ]


def test_a_row_holds_the_figures_of_its_step_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step at which the generator rests has none of it; a resumed run could not repeat them."""
    monkeypatch.setattr(models, "load_pretrained", lambda path: Toy(FlowMatching(), seed=5))
    logger = RunLogger(tmp_path)
    run = L.Trainer(
        max_steps=6,
        accelerator="cpu",
        logger=logger,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    run.fit(Toy(DMD2(ratio=2), teacher="folder").lightning_module(), Endless(batch()))
    with (tmp_path / "metrics.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [int(row["step"]) for row in found] == list(range(6))
    generates = [bool(row["train/gap"]) for row in found]
    assert generates == [DMD2(ratio=2).generates(step, 0.0) for step in range(6)]
    assert any(generates)
    assert not all(generates)
