"""One of several processes that train the models of all domains; tests/field/training starts them.

The arguments are the file to write to, a folder of configurations, and names of configurations.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from oneleap.core.training.module import trained_model
from oneleap.domains.main import main


def trained(module: L.LightningModule) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.requires_grad]


def flat(gradients: Sequence[Tensor | None], weights: list[nn.Parameter]) -> Tensor:
    """Gradients as one vector; zeros where there is none."""
    pairs = zip(gradients, weights, strict=True)
    return torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for g, w in pairs])


class Keep(L.Callback):
    """Keeps the gradient of this process alone, and the one that the optimizer receives."""

    alone: Tensor
    seen: Tensor
    weights: Tensor

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step > 0:
            return
        log, pl_module.log_dict = pl_module.log_dict, lambda *args, **kwargs: None
        loss: Any = pl_module.training_step(batch, batch_idx)
        pl_module.log_dict = log
        weights = trained(pl_module)
        found = torch.autograd.grad(loss, weights, allow_unused=True)
        pairs = zip(found, weights, strict=True)
        Keep.alone = torch.cat(
            [(torch.zeros_like(w) if g is None else g).flatten() for g, w in pairs]
        )

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Any
    ) -> None:
        if trainer.global_step > 0:
            return
        weights = trained(pl_module)
        Keep.seen = flat([w.grad for w in weights], weights)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        model = trained_model(pl_module)
        assert isinstance(model, nn.Module)
        Keep.weights = torch.cat([p.detach().flatten() for p in model.parameters()])


def run(path: str, folder: str, *names: str) -> None:
    os.chdir(folder)
    kept = {}
    for name in names:
        options = ["--trainer.devices=2", "--trainer.accelerator=cpu", "--run", f"run-{name}"]
        callbacks = ["--trainer.callbacks+=support.ddp.domains_worker.Keep"]
        assert main(["fit", "--config", f"{name}.yaml", *options, *callbacks]) == 0
        from support.ddp.domains_worker import Keep as Kept

        kept[name] = {"alone": Kept.alone, "seen": Kept.seen, "weights": Kept.weights}
    torch.save(kept, path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(*sys.argv[1:])
