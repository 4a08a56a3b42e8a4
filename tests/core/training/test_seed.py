"""Draws are a function of (seed, step, stream, and nothing else)."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.core.training.seed import BATCHES, batch_generator, step_generator

NUMBERS = st.integers(0, 2**31)


def draws(seed: int, step: int, stream: int = 0) -> tuple[float, ...]:
    return tuple(torch.rand(4, generator=step_generator(seed, step, stream)).tolist())


@given(NUMBERS, NUMBERS, NUMBERS)
def test_the_same_place_gives_the_same_draws(seed: int, step: int, stream: int) -> None:
    state = torch.get_rng_state()
    first = draws(seed, step, stream)
    draws(seed, step + 1, stream)
    assert draws(seed, step, stream) == first
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is left alone


def test_every_place_has_draws_of_its_own() -> None:
    places = list(itertools.product(range(10), range(20), range(5)))
    assert len({draws(*place) for place in places}) == len(places)


def test_draws_of_successive_steps_are_uncorrelated() -> None:
    x = torch.stack([torch.randn(2000, generator=step_generator(0, k)) for k in range(20)])
    off_diagonal = torch.corrcoef(x) - torch.eye(20)
    assert off_diagonal.abs().max() < 0.1
    assert abs(x.mean()) < 0.02


def test_no_consumer_of_a_step_draws_what_its_batch_drew() -> None:
    places = [(k, rank) for k in range(5) for rank in range(3)]
    batches = {batch_generator(7, *place).initial_seed() for place in places}
    streams = [k for k in range(20) if k != BATCHES]
    others = {
        step_generator(7, k, stream + 1000 * rank).initial_seed()
        for k, rank in places
        for stream in streams
    }
    assert len(batches) == len(places)
    assert not batches & others


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(InputError, match="seed: -1 is negative"):
        step_generator(-1, 0)
