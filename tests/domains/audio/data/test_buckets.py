import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oneleap.domains.audio.data.buckets import LengthBuckets

LENGTHS = st.lists(st.integers(1, 1000), min_size=1, max_size=40)


@given(LENGTHS, st.integers(1, 9), st.integers(0, 3))
def test_every_recording_is_in_every_epoch(lengths: list[int], size: int, epoch: int) -> None:
    batches = LengthBuckets(lengths, size, seed=0).order(epoch)
    assert all(len(batch) == size for batch in batches)
    assert len(batches) == -(-len(lengths) // size)
    assert {int(i) for batch in batches for i in batch} == set(range(len(lengths)))


@given(LENGTHS, st.integers(1, 9), st.integers(0, 100))
def test_a_batch_is_a_function_of_seed_step_and_rank(
    lengths: list[int], size: int, step: int
) -> None:
    one, other = (LengthBuckets(lengths, size, seed=1) for _ in range(2))
    for earlier in range(step % 3):
        one(earlier)
    assert one(step, rank=1) == other(step, rank=1)


def test_order_differs_between_epochs_seeds_and_processes() -> None:
    lengths = list(range(1, 65))
    buckets = LengthBuckets(lengths, 8, seed=0)
    orders = [buckets.order(0), buckets.order(1), buckets.order(0, rank=1)]
    orders.append(LengthBuckets(lengths, 8, seed=1).order(0))
    assert len({tuple(np.concatenate(order).tolist()) for order in orders}) == 4


def test_batches_have_similar_lengths() -> None:
    lengths = np.random.default_rng(0).integers(50, 1000, 400)
    batches = LengthBuckets(lengths.tolist(), 10, seed=0).order(0)
    spread = np.mean([lengths[batch].max() / lengths[batch].min() for batch in batches])
    assert spread < 1.5  # 8 for random batches
