"""Low-rank students and the log-variance in a run: what trains, what is kept, what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny_generative import Endless, Toy, batch, trainer

from oneleap.core.errors import InputError
from oneleap.core.nets.low_rank import plain_weights
from oneleap.core.objectives import (
    DirectDistillation,
    Dispersed,
    FlowMatching,
    MeanFlow,
    ScoreIdentity,
)
from oneleap.core.training import model as models
from oneleap.core.training.module import TrainingModule


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Toy:
    model = Toy(FlowMatching(), seed=5)
    monkeypatch.setattr(models, "load_pretrained", lambda path: model)
    return model


def fit(model: Toy, steps: int, resume: str | None = None) -> Any:
    run = trainer(steps)
    module = model.lightning_module()
    run.fit(module, Endless(batch()), ckpt_path=resume, weights_only=True if resume else None)
    return run


def student(**rest: Any) -> Toy:
    settings: dict[str, Any] = {"teacher": "folder", "from_teacher": True, "rank": 2, "ema": 0.0}
    return Toy(DirectDistillation(steps=2), **settings | rest)


def test_a_low_rank_student_starts_as_its_teacher_and_trains_adapters_alone(teacher: Toy) -> None:
    model = student()
    fit(model, 1)
    rows = torch.randn(4, 2), torch.rand(4) / 2, torch.ones(4), torch.randn(4, 3)
    z, r, t, c = rows
    for name, weight in model.net.named_parameters():
        assert weight.requires_grad == name.endswith((".up", ".down"))
    moved = [n for n, w in model.net.named_parameters() if n.endswith(".up") and w.any()]
    assert moved
    fresh = student()
    fresh.load_teacher()
    fresh.start_from_teacher()
    for net in (fresh.net, fresh.average):
        torch.testing.assert_close(net(z, r, t, c), teacher.average(z, t, t, c))


def test_its_average_is_a_plain_network_of_the_same_function(teacher: Toy) -> None:
    model = student()
    fit(model, 3)
    z, t, c = torch.randn(4, 2), torch.ones(4), torch.randn(4, 3)
    torch.testing.assert_close(model.average(z, 0 * t, t, c), model.net(z, 0 * t, t, c))
    assert set(dict(model.average.named_parameters())) == set(plain_weights(model.net))
    base = {k: w for k, w in model.net.state_dict().items() if k.endswith("original")}
    moved = model.average.state_dict()
    assert any(
        not torch.equal(w, moved[k.split(".parametrizations")[0] + ".weight"])
        for k, w in base.items()
    )


def test_a_low_rank_student_is_resumed_and_goes_on_from_another(
    teacher: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, half, rest = student(), student(), student()
    fit(whole, 4)
    fit(half, 2).save_checkpoint(tmp_path / "half.ckpt")
    fit(rest, 4, str(tmp_path / "half.ckpt"))
    for mine, theirs in zip(whole.parameters(), rest.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    onward = Toy(FlowMatching(), init_from="folder")
    monkeypatch.setattr(models, "load_pretrained", lambda path: whole)
    onward.start_from_init()
    for mine, theirs in zip(onward.net.parameters(), whole.average.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_low_rank_student_may_have_a_fake(teacher: Toy) -> None:
    model = Toy(ScoreIdentity(), teacher="folder", rank=2)
    module = model.lightning_module()
    assert isinstance(module, TrainingModule)
    trainer(2).fit(module, Endless(batch()))
    assert module.second is not None
    assert all(w.requires_grad for w in module.second.fake.parameters())
    assert not any("parametrizations" in n for n, _ in module.second.fake.named_parameters())


def test_the_log_variance_learns_and_is_resumed_and_stays_out_of_the_model(tmp_path: Path) -> None:
    def run(steps: int, resume: str | None = None) -> tuple[TrainingModule, Any]:
        model = Toy(MeanFlow(), log_variance=True)
        module = model.lightning_module()
        assert isinstance(module, TrainingModule)
        fitted = trainer(steps)
        fitted.fit(module, Endless(batch()), ckpt_path=resume, weights_only=resume and True)
        return module, fitted

    whole, _ = run(4)
    _, half = run(2)
    half.save_checkpoint(tmp_path / "half.ckpt")
    rest, _ = run(4, str(tmp_path / "half.ckpt"))
    assert whole.log_variance is not None
    assert rest.log_variance is not None
    assert whole.log_variance.linear.weight.any()
    assert torch.equal(whole.log_variance.linear.weight, rest.log_variance.linear.weight)
    for mine, theirs in zip(whole.model.parameters(), rest.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert set(whole.model.state_dict()) == set(Toy(MeanFlow()).state_dict())


@pytest.mark.parametrize("objective", [Dispersed(), ScoreIdentity()])
def test_a_loss_that_can_be_negative_has_no_log_variance(objective: Any) -> None:
    with pytest.raises(InputError, match="can be negative"):
        Toy(objective, teacher="x", log_variance=True).lightning_module()


def test_a_rank_is_positive() -> None:
    with pytest.raises(InputError, match="rank must be at least 1, not 0"):
        Toy(FlowMatching(), rank=0)
