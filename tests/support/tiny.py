"""A minimal data module and a minimal model, to test what surrounds them."""

import os
import shlex
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import lightning as L
import pytest
import torch
from lightning.pytorch.loggers import Logger
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import Pretrained
from oneleap.core.objectives import FlowMatching
from oneleap.core.training.checkpoints import report_score
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.seed import step_generator
from oneleap.core.types import Objective
from oneleap.domains.main import main

CONFIG = """# A line about it.
data: {class_path: support.tiny.Noise, init_args: {path: here}}
model: {class_path: support.tiny.Shrink}
trainer: {max_steps: 40, log_every_n_steps: 5, accelerator: cpu}
checkpoints: {every_n_steps: 10}
"""


@dataclass(frozen=True)
class Spec:
    """What a model must know about the data."""

    dim: int
    mean: tuple[float, ...]
    names: list[str]


class Endless:
    """Endless batches."""

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield torch.ones(8, 3)


class WandbLogger(Logger):
    """Stands for Lightning's logger of that name, and keeps what it is given."""

    made: ClassVar[list["WandbLogger"]] = []

    def __init__(self, project: str = "p", id: str | None = None, save_dir: str = ".") -> None:
        super().__init__()
        self.project, self.id, self.folder = project, id, save_dir
        self.settings: list[dict[str, Any]] = []
        self.steps: list[int | None] = []
        self.made.append(self)

    @property
    def name(self) -> str:
        return self.project

    @property
    def version(self) -> str | None:
        return self.id

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        self.settings.append(params)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.steps.append(step)


class Noise(L.LightningDataModule):
    """Constant data of three dimensions."""

    def __init__(self, path: str, size: int = 8) -> None:
        super().__init__()
        if path == "nowhere":
            raise InputError("nowhere: no such data")
        self.path, self.size = path, size
        self.spec = Spec(3, (0.5, 0.0, 0.0), ["x", "y", "z"])

    def train_dataloader(self) -> Endless:
        return Endless()

    def val_dataloader(self) -> list[Tensor]:
        return [torch.ones(8, 3)]


class Shrink(Pretrained, L.LightningModule):
    """A model that learns to return zero, with manual optimization."""

    def __init__(
        self,
        spec: Spec,
        objective: Objective = FlowMatching(),  # noqa: B008  (frozen)
        *,
        optimizer: AdamConfig = AdamConfig(lr=0.01),  # noqa: B008  (frozen)
        score_every: int = 10,
        kill_at: int = -1,
        seed: int = 3,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.spec, self.objective, self.optimizer, self.seed = spec, objective, optimizer, seed
        self.score_every, self.kill_at = score_every, kill_at
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = nn.Linear(spec.dim, 1)
        self.register_buffer("mean", torch.tensor(spec.mean))

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        step = self.global_step
        if step == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if step == -2 - self.kill_at:
            raise KeyboardInterrupt
        noise = torch.randn(batch.shape, generator=step_generator(self.seed, step))
        loss = self.net(batch + noise).square().mean()
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 5 == 0:
            self.log("train/loss", loss.detach())
        if (step + 1) % self.score_every == 0:
            score = -abs(step + 1 - 20)  # best in the middle of the run
            self.log("eval/score", float(score), logger=False)
            report_score(self.trainer, {"eval/score": float(score)})
            for logger in self.trainer.loggers:
                logger.log_metrics({"eval/score": float(score)}, step + 1)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("eval/size", self.net(batch).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.net.parameters(), lr=self.optimizer.lr)


def complain(capsys: pytest.CaptureFixture[str], line: str) -> str:
    """Run a command that is wrong; its one line of complaint."""
    assert main(shlex.split(line)) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("oneleap: ")
    assert printed.err.count("\n") == 1
    return printed.err.removeprefix("oneleap: ").strip()
