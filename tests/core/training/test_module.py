"""What every domain's module shares: its average, its teacher, the layers it lets be seen."""

from pathlib import Path

import lightning as L
import pytest
import torch
from support.tiny import Shrink, Spec
from support.tiny_generative import COND, DIM, Endless, Toy, batch, trainer
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.fields.jvp import total_derivative
from oneleap.core.nets import MLP
from oneleap.core.objectives import (
    Dispersed,
    FlowMatching,
    MeanFlow,
    SplitMeanFlow,
)
from oneleap.core.paths.times import TimePairs
from oneleap.core.training import model as models
from oneleap.core.training.ema import PowerEMA
from oneleap.core.training.loaders import FixedBatches, repeat_rows
from oneleap.core.training.model import Validation
from oneleap.core.training.module import TrainingModule, ValidatingModule, trained_model
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import BATCHES, Step, step_generator
from oneleap.core.types import Conditioned


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


# The moving average.


def test_a_constant_decay_starts_from_the_first_weights() -> None:
    model, weights = Toy(FlowMatching(), ema=0.8), Weights()
    average = flat(model.net)
    trainer(4, callbacks=[weights]).fit(model.lightning_module(), Endless(batch()))
    for seen in weights.seen:
        average = 0.8 * average + 0.2 * seen
    torch.testing.assert_close(flat(model.average), average)


def test_a_schedule_counts_the_steps_from_the_first() -> None:
    ema = PowerEMA(0.2)
    model, weights = Toy(FlowMatching(), ema=ema), Weights()
    trainer(5, callbacks=[weights]).fit(model.lightning_module(), Endless(batch()))
    share = torch.linspace(0, 1, 6).double().pow(ema.gamma + 1).diff().float()
    wanted = (share.unsqueeze(1) * torch.stack(weights.seen)).sum(0)
    torch.testing.assert_close(flat(model.average), wanted)
    assert share.sum() == pytest.approx(1)  # the initial weights are forgotten


@pytest.mark.parametrize("ema", [1.0, 1.5, -0.1])
def test_a_decay_that_is_none_is_refused(ema: float) -> None:
    with pytest.raises(InputError, match=f"ema: {ema} is not in"):
        Toy(FlowMatching(), ema=ema)


# The model that training goes on from.


def test_training_goes_on_from_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Toy(FlowMatching(), ema=0.5, seed=3)
    trainer(3).fit(source.lightning_module(), Endless(batch()))
    monkeypatch.setattr(models, "load_pretrained", lambda _: source)
    model, weights = Toy(FlowMatching(), ema=0.9, init_from="folder"), Weights()
    assert not torch.equal(flat(model.average), flat(source.average))
    trainer(1, callbacks=[weights]).fit(model.lightning_module(), Endless(batch()))
    moved = weights.seen[0] - flat(source.average)
    assert 0 < moved.abs().max() < 0.011  # one step of Adam, of 0.01
    torch.testing.assert_close(flat(model.average), flat(source.average) + 0.1 * moved)


def test_a_model_of_another_kind_or_size_is_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    wide, model = Toy(FlowMatching()), Toy(FlowMatching(), init_from="folder")
    wide.average = MLP(DIM, COND, 17, 2, 8)
    for other, reason in ((wide, "size mismatch"), (MLP(DIM, COND), "holds a MLP")):
        monkeypatch.setattr(models, "load_pretrained", lambda _, other=other: other)
        with pytest.raises(InputError, match=f"init_from: folder .*{reason}"):
            trainer(1).fit(model.lightning_module(), Endless(batch()))


def test_two_starts_are_refused() -> None:
    with pytest.raises(InputError, match="from_teacher: init_from is set too"):
        Recipe(teacher="a", from_teacher=True, init_from="b")


# Draws.


class Draws(L.Callback):
    """Notes which generator each batch has."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: TrainingModule, *rest: object
    ) -> None:
        self.seen.append(pl_module.step.generator().initial_seed())


def test_each_batch_has_its_own_draws_and_one_to_a_step_those_of_the_step() -> None:
    one, many = Draws(), Draws()
    trainer(6, callbacks=[one]).fit(Toy(FlowMatching()).lightning_module(), Endless(batch()))
    trainer(2, callbacks=[many], accumulate_grad_batches=3).fit(
        Toy(FlowMatching()).lightning_module(), Endless(batch())
    )
    assert one.seen == [step_generator(0, k).initial_seed() for k in range(6)]
    assert many.seen == one.seen


def test_nothing_may_draw_as_the_batches_do() -> None:
    with pytest.raises(ValueError, match="stream 1 is reserved for the batches"):
        Step(seed=0).generator(BATCHES)


def test_scaled_gradients_are_not_clipped(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Toy(FlowMatching())
    model.recipe = Recipe(optimizer=AdamConfig(clip=1.0))
    run = trainer(1)
    monkeypatch.setattr(type(run), "precision", "16-mixed")
    with pytest.raises(InputError, match=r"trainer\.precision: 16-mixed scales"):
        run.fit(model.lightning_module(), Endless(batch()))


# The teacher. That a folder is read is tested where there is a domain, with policies.


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A trained model, whose average is not its net, in place of the one in any folder."""
    model = Toy(FlowMatching(), seed=5)
    with torch.no_grad():
        for weight in model.average.parameters():
            weight.add_(0.1)
    monkeypatch.setattr(models, "load_pretrained", lambda path: model)
    return model


def test_the_teacher_is_the_frozen_average_and_no_part_of_the_student(teacher: Toy) -> None:
    student = Toy(SplitMeanFlow(), teacher="folder")
    assert student.bind(batch()).teacher is None  # nothing is loaded to act, or to be saved
    names, before = set(student.state_dict()), flat(teacher)
    trainer(3).fit(student.lightning_module(), Endless(batch()))
    field = student.bind(batch()).teacher
    assert isinstance(field, Conditioned)
    assert field.net is teacher.average
    assert not any(p.requires_grad for p in teacher.parameters())
    assert set(student.state_dict()) == names
    assert torch.equal(flat(teacher), before)


def test_the_teacher_makes_a_difference(teacher: Toy) -> None:
    ends = []
    for folder in (None, "folder"):
        student = Toy(SplitMeanFlow(), teacher=folder)
        trainer(3).fit(student.lightning_module(), Endless(batch()))
        ends.append(flat(student.net))
    assert not torch.allclose(*ends)


def test_a_teacher_that_is_no_generative_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "load_pretrained", lambda path: Shrink(Spec(3, (0.0,) * 3, [])))
    with pytest.raises(
        InputError, match=r"teacher: folder holds a Shrink, which is not a generative model"
    ):
        trainer(1).fit(Toy(SplitMeanFlow(), teacher="folder").lightning_module(), Endless(batch()))
    with pytest.raises(InputError, match=r"recipe.teacher is not set"):
        Toy(SplitMeanFlow()).load_teacher()


def test_a_student_starts_as_its_teacher_at_every_interval(
    teacher: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    class Before(L.Callback):
        def on_train_start(self, trainer: L.Trainer, pl_module: TrainingModule) -> None:
            pl_module.on_train_start()  # Lightning asks callbacks first
            started.append((pl_module.model.net, pl_module.model.average))
            z, s, t = torch.randn(4, 2), torch.randn(4, 3), torch.rand(4)
            for net in started[-1]:
                torch.testing.assert_close(net(z, t / 3, t, s), teacher.average(z, t, t, s))

    student = Toy(SplitMeanFlow(), teacher="folder", from_teacher=True)
    trainer(1, callbacks=[Before()]).fit(student.lightning_module(), Endless(batch()))
    assert len(started) == 1
    trained = flat(student.net)
    module = student.lightning_module()
    monkeypatch.setattr(type(module), "global_step", 5)
    module.on_train_start()  # a run that is resumed keeps its weights
    assert torch.equal(flat(student.net), trained)
    plain = Toy(SplitMeanFlow(), teacher="folder")
    trainer(1).fit(plain.lightning_module(), Endless(batch()))
    assert not torch.allclose(flat(plain.net), flat(student.net), atol=0.05)


def test_a_start_from_no_teacher_or_another_shape_is_refused(teacher: Toy) -> None:
    with pytest.raises(InputError, match="from_teacher: no teacher is set"):
        Toy(SplitMeanFlow(), from_teacher=True)
    teacher.average = MLP(DIM, COND, 8, 2, 8)
    student = Toy(SplitMeanFlow(), teacher="folder", from_teacher=True)
    with pytest.raises(InputError, match="teacher: folder has another network: size mismatch"):
        trainer(1).fit(student.lightning_module(), Endless(batch()))


# Hidden layers.


def test_hooks_of_an_objective_are_registered_when_the_model_is_built() -> None:
    model = Toy(Dispersed(MeanFlow(), layers=("layers.3",), weight=0.5))
    hooked = [name for name, m in model.net.named_modules() if m._forward_hooks]
    assert hooked == ["layers.3"]
    assert not any(m._forward_hooks for m in model.average.modules())
    plain = Toy(MeanFlow())
    for each in (model, plain):
        trainer(3).fit(each.lightning_module(), Endless(batch()))
    assert not torch.allclose(flat(model.net), flat(plain.net))


def test_missing_layers_are_reported_when_the_model_is_built() -> None:
    with pytest.raises(InputError, match=r"MLP has no layer 'blocks\.7'"):
        Toy(Dispersed(layers=("blocks.7",)))


# Mixed precision.


def test_mixed_precision_spares_the_jvp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain passes in bfloat16, for speed; derivatives in float32, for they are differences."""
    model, inside, outside = Toy(MeanFlow()), set[torch.dtype](), set[torch.dtype]()
    where = [outside]

    def recording(*args: Tensor) -> tuple[Tensor, Tensor]:
        where.append(inside)
        result = total_derivative(*args)
        where.pop()
        assert {part.dtype for part in result} == {torch.float32}
        return result

    model.net.layers[2].register_forward_hook(lambda m, i, y: where[-1].add(y.dtype))
    monkeypatch.setattr("oneleap.core.objectives.meanflow.total_derivative", recording)
    trainer(2, precision="bf16-mixed").fit(model.lightning_module(), Endless(batch()))
    assert inside == {torch.float32}
    assert outside == {torch.bfloat16}
    assert flat(model.net).dtype == torch.float32
    assert flat(model.net).isfinite().all()


# Names of weights in checkpoints.


def named(model: Toy) -> dict[str, Tensor]:
    return {name: weight.clone() for name, weight in model.state_dict().items()}


def test_checkpoints_hold_the_models_own_names() -> None:
    model = Toy(FlowMatching())
    module = model.lightning_module()
    checkpoint = {"state_dict": module.state_dict()}
    assert all(name.startswith("model.") for name in checkpoint["state_dict"])
    module.on_save_checkpoint(checkpoint)
    assert set(checkpoint["state_dict"]) == set(model.state_dict())
    assert all(torch.equal(w, named(model)[n]) for n, w in checkpoint["state_dict"].items())


@pytest.mark.parametrize("prefix", ["", "model."], ids=["own names", "with a prefix"])
def test_weights_load_with_and_without_the_prefix(prefix: str) -> None:
    saved = named(Toy(FlowMatching(), seed=1))
    model = Toy(FlowMatching(), seed=2)
    module = model.lightning_module()
    checkpoint = {"state_dict": {prefix + name: weight for name, weight in saved.items()}}
    module.on_load_checkpoint(checkpoint)
    module.load_state_dict(checkpoint["state_dict"])
    assert all(torch.equal(weight, saved[name]) for name, weight in model.state_dict().items())


def test_a_checkpoint_on_disk_has_the_models_own_names_and_resumes(tmp_path: Path) -> None:
    model = Toy(FlowMatching())
    run = trainer(3)
    run.fit(model.lightning_module(), Endless(batch()))
    run.save_checkpoint(tmp_path / "last.ckpt")
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert set(state) == set(model.state_dict())
    whole = Toy(FlowMatching())
    trainer(5).fit(whole.lightning_module(), Endless(batch()))
    resumed = Toy(FlowMatching(), seed=0)
    trainer(5).fit(
        resumed.lightning_module(),
        Endless(batch()),
        ckpt_path=str(tmp_path / "last.ckpt"),
        weights_only=True,
    )
    assert torch.equal(flat(resumed.net), flat(whole.net))
    assert torch.equal(flat(resumed.average), flat(whole.average))


# Preparation and validation.


class Prepared(Toy):
    """Turns its data around before the loss."""

    def prepare(self, batch: Tensor, step: Step) -> Tensor:
        assert not isinstance(step.device, str)
        noise = torch.randn(len(batch), 1, generator=step.generator(3))
        return torch.cat([-batch[:, :DIM] + 0.1 * noise, batch[:, DIM:]], dim=1)


def test_a_batch_is_prepared_with_the_draws_of_its_step() -> None:
    ours, theirs = Prepared(FlowMatching()), Toy(FlowMatching())
    trainer(1).fit(ours.lightning_module(), Endless(batch()))
    trainer(1).fit(theirs.lightning_module(), Endless(ours_prepared()))
    assert torch.equal(flat(ours.net), flat(theirs.net))


def ours_prepared() -> Tensor:
    noise = torch.randn(12, 1, generator=step_generator(0, 0, 3))
    return torch.cat([-batch()[:, :DIM] + 0.1 * noise, batch()[:, DIM:]], dim=1)


class Validated(Toy):
    """Has two figures, one of which is its score."""

    def validate(self, batch: Tensor, step: Step) -> Validation:
        number = torch.tensor(float(step.batch))
        figures = {"eval/number": number, models.SCORE: 10 - number}
        return Validation(figures, rows=len(batch))


class ValidatesLoss(Toy):
    """Has the loss of its objective, which needs rows of three kinds."""

    def validate(self, batch: Tensor, step: Step) -> Validation:
        draw = self.objective.draw(self.data(batch), step.generator(2))
        loss = self.objective.loss(self.bind(batch), draw).per_sample.mean()
        return Validation({"val/loss": loss}, rows=len(batch))


@pytest.mark.parametrize("n", [1, 2, 3, 12])
def test_a_validation_batch_may_be_small(n: int) -> None:
    pairs = TimePairs(p_equal=0.5, deployed=(1, 2), p_deployed=0.2)
    module = ValidatesLoss(SplitMeanFlow(pairs)).lightning_module()
    (found,) = trainer(1).validate(module, FixedBatches([batch(n=n)]), verbose=False)
    assert 0 < found["val/loss"] < 10


def test_rows_of_every_kind_of_batch_are_repeated() -> None:
    x, empty = torch.arange(6).view(3, 2), torch.zeros(())
    spec = Conditioned(MLP(DIM), (x,))
    found = repeat_rows({"a": (x, None), "b": [empty, "text"], "c": spec.cond}, 2)
    twice = torch.cat([x, x])
    assert torch.equal(found["a"][0], twice)
    assert torch.equal(found["c"][0], twice)
    assert (found["a"][1], found["b"][1]) == (None, "text")


def test_figures_of_validation_are_means_weighted_by_rows() -> None:
    run, model = trainer(1), Validated(FlowMatching())
    module = model.lightning_module()
    assert isinstance(module, ValidatingModule)
    found = run.validate(module, FixedBatches([batch(n=2), batch(n=6)]), verbose=False)
    assert found == [{"eval/number": 0.75}]  # the score is not logged
    assert run.callback_metrics[models.SCORE] == 9.25


def test_a_model_without_validation_has_no_validation_step() -> None:
    module = Toy(FlowMatching()).lightning_module()
    assert not isinstance(module, ValidatingModule)
    with pytest.raises(NotImplementedError, match="Toy has no validation"):
        Toy(FlowMatching()).validate(batch(), Step(seed=0))


def test_the_model_of_a_module_is_found() -> None:
    model = Toy(FlowMatching())
    assert trained_model(model.lightning_module()) is model
    itself = Shrink(Spec(3, (0.0,) * 3, []))
    assert trained_model(itself) is itself
    assert trained_model(L.LightningModule()) is None
