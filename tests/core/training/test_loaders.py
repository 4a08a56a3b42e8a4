"""Batches are functions of the step, whoever makes them."""

from itertools import islice
from types import SimpleNamespace

import lightning as L
import pytest
import torch

from oneleap.core.training.loaders import Endless, FixedBatches, validation_split
from oneleap.core.training.seed import batch_generator


class Data(L.LightningDataModule):
    def __init__(self, step: int = 0, accumulate: int = 1, rank: int = 0) -> None:
        super().__init__()
        self.trainer = SimpleNamespace(  # type: ignore[assignment]
            global_step=step, accumulate_grad_batches=accumulate, global_rank=rank
        )


def made(step: int, rank: int) -> float:
    return float(torch.rand((), generator=batch_generator(3, step, rank)))


def first(data: L.LightningDataModule, workers: int = 0, n: int = 8) -> list[float]:
    return list(islice(Endless(data, made, workers), n))


def test_without_a_trainer_batches_begin_at_the_first() -> None:
    assert first(L.LightningDataModule()) == [made(k, 0) for k in range(8)]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_resumed_run_sees_the_batches_it_would_have_seen(workers: int) -> None:
    assert first(Data(step=5), workers) == [made(k, 0) for k in range(5, 13)]
    assert first(Data(step=5, accumulate=2), workers) == [made(k, 0) for k in range(10, 18)]


def test_processes_see_different_batches() -> None:
    ranks = [first(Data(rank=rank)) for rank in range(3)]
    assert len({x for batches in ranks for x in batches}) == 24


def test_what_goes_wrong_in_a_thread_is_not_lost() -> None:
    def broken(step: int, rank: int) -> int:
        if step == 3:
            raise ValueError("image 3")
        return step

    batches = iter(Endless(L.LightningDataModule(), broken, workers=2))
    assert [next(batches) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="image 3"):
        next(batches)


def test_fixed_batches_come_again() -> None:
    batches = FixedBatches([1, 2, 3])
    assert len(batches) == 3
    assert list(batches) == list(batches) == [1, 2, 3]


def test_the_validation_split_is_a_function_of_the_seed() -> None:
    assert validation_split(100, 0.02, 0) == validation_split(100, 0.02, 0)
    assert len(validation_split(100, 0.02, 0)) == 2
    assert len(validation_split(2, 0.01, 5)) == 1
    assert validation_split(1, 0.5, 0) == []
