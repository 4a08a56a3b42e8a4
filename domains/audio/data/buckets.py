"""Batches of recordings of similar lengths."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


class LengthBuckets:
    """Batches of similar lengths, in an order that is a function of seed and epoch.

    Args:
        lengths: Length of each recording, in any unit.
        size: Recordings per batch. The last batch of an epoch is filled with recordings from its
            beginning.
        seed: Seed of the order.
    """

    JITTER = 0.1
    """Relative noise on lengths before sorting, so that batches differ between epochs."""

    def __init__(self, lengths: Sequence[int], size: int, seed: int) -> None:
        self.lengths, self.size, self.seed = np.array(lengths), size, seed
        self._order = lru_cache(maxsize=2)(self.order)

    def order(self, epoch: int, rank: int = 0) -> list[NDArray[np.int64]]:
        """Batches of an epoch, as indices of recordings."""
        n, size = len(self.lengths), self.size
        rng = np.random.default_rng((self.seed, epoch, rank))
        place = rng.permutation(n)
        noise = rng.uniform(1 - self.JITTER, 1 + self.JITTER, n)
        place = place[np.argsort((self.lengths * noise)[place], kind="stable")]
        place = np.resize(place, -(-n // size) * size)
        batches = rng.permuted(place.reshape(-1, size), axis=1)  # objectives depend on row order
        return list(batches[rng.permutation(len(batches))])

    def __call__(self, step: int, rank: int = 0) -> list[int]:
        """Batch of a gradient step on the process of the given rank, as indices."""
        epoch, which = divmod(step, -(-len(self.lengths) // self.size))
        places: list[int] = self._order(epoch, rank)[which].tolist()
        return places
