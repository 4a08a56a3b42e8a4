"""One of several processes that take a gradient step together; test_ddp.py starts them.

The argument is the file to write to. Rank and number of processes are in the environment.
"""

import os
import sys

import lightning as L
import torch
from lightning.pytorch.strategies import DDPStrategy
from support.ddp.launch import ddp
from support.tiny_generative import Endless, Toy, batch, trainer
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from oneleap.core.objectives import (
    DMD2,
    FlowMatching,
    ImprovedConsistencyTraining,
    MeanFlow,
    ScoreIdentity,
    SplitMeanFlow,
)
from oneleap.core.training import model as models
from oneleap.core.training.module import TrainingModule
from oneleap.core.types import Objective

OBJECTIVES: list[Objective] = [
    FlowMatching(),
    MeanFlow(),
    SplitMeanFlow(),
    ImprovedConsistencyTraining(),
]

MATCHING: list[Objective] = [DMD2(ratio=2), ScoreIdentity(ratio=2)]


def gradient(net: nn.Module) -> Tensor:
    """Return the gradient as one vector."""
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


class Keep(L.Callback):
    """Keeps the gradient that the optimizer receives, and checks what the trainer wraps."""

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: TrainingModule, *rest: object
    ) -> None:
        assert isinstance(trainer.strategy.model, DistributedDataParallel)
        self.seen = gradient(pl_module.model.net)


def main(path: str) -> None:
    """Take one step with each objective, each process on its own batch."""
    rank, kept = int(os.environ["LOCAL_RANK"]), {}
    for objective in OBJECTIVES:
        keep, model = Keep(), Toy(objective)
        trainer(1, callbacks=[keep], **ddp()).fit(model.lightning_module(), Endless(batch(rank)))
        weights = torch.cat([p.detach().flatten() for p in model.net.parameters()])
        kept[type(objective).__name__] = {"gradient": keep.seen, "weights": weights}
    torch.save(kept | matched(rank), path)


class Both(L.Callback):
    """Keeps the gradients of the generator and of its second networks in the last step."""

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: TrainingModule, *rest: object
    ) -> None:
        second = pl_module.second
        assert second is not None
        weights = [p for n in (pl_module.model.net, *second.nets) for p in n.parameters()]
        self.seen = torch.cat([p.grad.flatten() for p in weights if p.grad is not None])


def matched(rank: int) -> dict[str, dict[str, Tensor]]:
    """Take a step of the second networks and one of the generator with each such objective."""
    vars(models)["load_pretrained"] = lambda path: Toy(FlowMatching(), seed=5)
    kept = {}
    for objective in MATCHING:
        keep, model = Both(), Toy(objective, teacher="folder")
        module = model.lightning_module()
        run = trainer(2, callbacks=[keep], **ddp())
        run.fit(module, Endless(batch(rank)))
        assert isinstance(run.strategy, DDPStrategy)
        weights = torch.cat([p.detach().flatten() for p in module.parameters()])
        kept[type(objective).__name__] = {"gradient": keep.seen, "weights": weights}
    return kept


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1])
