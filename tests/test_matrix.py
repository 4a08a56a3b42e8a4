"""Every objective trains in every domain from YAML alone: one line is all that changes."""

import csv
import inspect
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from support.matrix.domains import DOMAINS

from oneleap.core import objectives
from oneleap.core.errors import InputError
from oneleap.core.hub.config import from_config, to_config
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.losses.dispersion import Hinge
from oneleap.core.objectives import (
    Dispersed,
    Lagrangian,
    MeanFlow,
    NitroFusion,
    Shortcut,
    StoredPairs,
)
from oneleap.core.objectives.matching.base import Matching
from oneleap.core.paths.times import GapPairs, Uniform
from oneleap.core.training.ema import PowerEMA
from oneleap.core.training.model import GenerativeModel
from oneleap.core.types import Objective, TrainingBatch
from oneleap.domains.main import main

Capture = pytest.CaptureFixture[str]
STEPS = 3
"""Enough for weights behind two layers that start at zero: each step lets one more layer move."""

OBJECTIVES: dict[str, type[Objective]] = {
    name: cls
    for name, cls in inspect.getmembers(objectives, inspect.isclass)
    if issubclass(cls, Objective)
}


def needs_a_teacher(cls: type[Objective]) -> bool:
    """Whether it says so when there is none."""
    objective, x = cls(), torch.randn(8, 2)
    try:
        objective(TrainingBatch(field=lambda z, r, t: z, x=x))
    except InputError as error:
        return "distills a teacher, and none was given" in str(error)
    return False


TAUGHT = sorted(name for name, cls in OBJECTIVES.items() if needs_a_teacher(cls))

MATCHING = sorted(name for name, cls in OBJECTIVES.items() if issubclass(cls, Matching))
FLOW_MAPS = sorted(name for name, cls in OBJECTIVES.items() if ".flow_maps." in cls.__module__)
FAST = {"DMD2", "ScoreIdentity", "Lagrangian"}
"""Of the many, the ones that every model trains in ``make test``; the others only a policy."""

PAIRING = sorted(name for name, cls in OBJECTIVES.items() if ".pairing." in cls.__module__)
SLOW = {*MATCHING, *FLOW_MAPS, *PAIRING} - FAST

HELPERS = {"around", "base", "judge"}
"""Files beside the objectives that hold none."""

DISPERSED = {
    "oneleap.domains.robot.RobotPolicy": "{layers: [head.net.inward]}",
    "oneleap.domains.singing.AcousticModel": "{layers: [decoder.blocks.0], frames: 1}",
    "oneleap.domains.singing.CurveModel": "{layers: [decoder.blocks.0], frames: 1}",
    "oneleap.domains.speech.AcousticModel": "{layers: [decoder.blocks.0], frames: 1}",
    "oneleap.domains.music.MusicModel": "{layers: [inner.mid]}",
}
"""Settings of layers for networks within networks, and for data that are padded."""

READS_LAYERS = {"Dispersed", "NitroFusion"}
"""Objectives with the settings of :data:`DISPERSED`."""

ACTOR_CRITIC = "oneleap.domains.rl.OFQL"

SHALLOW = "oneleap.domains.singing.AcousticModel"
"""A model that starts from a guess, at a depth below 1."""

PAIRS = "pairs.safetensors"
"""Pairs that a teacher stored."""

POLICY = next(iter(DOMAINS))
"""What is tried with one model only."""

CONFIG = """# A few steps.
model:
  class_path: {model}
  init_args:
    objective:
      class_path: oneleap.core.{objective}
      init_args: {arguments}
    {settings}
data: {data}
trainer: {{max_steps: {steps}, log_every_n_steps: 1, accelerator: cpu}}
"""


def config(folder: Path, model: str, objective: str) -> str:
    """Write a configuration, and what data it needs; its path."""
    data, settings = DOMAINS[model]
    arguments = yaml.safe_load(DISPERSED[model]) if reads(objective, model) else {}
    if objective == "StoredPairs":
        arguments["path"] = PAIRS
    if objective in MATCHING:
        arguments["ratio"] = 1
    filled = CONFIG.format(
        model=model,
        objective=objective,
        arguments=arguments,
        data=data(folder),
        settings=settings,
        steps=steps(objective),
    )
    (folder / "tiny.yaml").write_text(filled)
    return str(folder / "tiny.yaml")


def steps(objective: str) -> int:
    """Steps of training: one more for a fake, which starts as the teacher, so the gap is 0."""
    return STEPS + (objective in MATCHING)


def reads(objective: str, model: str) -> bool:
    """Whether an objective must be told which layers of a model it reads."""
    return objective in READS_LAYERS and model in DISPERSED


def metrics(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(params=DOMAINS)
def model(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model's class path, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return str(request.param)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The folder of a model trained by flow matching; one of each kind will do."""
    folder, known = tmp_path_factory.mktemp("teachers"), dict[str, str]()

    def teacher(model: str) -> str:
        if model not in known:
            known[model] = str(folder / model)
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                fit(config(folder, model, "FlowMatching"), "--run", known[model])
        return f"{known[model]}/model"

    return teacher


def fit(configuration: str, *argv: str) -> None:
    assert main(["fit", "--config", configuration, *argv]) == 0


def trained(run: str = "run") -> GenerativeModel:
    model = load_pretrained(f"{run}/model")
    assert isinstance(model, GenerativeModel)
    return model


def test_none_is_forgotten() -> None:
    assert {"FlowMatching", "MeanFlow", "SplitMeanFlow", "Reflow", "Dispersed"} <= set(OBJECTIVES)
    assert {"ConsistencyDistillation", "DirectDistillation", "Reflow"} <= set(TAUGHT)
    files = {path.stem for path in Path(inspect.getfile(objectives)).parent.rglob("[a-z]*.py")}
    known = {cls.__module__.rpartition(".")[2] for cls in OBJECTIVES.values()}
    assert known == files - HELPERS


@pytest.mark.parametrize(
    "objective",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in OBJECTIVES],
)
def test_every_objective_trains_every_model(
    objective: str, model: str, tmp_path: Path, teachers: Callable[[str], str], capsys: Capture
) -> None:
    if objective in MATCHING and model == ACTOR_CRITIC:
        path = config(tmp_path, model, objective)
        assert main(["fit", "--config", path, "--model.recipe.teacher", teachers(model)]) == 2
        assert f"{objective} trains a second network, for which OFQL has no place" in last_line(
            capsys
        )
        return
    if objective == "Coupled" and model == ACTOR_CRITIC:
        assert main(["fit", "--config", config(tmp_path, model, objective)]) == 2
        assert "OFQL has a state for each row" in last_line(capsys)
        return
    if objective == "StoredPairs" and model == ACTOR_CRITIC:
        assert main(["fit", "--config", config(tmp_path, model, objective)]) == 2
        assert "OFQL learns from rewards, too" in last_line(capsys)
        return
    if objective == "Symmetric" and model == SHALLOW:
        assert main(["fit", "--config", config(tmp_path, model, objective)]) == 2
        assert "set the model's depth to 1" in last_line(capsys)
        return
    trains(objective, model, tmp_path, teachers)


@pytest.mark.parametrize("objective", sorted(SLOW))
def test_the_others_train_a_policy(
    objective: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    teachers: Callable[[str], str],
) -> None:
    monkeypatch.chdir(tmp_path)
    trains(objective, POLICY, tmp_path, teachers)


def trains(objective: str, model: str, tmp_path: Path, teachers: Callable[[str], str]) -> None:
    """Train a few steps from YAML alone."""
    teacher_field = ["--model.recipe.teacher", teachers(model)] if objective in TAUGHT else []
    if objective == "StoredPairs":
        config(tmp_path, model, objective)  # its data, by their names in the teacher's run
        store(teachers(model))
    fit(config(tmp_path, model, objective), "--run", "run", *teacher_field)
    result, fresh = trained(), OBJECTIVES[objective]()
    if reads(objective, model):
        settings = yaml.safe_load(DISPERSED[model])
        settings = settings | {"layers": tuple(settings["layers"])}
        assert isinstance(fresh, Dispersed | NitroFusion)
        fresh = replace(fresh, **settings)
    assert all(weight.isfinite().all() for weight in result.parameters())
    if isinstance(fresh, Matching):
        fresh = replace(fresh, ratio=1)
    if isinstance(fresh, StoredPairs):
        assert isinstance(result.objective, StoredPairs)
        fresh = replace(fresh, path=result.objective.path)
    assert result.objective == fresh
    draw = fresh.draw(torch.zeros(16, 2), torch.Generator().manual_seed(0))
    blind = torch.equal(draw.r, draw.t)  # then what reads the interval has no gradient
    assert still(result) == {name for name in still(result) if blind and "interval" in name}
    rows = metrics(Path("run"))
    assert len(rows) == steps(objective)
    assert len(rows[0]) > 2
    values = [x for row in rows for x in row.values()]
    if objective == "DisBack":  # the generator rests at first, and has nothing to log
        values = [x for x in values if x]
    assert all(np.isfinite(float(x)) for x in values)


def store(teacher: str) -> None:
    """Store two batches of a teacher's pairs."""
    argv = ["pairs", str(Path(teacher).parent), "--out", PAIRS, "--batches", "2", "--steps", "2"]
    assert main(argv) == 0


def still(model: GenerativeModel) -> set[str]:
    """Weights of a trained network that are those it started from."""
    start = dict(from_config(to_config(model)).net.named_parameters())
    return {name for name, w in model.net.named_parameters() if torch.equal(w, start[name])}


@pytest.mark.parametrize("objective", TAUGHT)
def test_a_teacher_that_is_missing_is_told_in_a_line(
    objective: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    path = config(tmp_path, POLICY, objective)
    assert main(["fit", "--config", path]) == 2
    assert f"{objective} distills a teacher, and none was given" in last_line(capsys)


def last_line(capsys: Capture) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_a_student_acts_where_its_teacher_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teachers: Callable[[str], str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(teachers(POLICY), "teacher")
    path = config(tmp_path, POLICY, "Reflow")
    fit(path, "--run", "run", "--model.recipe.teacher", "teacher")
    assert not any("teacher" in name for name in trained().state_dict())
    shutil.rmtree("teacher")
    student: Any = trained()
    assert student.recipe.teacher == "teacher"
    assert np.isfinite(student.act(np.zeros(4, np.float32))).all()


def test_a_teacher_that_does_not_fit_is_told_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    teachers: Callable[[str], str],
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(teachers(POLICY), "teacher")
    file = Path("teacher/config.json")
    file.write_text(file.read_text().replace("-1.0", "-2.0"))
    path = config(tmp_path, POLICY, "Reflow")
    assert main(["fit", "--config", path, "--model.recipe.teacher", "teacher"]) == 2
    assert "teacher: teacher has act_low (-2.0, -2.0), the data have (-1.0, -1.0)" in last_line(
        capsys
    )
    assert main(["fit", "--config", path, "--model.recipe.teacher", "nowhere"]) == 2
    assert "nowhere: no such folder" in last_line(capsys)


@pytest.mark.parametrize(
    "ema",
    [
        "{class_path: oneleap.core.PowerEMA, init_args: {sigma_rel: 0.1}}",
        "{sigma_rel: 0.1}",
        "0.9",
    ],
)
def test_the_average_has_a_schedule_or_a_decay(
    ema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = config(tmp_path, POLICY, "FlowMatching")
    fit(path, "--run", "run", "--model.recipe.ema", ema)
    assert trained().recipe.ema == (0.9 if ema == "0.9" else PowerEMA(0.1))
    if ema != "{sigma_rel: 0.1}":
        return
    again = Path("run/config.yaml").read_text()  # what was resolved can be run again
    (tmp_path / "again.yaml").write_text(again)
    fit("again.yaml", "--run", "again")
    assert trained("again").recipe.ema == trained().recipe.ema
    for mine, theirs in zip(trained().parameters(), trained("again").parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_law_of_times_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(config(tmp_path, POLICY, "MeanFlow"))
    settings = yaml.safe_load(path.read_text())
    init_args = {"p_equal": 0.25, "times": {"class_path": "UShaped"}}
    pairs = {"class_path": "GapPairs", "init_args": init_args}
    settings["model"]["init_args"]["objective"]["init_args"] = {"pairs": pairs}
    path.write_text(yaml.safe_dump(settings))
    fit(str(path), "--run", "run")
    assert trained().objective == MeanFlow(GapPairs(p_equal=0.25))
    shutil.copy("run/config.yaml", "again.yaml")  # what was resolved can be run again
    fit("again.yaml", "--run", "again")
    assert trained("again").objective == trained().objective
    fit(config(tmp_path, POLICY, "Lagrangian"), "--run", "bare", "--model.objective.pairs=GapPairs")
    kept = GapPairs(Uniform(), p_equal=0.75)  # what the default law has, too, stays
    assert trained("bare").objective == Lagrangian(kept)


def test_hidden_layers_and_dispersion_are_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(config(tmp_path, POLICY, "Dispersed"))
    settings = yaml.safe_load(path.read_text())
    settings["model"]["init_args"]["objective"]["init_args"] = {
        "objective": {"class_path": "Shortcut", "init_args": {"steps": 8}},
        "dispersion": {
            "class_path": "oneleap.core.losses.dispersion.Hinge",
            "init_args": {"margin": 2},
        },
        "layers": ["layers.1", "layers.3"],
        "weight": 0.1,
    }
    path.write_text(yaml.safe_dump(settings))
    fit(str(path), "--run", "run")
    wanted = Dispersed(Shortcut(steps=8), Hinge(2.0), ("layers.1", "layers.3"), 0.1)
    assert trained().objective == wanted  # nothing of the default objective is left
    assert "train/dispersion" in metrics(Path("run"))[0]
