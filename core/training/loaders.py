"""Loaders whose batches are functions of the gradient step: nothing to save, nothing lost."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import lightning as L

B = TypeVar("B")


class Endless(Generic[B]):
    """Endless batches; batch k is a function of k, and k starts at the trainer's step.

    A run that was killed and resumed therefore sees the very batches it would have seen.

    Args:
        data: Data module, whose trainer says which step and which process this is.
        batch: The batch of a step on the process of a rank; see
            :func:`oneleap.core.training.seed.batch_generator`.
        workers: Threads that make batches ahead; with 0 each is made when it is asked for.
    """

    def __init__(
        self, data: "L.LightningDataModule", batch: Callable[[int, int], B], workers: int = 0
    ) -> None:
        self.data, self.batch, self.workers = data, batch, workers

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
            coming = [pool.submit(self.batch, step + k, rank) for k in range(2 * self.workers)]
            while True:
                coming.append(pool.submit(self.batch, step + len(coming), rank))
                yield coming.pop(0).result()
                step += 1
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def state_dict(self) -> dict[str, int]:
        """Nothing: the trainer's step is the state. Lightning asks, to know it can resume."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Nothing to restore."""


class Fixed(Generic[B]):
    """The same batches each time; Lightning takes a bare list for many loaders.

    Args:
        batches: In order.
    """

    def __init__(self, batches: Sequence[B]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[B]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)
