"""Data loaders whose batches depend only on the gradient step, and the split for validation."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    import lightning as L

B = TypeVar("B")


class Endless(Generic[B]):
    """An endless loader: batch k is a function of k, and k starts at the trainer's step.

    A run that was killed and resumed therefore sees the batches that it would have seen.

    Args:
        data: Data module; its trainer gives the step and the rank of the process.
        batch: Function of step and rank that returns a batch; see
            :func:`oneleap.core.training.seed.batch_generator`.
        workers: Number of threads that prepare batches in advance; with 0, batches are made on
            demand.
        rows: Function of step and rank that returns the rows of the data in a batch, as indices,
            for messages about bad batches.
    """

    def __init__(
        self,
        data: "L.LightningDataModule",
        batch: Callable[[int, int], B],
        workers: int = 0,
        rows: Callable[[int, int], Sequence[int]] | None = None,
    ) -> None:
        self.data, self.batch, self.workers, self._rows = data, batch, workers, rows

    def rows(self, step: int, rank: int) -> Sequence[int] | None:
        """Return the rows of the data in a batch, or ``None`` if they are unknown."""
        return None if self._rows is None else self._rows(step, rank)

    def __iter__(self) -> Iterator[B]:
        trainer = self.data.trainer
        step = trainer.global_step * trainer.accumulate_grad_batches if trainer else 0
        rank = trainer.global_rank if trainer else 0
        if not self.workers:
            while True:
                yield self.batch(step, rank)
                step += 1
        pool = ThreadPoolExecutor(self.workers)
        try:
            pending = [pool.submit(self.batch, step + k, rank) for k in range(2 * self.workers)]
            while True:
                pending.append(pool.submit(self.batch, step + len(pending), rank))
                yield pending.pop(0).result()
                step += 1
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def state_dict(self) -> dict[str, int]:
        """Return nothing, since the trainer's step is the state. Lightning requires the method."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Restore nothing."""


class FixedBatches(Generic[B]):
    """A loader with a fixed list of batches; Lightning reads a plain list as several loaders.

    Args:
        batches: Batches in order.
    """

    def __init__(self, batches: Sequence[B]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[B]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def repeat_rows(batch: Any, times: int) -> Any:
    """Repeat the rows of a batch: ``a, b`` becomes ``a, b, a, b``.

    Args:
        batch: A tensor with one entry per row, or a named tuple, tuple, list or dictionary of
            these; other values stay as they are.
        times: How often each row occurs in the result.

    Returns:
        The longer batch, of the same type.
    """
    if isinstance(batch, Tensor):
        return batch.repeat(times, *[1] * (batch.dim() - 1)) if batch.dim() else batch
    if isinstance(batch, dict):
        return {name: repeat_rows(value, times) for name, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(repeat_rows(value, times) for value in batch))
    if isinstance(batch, tuple | list):
        return type(batch)(repeat_rows(value, times) for value in batch)
    return batch


def validation_split(n: int, share: float, seed: int) -> list[int]:
    """Indices of the recordings for validation, out of ``n``.

    Args:
        n: Number of recordings.
        share: Fraction for validation; at least one recording and at most ``n - 1``.
        seed: Seed of the choice.

    Returns:
        The indices in ascending order.
    """
    order = np.random.default_rng(seed).permutation(n)
    return sorted(int(i) for i in order[: min(n - 1, max(1, round(n * share)))])
