"""Two processes end with the weights of one that takes both batches, in every algorithm."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.ddp.launch import PROCESSES, together
from support.ddp.rl_worker import POLICIES, STEPS, batch, policy, weights
from support.tiny_generative import trainer
from torch import Tensor

from oneleap.core.training.seed import Step
from oneleap.core.types import Draw
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.compiled_step import StepDraw
from oneleap.domains.rl.algorithms.training import SHARED, ActorCriticModule
from oneleap.domains.rl.data.transitions import Transitions

WORKER = Path(__file__).parents[3] / "support" / "ddp" / "rl_worker.py"
RANKS = range(PROCESSES)


def merged(parts: list[Tensor], first: int, dim: int = 0) -> Tensor:
    """The rows of all processes, with those in front that an objective wants there."""
    n = parts[0].shape[dim]
    heads = [part.narrow(dim, 0, first) for part in parts]
    return torch.cat(heads + [part.narrow(dim, first, n - first) for part in parts], dim)


def first_rows(model: ActorCritic, rows: int) -> int:
    pairs: Any = getattr(model.objective, "pairs", None)
    return 0 if pairs is None else pairs.n_equal(rows)


def whole_batch(model: ActorCritic, step: int) -> Transitions:
    parts = [batch(step, rank) for rank in RANKS]
    first = first_rows(model, len(parts[0].act))
    columns = (list(c) for c in zip(*parts, strict=True))
    return Transitions(*(None if c[0] is None else merged(c, first) for c in columns))


class Whole(ActorCriticModule):
    """Draws for the whole batch what the processes draw for theirs."""

    def draw(self, batch: Transitions, step: Step) -> StepDraw:
        model, rows = self.model, len(batch.act) // PROCESSES
        draws = []
        for rank in RANKS:
            part = Transitions(*(x[:rows] for x in batch if x is not None))
            own = replace(step, rank=rank)
            draws.append(model.draw(part, own.generator(), step.gradient_step, step.progress))
        first, one = first_rows(model, rows), draws[0]
        names = [name for name, value in vars(one.imitation).items() if value is not None]
        imitation = Draw(
            **{n: merged([getattr(d.imitation, n) for d in draws], first) for n in names}
        )
        return one._replace(
            imitation=imitation,
            next_noise=merged([d.next_noise for d in draws], first, one.next_noise.ndim - 2),
            noise=merged([d.noise for d in draws], first, one.noise.ndim - 2),
            critic_index=torch.randint(2, (1,), generator=step.generator(SHARED)),
        )


def alone(name: str, rank: int | None = None) -> dict[str, Tensor]:
    """Weights of one process with the batches of all, or only with those of one rank."""
    model = policy(name)
    if rank is None:
        module: ActorCriticModule = Whole(model)
        loader = (whole_batch(model, step) for step in range(STEPS))
    else:
        module = ActorCriticModule(model)
        loader = (batch(step, rank) for step in range(STEPS))
    trainer(STEPS).fit(module, loader)
    return weights(model)


def furthest(one: dict[str, Tensor], two: dict[str, Tensor]) -> float:
    return max(float((one[name] - two[name]).abs().max()) for name in one)


def check(name: str, ranks: list[dict[str, dict[str, Tensor]]]) -> None:
    first, second = (rank[name] for rank in ranks)
    assert furthest(first, second) == 0  # averages and target networks too
    moved = furthest(first, weights(policy(name)))
    assert furthest(first, alone(name)) < 0.01 * moved
    assert furthest(first, alone(name, rank=0)) > 0.1 * moved  # else this could not fail


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Tensor]]]:
    """What each process has after training each algorithm."""
    return together(WORKER, tmp_path_factory.mktemp("ddp"), "plain", *POLICIES)


@pytest.mark.parametrize("name", POLICIES)
def test_two_processes_train_the_policy_of_one(
    name: str, ranks: list[dict[str, dict[str, Tensor]]]
) -> None:
    check(name, ranks)


@pytest.mark.slow
def test_a_compiled_step_exchanges_gradients_too(tmp_path: Path) -> None:
    ranks = together(WORKER, tmp_path, "compiled", "dql")
    check("dql", ranks)
