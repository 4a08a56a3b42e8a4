"""Two processes take the gradient that one takes of both batches: nothing escapes the wrapper.

Lightning sends ``training_step`` through ``DistributedDataParallel``; a loss, or a JVP within it,
that went round it would leave each process with a gradient of its own.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.ddp.core_worker import MATCHING, OBJECTIVES, Both, gradient
from support.ddp.launch import PROCESSES, together
from support.tiny_generative import Endless, Toy, batch, trainer
from torch import Tensor

from oneleap.core.objectives import FlowMatching
from oneleap.core.objectives.matching.base import Matching
from oneleap.core.training import model as models
from oneleap.core.training.module import TrainingModule
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


# Two networks: two steps, the first of the fake alone. What one process does with both batches is
# written out here, with the draws of each rank side by side.


def beside(draw: Draw, other: Draw) -> Draw:
    """The draws of two processes as one."""

    def joined(a: Any, b: Any) -> Any:
        if isinstance(a, Tensor):
            return torch.cat([a, b])
        return beside(a, b) if isinstance(a, Draw) else a

    return Draw(**{name: joined(value, getattr(other, name)) for name, value in vars(draw).items()})


class Whole(TrainingModule):
    """Draws as all processes together."""

    def training_step(self, rows: Tensor, batch_idx: int) -> Tensor:
        objective, step = self.model.objective, self.step
        assert isinstance(objective, Matching)
        parts = [
            objective.draw(
                self.model.data(batch(rank)),
                replace(step, rank=rank).generator(),
                step.progress,
            )
            for rank in range(PROCESSES)
        ]
        draw = objective.turn(beside(*parts), step.gradient_step, step.progress)
        return self.model.loss(rows, draw).per_sample.mean()


@pytest.mark.parametrize("objective", MATCHING, ids=lambda o: type(o).__name__)
def test_two_processes_train_two_networks_as_one_does(
    objective: Objective,
    ranks: list[dict[str, dict[str, Tensor]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "load_pretrained", lambda path: Toy(FlowMatching(), seed=5))
    seen = [rank[type(objective).__name__] for rank in ranks]
    assert torch.equal(seen[0]["weights"], seen[1]["weights"])
    torch.testing.assert_close(seen[0]["gradient"], seen[1]["gradient"], rtol=0, atol=0)
    keep, module = Both(), Whole(Toy(objective, teacher="folder"))
    whole = Endless(torch.cat([batch(rank) for rank in range(PROCESSES)]))
    trainer(2, callbacks=[keep]).fit(module, whole)
    torch.testing.assert_close(seen[0]["gradient"], keep.seen, rtol=1e-4, atol=1e-6)
    weights = torch.cat([p.detach().flatten() for p in module.parameters()])
    torch.testing.assert_close(seen[0]["weights"], weights, rtol=1e-4, atol=1e-5)
