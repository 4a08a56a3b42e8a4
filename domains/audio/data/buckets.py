"""Batches of recordings of like lengths."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


class Buckets:
    """Which recordings make a batch: those of like lengths; epoch k is shuffled by (seed, k).

    Args:
        lengths: Of the recordings, in any unit.
        size: Of a batch; the last of an epoch is filled by the first recordings.
        seed: Of the order.
    """

    JITTER = 0.1
    """Lengths are taken for this much more or less, so that batches differ between epochs."""

    def __init__(self, lengths: Sequence[int], size: int, seed: int) -> None:
        self.lengths, self.size, self.seed = np.array(lengths), size, seed
        self._order = lru_cache(maxsize=2)(self.order)

    def order(self, epoch: int, rank: int = 0) -> list[NDArray[np.int64]]:
        """The batches of an epoch, as places in the list of recordings."""
        n, size = len(self.lengths), self.size
        rng = np.random.default_rng((self.seed, epoch, rank))
        place = rng.permutation(n)
        noise = rng.uniform(1 - self.JITTER, 1 + self.JITTER, n)
        place = place[np.argsort((self.lengths * noise)[place], kind="stable")]
        place = np.resize(place, -(-n // size) * size)
        batches = rng.permuted(place.reshape(-1, size), axis=1)  # objectives go by a row's place
        return list(batches[rng.permutation(len(batches))])

    def __call__(self, step: int, rank: int = 0) -> list[int]:
        """The batch of a gradient step on the process of a rank."""
        epoch, which = divmod(step, -(-len(self.lengths) // self.size))
        places: list[int] = self._order(epoch, rank)[which].tolist()
        return places
