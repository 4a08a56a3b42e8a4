"""A minimal generative model, its batches, and a trainer without extras."""

from collections.abc import Callable, Iterator
from typing import Any

import lightning as L
import torch
from torch import Tensor

from oneleap.core.nets.mlp import MLP
from oneleap.core.training.model import GenerativeModel
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import Conditioned, Objective, TrainingBatch

DIM, COND = 2, 3


class Toy(GenerativeModel):
    """Points given vectors: a batch is (b, DIM + COND)."""

    def __init__(
        self, objective: Objective, *, width: int = 16, seed: int = 0, **rest: Any
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = MLP(DIM, COND, 16, 2, 8)
        recipe = Recipe(optimizer=AdamConfig(lr=1e-2), seed=seed, **rest)
        super().__init__(net, objective, recipe)
        self.width, self.seed = width, seed

    def data(self, batch: Tensor) -> Tensor:
        return batch[:, :DIM]

    def bind(self, batch: Tensor, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        cond = (batch[:, DIM:],)
        return TrainingBatch(
            field=Conditioned(net or self.net, cond),
            x=self.data(batch),
            target=Conditioned(self.target_net, cond),
            teacher=self.teacher_field(batch),
        )


def batch(rank: int = 0, n: int = 12) -> Tensor:
    """Make the batch of a process."""
    return torch.randn(n, DIM + COND, generator=torch.Generator().manual_seed(100 + rank))


class Endless:
    """One batch, repeated endlessly."""

    def __init__(self, of: Tensor) -> None:
        self.of = of

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield self.of


def trainer(steps: int, **rest: Any) -> L.Trainer:
    """Make a trainer on the CPU that writes no files."""
    return L.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **rest,
    )
