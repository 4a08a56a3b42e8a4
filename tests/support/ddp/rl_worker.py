"""One of several processes that train actor-critics together; see domains/rl/.../test_ddp.py.

The arguments are the file to write to, whether to compile, and names of algorithms.
"""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from support.ddp.launch import ddp
from support.tiny_generative import trainer
from support.tiny_rl import ALGORITHMS, SPEC, TINY, bandit, seeded
from torch import Tensor

from oneleap.core.objectives import MeanFlow
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.flow.fbrac import FBRAC
from oneleap.domains.rl.algorithms.flow.fql import FQL
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.spec import Spec

POLICIES: dict[str, Callable[[Spec], ActorCritic]] = ALGORITHMS | {
    "ofql": lambda spec: OFQL(spec, MeanFlow(), eta=1.0, ema_start=1, ema_every=1, **TINY),
    "fql-normalized": lambda spec: FQL(spec, flow_steps=2, normalize_q=True, alpha=1.0, **TINY),
    "fbrac-normalized": lambda spec: FBRAC(spec, steps=2, normalize_q=True, alpha=1.0, **TINY),
}
STEPS, ROWS = 3, 8
"""The first step is plain; a compiled run compiles the others."""


def policy(name: str, compiled: bool = False) -> ActorCritic:
    model = POLICIES[name](SPEC)
    model.recipe = replace(model.recipe, compile=compiled)
    return model


def batch(step: int, rank: int) -> Transitions:
    """Rows of one process, with next actions."""
    rows = next(bandit(ROWS * 50))
    found = rows.sample(ROWS, seeded(10 * step + rank))
    # Values of the processes differ in scale, so that a scale which is not shared shows.
    return found._replace(next_act=found.act.flip(0), reward=(1 + 3 * rank) * found.reward)


def batches(rank: int) -> Iterator[Transitions]:
    return (batch(step, rank) for step in range(STEPS))


def weights(model: ActorCritic) -> dict[str, Tensor]:
    """All weights: those in training, and all averages."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def main(path: str, compiled: str, *names: str) -> None:
    rank, kept = int(os.environ["LOCAL_RANK"]), dict[str, Any]()
    for name in names:
        model = policy(name, compiled == "compiled")
        trainer(STEPS, **ddp()).fit(model.lightning_module(), batches(rank))
        kept[name] = weights(model)
    torch.save(kept, path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
