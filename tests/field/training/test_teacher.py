"""A teacher that an objective would ignore, and one that it lacks."""

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny_generative import Endless, Toy, batch, trainer
from support.tiny_rl import SPEC, TINY, bandit, plain

from oneleap.core import objectives
from oneleap.core.errors import InputError
from oneleap.core.objectives import (
    ConsistencyTraining,
    Dispersed,
    FlowMatching,
    MeanFlow,
    Reflow,
    SplitMeanFlow,
)
from oneleap.core.objectives.pairing.around import Around
from oneleap.core.training import model as models
from oneleap.core.types import Conditioned, Objective, SecondNetworks, TrainingBatch
from oneleap.domains.rl.algorithms.bfq import Bootstrap
from oneleap.domains.rl.algorithms.flow.drifting import Drifting
from oneleap.domains.rl.algorithms.flow.meanflow_ql import ResidualMeanFlow
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.nets.gaussian import ActionRegression, GaussianLikelihood
from oneleap.domains.robot.models.dm1 import ReleasedDM1

OF_DOMAINS: tuple[type[Objective], ...] = (
    Bootstrap,
    Drifting,
    ResidualMeanFlow,
    ActionRegression,
    GaussianLikelihood,
    ReleasedDM1,
)
OBJECTIVES: dict[str, type[Objective]] = {
    name: cls
    for name, cls in inspect.getmembers(objectives, inspect.isclass)
    if issubclass(cls, Objective)
} | {cls.__name__: cls for cls in OF_DOMAINS}
every = pytest.mark.parametrize("name", OBJECTIVES)


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A trained model in place of the one in any folder."""
    model = Toy(FlowMatching(), seed=5)
    monkeypatch.setattr(models, "load_pretrained", lambda path: model)
    return model


def family(cls: type) -> list[type]:
    return [cls, *(k for sub in cls.__subclasses__() for k in family(sub))]


def test_all_objectives_are_here_and_say_whether_they_use_a_teacher() -> None:
    own = {c for c in family(Objective) if c.__module__.startswith("oneleap.")} - {Objective}
    known = set(OBJECTIVES.values()) | set(family(Dispersed)) | {Around}  # some ask what they hold
    assert {cls for cls in own if not inspect.isabstract(cls)} == known
    for cls in known:
        assert any("teacher" in vars(base) for base in cls.__mro__[: cls.__mro__.index(Objective)])


@pytest.mark.parametrize(
    "name", sorted(OBJECTIVES.keys() - {"ReleasedDM1", "NitroFusion", "StoredPairs"})
)  # they need DM1's network, a pool of judges, and a file
def test_what_an_objective_says_is_what_its_loss_does(name: str) -> None:
    """The loss changes with the teacher or does not. (That of ReleasedDM1 needs its network.)"""
    objective, model = OBJECTIVES[name](), Toy(FlowMatching())
    if isinstance(objective, Dispersed):
        objective.record_activations(model.net)
    rows, use = batch(n=64), objective.teacher_use()
    draw = objective.draw(model.data(rows), torch.Generator().manual_seed(0), 0.5)
    losses: list[Any] = []
    for seed in (None, 1, 2):
        bound = model.bind(rows)
        if seed is not None:
            other = Toy(FlowMatching(), seed=seed).net
            taught = Conditioned(other, (rows[:, 2:],))
            beside = SecondNetworks(
                fake=bound.field, frozen_fake=bound.field, judge=taught, frozen_judge=taught
            )
            bound = replace(bound, teacher=taught, second=beside)
        if seed is None and use == "required":
            with pytest.raises(InputError, match="a teacher, and none was given"):
                objective.loss(bound, draw)
            losses.append(None)
            continue
        losses.append(objective.loss(bound, draw).per_sample)
    assert torch.equal(losses[1], losses[2]) == (use == "none")


@every
def test_a_teacher_that_would_be_ignored_is_refused(
    name: str, teacher: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = OBJECTIVES[name]()
    student = Toy(FlowMatching(), teacher="folder")
    student.objective = objective
    run = trainer(0)
    if objective.teacher_use() != "none":
        run.fit(student.lightning_module(), Endless(batch()))
        return
    wanted = rf"recipe\.teacher: {name} learns from data and would ignore it: remove it"
    with pytest.raises(InputError, match=wanted) as error:
        run.fit(student.lightning_module(), Endless(batch()))
    assert "\n" not in str(error.value)
    start = Toy(FlowMatching(), teacher="folder", from_teacher=True)
    start.objective = objective
    run.fit(start.lightning_module(), Endless(batch()))


@every
def test_a_teacher_that_is_missing_is_refused_before_the_first_step(name: str) -> None:
    model = Toy(FlowMatching())
    model.objective = OBJECTIVES[name]()
    module, run = model.lightning_module(), trainer(0)
    if model.objective.teacher_use() != "required":
        run.fit(module, Endless(batch()))
        return
    with pytest.raises(InputError, match=rf"{name} distills a teacher, and none was given"):
        run.fit(module, Endless(batch()))


def test_settings_decide_too() -> None:
    assert SplitMeanFlow().teacher_use() == "optional"
    assert SplitMeanFlow(guidance=2.0).teacher_use() == "required"
    assert objectives.ConsistencyTrajectory(guidance=(1.0, 3.0)).teacher_use() == "required"
    assert Dispersed(Reflow()).teacher_use() == "required"
    assert Dispersed(MeanFlow()).teacher_use() == "optional"
    assert Dispersed(ConsistencyTraining()).teacher_use() == "none"


def test_an_actor_critic_refuses_it_too(teacher: Toy) -> None:
    policy = OFQL(SPEC, ConsistencyTraining(), **TINY | {"recipe": plain(teacher="folder")})
    with pytest.raises(InputError, match="learns from data and would ignore it"):
        trainer(1).fit(policy.lightning_module(), bandit(8))


def test_a_saved_student_still_loads(tmp_path: Path) -> None:
    """Models that were trained with a teacher in vain remain usable."""
    from oneleap.core.hub.pretrained import load_pretrained

    OFQL(SPEC, MeanFlow(), **TINY | {"recipe": plain(teacher="gone")}).save_pretrained(tmp_path)
    assert isinstance(load_pretrained(tmp_path), OFQL)


def test_the_bound_batch_has_the_teacher(teacher: Toy) -> None:
    student = Toy(SplitMeanFlow(), teacher="folder")
    student.load_teacher()
    assert isinstance(student.bind(batch()), TrainingBatch)
    assert student.bind(batch()).teacher is not None
