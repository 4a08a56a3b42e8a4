"""Randomness as a function of seed and step, so that a resumed run repeats its draws."""

from dataclasses import dataclass

import numpy as np
import torch

from oneleap.core.errors import InputError


def step_generator(
    seed: int, step: int, stream: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Make the generator of one training step, independent of the generators of other steps.

    A resumed run needs no saved generator state. Step ``k`` draws the same numbers whether the
    steps before it ran in this process or in one that was killed.

    Args:
        seed: Seed of the run.
        step: Gradient step, from 0.
        stream: Number that separates several consumers within one step (data, loss, rank).
        device: Device of the draws.

    Returns:
        A freshly seeded generator.

    Raises:
        InputError: If the seed is negative.
    """
    if seed < 0:
        raise InputError(f"seed: {seed} is negative")
    word = int(np.random.SeedSequence((seed, step, stream)).generate_state(1)[0])
    return torch.Generator(device=device).manual_seed(word)


BATCHES = 1
"""Stream of the batches; all other streams are free for other draws of a step."""

RANK_STRIDE = 1000
"""Distance between the streams of two processes."""


def batch_generator(
    seed: int, step: int, rank: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Make the generator of a step's batch; it differs between processes and from the loss's.

    Args:
        seed: Seed of the data module.
        step: Number of the batch, from 0.
        rank: Rank of the process.
        device: Device of the draws.

    Returns:
        A freshly seeded generator.
    """
    return step_generator(seed, step, BATCHES + RANK_STRIDE * rank, device)


def episode_seed(seed: int, *words: int) -> int:
    """Derive the environment seed of an episode.

    Args:
        seed: Seed of the evaluation or collection.
        words: Number of the episode, and further numbers that distinguish its use from others.

    Returns:
        A seed for the environment.
    """
    return int(np.random.SeedSequence((seed, *words)).generate_state(1)[0])


@dataclass(frozen=True)
class Step:
    """Position of a training run; it determines all randomness of a step.

    Attributes:
        seed: Seed of the run.
        batch: Number of batches before this one; equal to the gradient step unless gradients are
            accumulated.
        gradient_step: Number of gradient steps before this one.
        progress: Share of the run that is done, in [0, 1].
        rank: Rank of the process.
        device: Device of the draws.
    """

    seed: int
    batch: int = 0
    gradient_step: int = 0
    progress: float = 0.0
    rank: int = 0
    device: torch.device | str = "cpu"

    def generator(self, stream: int = 0) -> torch.Generator:
        """Make the generator of one consumer within this step.

        Args:
            stream: Number of the consumer, below 1000. :data:`BATCHES` is not allowed, because
                equal draws would correlate with the choice of the rows.

        Returns:
            A freshly seeded generator.

        Raises:
            ValueError: If the stream is that of the batches.
        """
        if stream == BATCHES:
            raise ValueError(f"stream {BATCHES} is reserved for the batches")
        return step_generator(self.seed, self.batch, stream + RANK_STRIDE * self.rank, self.device)
