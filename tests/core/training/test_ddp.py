"""Two processes take the gradient that one takes of both batches: nothing escapes the wrapper.

Lightning sends ``training_step`` through ``DistributedDataParallel``; a loss, or a JVP within it,
that went round it would leave each process with a gradient of its own.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from support.ddp.core_worker import OBJECTIVES, gradient
from support.ddp.launch import PROCESSES, together
from support.tiny_generative import Toy, batch
from torch import Tensor

from oneleap.core.training.seed import step_generator
from oneleap.core.types import Draw, Objective

WORKER = Path(__file__).parents[2] / "support" / "ddp" / "core_worker.py"
each_objective = pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: type(o).__name__)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Tensor]]]:
    """What each process kept."""
    return together(WORKER, tmp_path_factory.mktemp("ddp"))


def draw_of(objective: Objective, rank: int) -> Draw:
    """What the process of this rank draws at its first step."""
    model = Toy(objective)
    return objective.draw(model.data(batch(rank)), step_generator(0, 0, 1000 * rank))


def step(objective: Objective, rows: Tensor, draw: Draw) -> tuple[Tensor, Toy]:
    """The gradient of one process, and the model."""
    model = Toy(objective)
    model.loss(rows, draw).per_sample.mean().backward()
    return gradient(model.net), model


def both(objective: Objective) -> tuple[Tensor, Draw]:
    """The double batch, with all the rows that an objective wants first in front."""
    batches = [batch(rank) for rank in range(PROCESSES)]
    draws = [draw_of(objective, rank) for rank in range(PROCESSES)]
    pairs: Any = getattr(objective, "pairs", None)
    first = 0 if pairs is None else pairs.n_equal(len(batches[0]))

    def merged(parts: list[Tensor]) -> Tensor:
        return torch.cat([p[:first] for p in parts] + [p[first:] for p in parts])

    names = [name for name, value in vars(draws[0]).items() if value is not None]
    return merged(batches), Draw(**{n: merged([getattr(d, n) for d in draws]) for n in names})


@each_objective
def test_two_processes_take_the_gradient_of_the_double_batch(
    objective: Objective, ranks: list[dict[str, dict[str, Tensor]]]
) -> None:
    wanted, _ = step(objective, *both(objective))
    seen = [rank[type(objective).__name__]["gradient"] for rank in ranks]
    torch.testing.assert_close(seen[0], seen[1], rtol=0, atol=0)
    torch.testing.assert_close(seen[0], wanted, rtol=1e-5, atol=1e-7)
    weights = [rank[type(objective).__name__]["weights"] for rank in ranks]
    assert torch.equal(*weights)


@each_objective
def test_each_process_alone_would_take_another(
    objective: Objective, ranks: list[dict[str, dict[str, Tensor]]]
) -> None:
    """Else the test above could not fail."""
    alone = [step(objective, batch(r), draw_of(objective, r))[0] for r in range(PROCESSES)]
    torch.testing.assert_close(sum(alone) / PROCESSES, step(objective, *both(objective))[0])
    for own, rank in zip(alone, ranks, strict=True):
        apart = (own - rank[type(objective).__name__]["gradient"]).norm() / own.norm()
        assert apart > 0.05
    assert not torch.equal(draw_of(objective, 0).e, draw_of(objective, 1).e)
