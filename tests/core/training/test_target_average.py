"""The moving average that only gives targets, beside the one that samples."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning as L
import pytest
import torch
from support.tiny_generative import Endless, Toy, batch, trainer
from torch import Tensor, nn

from oneleap.core.objectives import ConsistencyTraining, ConsistencyTrajectory
from oneleap.core.training import model as models
from oneleap.core.training.ema import ema_update
from oneleap.core.training.model import GenerativeModel
from oneleap.core.training.module import TrainingModule

TRAINING = ConsistencyTraining(first=2, last=20, mu0=0.8)


def flat(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


class Weights(L.Callback):
    """Keeps the weights after each step."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: TrainingModule, *rest: object
    ) -> None:
        self.seen.append(flat(pl_module.model.net))


class Targets(L.Callback):
    """Keeps the weights that give targets after each step."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: TrainingModule, *rest: object
    ) -> None:
        self.seen.append(flat(pl_module.model.target_net))


def test_targets_have_an_average_of_their_own() -> None:
    model, weights, targets = Toy(TRAINING, ema=0.5), Weights(), Targets()
    names = set(model.state_dict())
    average, target = flat(model.net), flat(model.net)
    trainer(4, callbacks=[weights, targets]).fit(model.lightning_module(), Endless(batch()))
    for k, (seen, found) in enumerate(zip(weights.seen, targets.seen, strict=True)):
        decay = TRAINING.target_decay(k / 4)
        assert decay is not None
        target = decay * target + (1 - decay) * seen
        average = 0.5 * average + 0.5 * seen
        torch.testing.assert_close(found, target)
    torch.testing.assert_close(flat(model.average), average)
    assert set(model.state_dict()) == names  # it is no part of the saved model


@pytest.mark.parametrize("mu0", [0.3, None])
def test_the_targets_are_used(mu0: float | None) -> None:
    ends = []
    for ema in (0.1, 0.9):
        model = Toy(ConsistencyTraining(mu0=mu0), ema=ema)
        trainer(3).fit(model.lightning_module(), Endless(batch()))
        ends.append(flat(model.net))
    assert torch.equal(*ends) == (mu0 is not None)  # the average that samples teaches nothing


def test_one_average_is_enough_where_both_decays_are_equal() -> None:
    model = Toy(ConsistencyTrajectory(target_ema=0.7), ema=0.7)
    trainer(1).fit(model.lightning_module(), Endless(batch()))
    assert model.target_net is model.average


class SaveAtThree(L.Callback):
    """Saves a checkpoint after three steps."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: TrainingModule, *rest: object
    ) -> None:
        if trainer.global_step == 3:
            trainer.save_checkpoint(self.path)


def test_the_average_of_targets_is_resumed_and_an_older_run_goes_on_without(
    tmp_path: Path,
) -> None:
    def run(resume: Path | None = None, *callbacks: L.Callback) -> Toy:
        model = Toy(TRAINING, ema=0.5)
        fit = trainer(6, callbacks=list(callbacks))
        fit.fit(model.lightning_module(), Endless(batch()), ckpt_path=resume)
        return model

    half, older = tmp_path / "half.ckpt", tmp_path / "older.ckpt"
    whole = run(None, SaveAtThree(half))
    resumed = run(half)
    assert torch.equal(flat(resumed.net), flat(whole.net))
    assert torch.equal(flat(resumed.target_net), flat(whole.target_net))
    saved = torch.load(half, weights_only=True)
    del saved["target_average"]
    torch.save(saved, older)
    model = run(older)
    assert model.target_net is model.average


# Mutants.


def resumed() -> None:
    with TemporaryDirectory() as folder:
        test_the_average_of_targets_is_resumed_and_an_older_run_goes_on_without(Path(folder))


def used() -> None:
    test_the_targets_are_used(0.3)


START, UPDATE = GenerativeModel.start_target, GenerativeModel.update_target
OWN = test_targets_have_an_average_of_their_own


@pytest.mark.parametrize(
    ("where", "name", "mutant", "exactness"),
    [
        (GenerativeModel, "start_target", lambda self, weights=None: None, OWN),
        (GenerativeModel, "start_target", lambda self, weights=None: None, used),
        (GenerativeModel, "start_target", lambda self, weights=None: START(self), resumed),
        (GenerativeModel, "target_net", property(lambda self: self.average), OWN),
        (GenerativeModel, "target_net", property(lambda self: self.average), used),
        (GenerativeModel, "target_net", property(lambda self: self.net), OWN),
        (GenerativeModel, "update_target", lambda self, progress: None, OWN),
        (GenerativeModel, "update_target", lambda self, progress: UPDATE(self, 0.0), OWN),
        (
            models,
            "ema_update",
            lambda average, net, decay: ema_update(average, net, 1 - decay),
            OWN,
        ),
        (models, "frozen_copy", lambda average: average, OWN),
    ],
    ids=[
        "none",
        "none-is-used",
        "not-resumed",
        "the-sampling-one",
        "the-sampling-one-is-used",
        "the-weights",
        "never-updated",
        "without-progress",
        "exchanged",
        "shared-memory",
    ],
)
def test_a_mutant_of_the_targets_is_seen(
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    name: str,
    mutant: Any,
    exactness: Callable[[], None],
) -> None:
    monkeypatch.setattr(where, name, mutant)
    with pytest.raises(AssertionError):
        exactness()
