"""Old names in saved models and configurations."""

import sys
from types import ModuleType
from typing import Any

import pytest

from oneleap.core.hub.config import from_config
from oneleap.core.hub.legacy import migrate


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The old names of a domain that does not exist."""
    package, module = ModuleType("oneleap.domains.toy"), ModuleType("oneleap.domains.toy.legacy")
    vars(module).update(
        CLASSES={"Old": "oneleap.domains.toy.New", "nets.Twice": "oneleap.domains.toy.Net"},
        ARGUMENTS={
            "*": {"seed": "recipe.seed"},
            "Old": {"colour": "color", "steps": "sampler.steps", "gone": ""},
        },
        DEFAULTS={"Old": {"clip": None}},
        OBJECTS={"sampler": "oneleap.core.FlowMapSampler"},
    )
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def described(path: str, **arguments: Any) -> dict[str, Any]:
    return {"class_path": path, "init_args": arguments}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("oneleap.core.times.LogitNormal", "oneleap.core.LogitNormal"),
        ("oneleap.core.objectives.MeanFlow", "oneleap.core.MeanFlow"),
        ("oneleap.core.samplers.Ancestral", "oneleap.core.DDPMSampler"),
        ("oneleap.core.optim.Adam", "oneleap.core.AdamConfig"),
        ("oneleap.core.MeanFlow", "oneleap.core.MeanFlow"),
        ("oneleap.domains.toy.files.Kept", "oneleap.domains.toy.Kept"),
        ("oneleap.domains.toy.nets.Twice", "oneleap.domains.toy.Net"),
        ("oneleap.domains.toy.other.Twice", "oneleap.domains.toy.Twice"),
        ("oneleap.domains.nowhere.file.Kept", "oneleap.domains.nowhere.Kept"),
        ("oneleap.domains.toy.Old", "oneleap.domains.toy.Old"),
        ("mypackage.nets.Own", "mypackage.nets.Own"),
        ("MeanFlow", "MeanFlow"),
    ],
)
def test_class_paths_drop_the_file(tables: ModuleType, old: str, new: str) -> None:
    assert migrate({"class_path": old}) == {"class_path": new} | (
        {"init_args": {"clip": None}} if new.endswith("toy.New") else {}
    )


@pytest.mark.parametrize(
    ("name", "as_before"),
    [
        ("ConsistencyDistillation", {"target_ema": None}),
        ("ConsistencyTraining", {"mu0": None}),
        ("ConsistencyTrajectory", {"denoise_to": "teacher", "target_ema": None}),
    ],
)
def test_old_consistency_objectives_keep_one_average(name: str, as_before: dict[str, Any]) -> None:
    old = from_config(migrate({"class_path": f"oneleap.core.objectives.{name}"}))
    new = from_config({"class_path": f"oneleap.core.{name}"})
    assert {key: getattr(old, key) for key in as_before} == as_before
    assert all(getattr(new, key) != value for key, value in as_before.items())


def test_arguments_are_renamed_grouped_dropped_and_added(tables: ModuleType) -> None:
    old = described("oneleap.domains.toy.a.Old", colour=1, seed=2, steps=3, gone=4, width=5)
    sampler = described("oneleap.core.FlowMapSampler", steps=3)
    plain = {"color": 1, "recipe": {"seed": 2}, "sampler": sampler, "width": 5, "clip": None}
    assert migrate(old) == described("oneleap.domains.toy.New", **plain)
    recipe = described("oneleap.core.Recipe", seed=2)
    assert migrate(old, described=True) == described(
        "oneleap.domains.toy.New", **plain | {"recipe": recipe}
    )


def test_arguments_of_today_are_left_alone(tables: ModuleType) -> None:
    new = described("oneleap.domains.toy.Old", colour=1, seed=2)
    assert migrate(new) == new


def test_everything_nested_is_translated(tables: ModuleType) -> None:
    old = {"callbacks": [{"a": described("oneleap.domains.toy.a.Kept", seed=1)}], "n": 3}
    assert migrate(old) == {
        "callbacks": [{"a": described("oneleap.domains.toy.Kept", recipe={"seed": 1})}],
        "n": 3,
    }


def test_a_translated_description_builds() -> None:
    times = described("oneleap.core.times.LogitNormal", mean=-0.4, std=1.0)
    pairs = described("oneleap.core.times.TimePairs", times=times, p_equal=0.5)
    built = from_config(migrate(pairs, described=True))
    assert built.times.mean == -0.4


def test_plain_items_of_a_list_are_translated(tables: ModuleType) -> None:
    vars(tables)["ITEMS"] = {"old_parts": "Part"}
    vars(tables)["ARGUMENTS"]["Part"] = {"share": "weight"}
    old = described("oneleap.domains.toy.old.Old", old_parts=[{"share": 0.5, "name": "a"}])
    found = migrate(old)["init_args"]["old_parts"]
    assert found == [{"weight": 0.5, "name": "a"}]
