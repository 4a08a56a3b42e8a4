"""Randomness as a function of (seed, step): a killed run resumes on the very same draws."""

import numpy as np
import torch

from oneleap.core.errors import InputError


def step_generator(
    seed: int, step: int, stream: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A generator for one training step, independent of every other step's.

    Nothing needs saving for a resumed run to continue bit for bit: step ``k`` draws the same
    numbers whether the steps before it ran in this process or in one that was killed.

    Args:
        seed: Of the run.
        step: Gradient step, from 0.
        stream: Tells apart several consumers within one step (data, loss, rank).
        device: Where the draws happen.

    Raises:
        InputError: If the seed is negative.
    """
    if seed < 0:
        raise InputError(f"seed: {seed} is negative")
    word = int(np.random.SeedSequence((seed, step, stream)).generate_state(1)[0])
    return torch.Generator(device=device).manual_seed(word)


BATCHES = 1
"""The stream of batches; any other is free for what a step draws besides."""


def batch_generator(
    seed: int, step: int, rank: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """The generator of a step's batch: another on each process, and none of the loss's.

    Args:
        seed: Of the data.
        step: Batch, from 0.
        rank: Of the process.
        device: Where the draws happen.
    """
    return step_generator(seed, step, BATCHES + 1000 * rank, device)
