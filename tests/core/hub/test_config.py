"""Objects survive the way to JSON and back, and strangers' descriptions run nothing."""

import json
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from oneleap.core.errors import InputError
from oneleap.core.hub.config import class_path, from_config, to_config
from oneleap.core.hub.export import Graph
from oneleap.core.nets import MLP
from oneleap.core.paths.times import LogitNormal, TimePairs, Uniform
from oneleap.core.training.optim import AdamConfig

HERE = (__name__.partition(".")[0],)


@dataclass(frozen=True)
class Leaf:
    n: int
    x: float = 0.5
    flag: bool = False
    name: str | None = None


@dataclass(frozen=True)
class Tree:
    pair: tuple[float, str]
    leaves: tuple[Leaf, ...] = ()
    by_name: dict[str, Leaf] = field(default_factory=dict)
    rows: list[list[int]] = field(default_factory=list)
    nested: tuple[tuple[int, ...], ...] = ()
    maybe: tuple[int, ...] | None = None
    either: Leaf | list[int] | None = None
    anything: Any = None
    child: "Tree | None" = None


class Net(nn.Module):
    def __init__(self, widths: tuple[int, ...], times: TimePairs, *, head: nn.Module | None = None):
        super().__init__()
        self.widths, self.times, self.head = widths, times, head


floats = st.floats(allow_nan=False, allow_infinity=False)
leaves = st.builds(Leaf, st.integers(), floats, st.booleans(), st.none() | st.text())
keys = st.text().filter(lambda key: key != "class_path")


def trees(children: st.SearchStrategy[Tree | None]) -> st.SearchStrategy[Tree]:
    ints = st.lists(st.integers(), max_size=3)
    return st.builds(
        Tree,
        pair=st.tuples(floats, st.text()),
        leaves=st.lists(leaves, max_size=3).map(tuple),
        by_name=st.dictionaries(keys, leaves, max_size=3),
        rows=st.lists(ints, max_size=3),
        nested=st.lists(ints.map(tuple), max_size=3).map(tuple),
        maybe=st.none() | ints.map(tuple),
        either=st.none() | leaves | ints,
        anything=st.none() | st.text() | leaves,
        child=children,
    )


@given(st.recursive(trees(st.none()), trees, max_leaves=3))
def test_nested_dataclasses_survive_json(tree: Tree) -> None:
    text = json.dumps(to_config(tree))
    assert from_config(json.loads(text), trusted=HERE) == tree


@pytest.mark.parametrize(
    "value",
    [
        AdamConfig(),
        AdamConfig(clip=1.0, betas=(0.5, 0.9)),
        TimePairs(Uniform()),
        LogitNormal(1.0, 2.0),
    ],
)
def test_the_core_describes_itself(value: object) -> None:
    assert from_config(json.loads(json.dumps(to_config(value)))) == value


def test_modules_are_rebuilt_from_their_arguments() -> None:
    net = Net((4, 5), TimePairs(p_equal=0.25), head=Net((), TimePairs()))
    again = from_config(to_config(net), trusted=HERE)
    assert (type(again), again.widths, again.times) == (Net, (4, 5), TimePairs(p_equal=0.25))
    assert again.head.widths == ()
    assert again.head.head is None


class Forgetful(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()


class Greedy(nn.Module):
    def __init__(self, **anything: int) -> None:
        super().__init__()


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (Forgetful(3), "has no attribute named after its argument 'width'"),
        (Greedy(), "must not take"),
        (Net((), len), r"Net\.times: .*builtin"),
        (Leaf({1: 2}), "keys of a dictionary"),
        (Leaf({"class_path": "os.system"}), "other than class_path"),
        (object(), "a object cannot be written"),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_what_cannot_be_described_is_named(value: object, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        to_config(value)


def described(path: str, **arguments: object) -> dict[str, object]:
    return {"class_path": path, "init_args": arguments}


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "torch.nn.Linear",
        "oneleap_evil.Thing",
        "Leaf",
        "",
        "oneleap.core.files.Path",  # imported there, not defined there
        "oneleap.core.files.os.system",
        "oneleap.core.hub.pretrained.nn.Linear",
        "oneleap.core.hub.config.from_config",
        "oneleap.core.errors.InputError",  # ours, but neither a dataclass nor a module
    ],
)
def test_nothing_but_our_classes_is_ever_built(path: str) -> None:
    with pytest.raises(InputError, match=r"^config\.json: "):
        from_config(described(path, args="x"), where="config.json")


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (
            described("oneleap.core.training.optim.AdamConfig", lrr=1),
            "no argument 'lrr'; did you mean 'lr'?",
        ),
        (described("oneleap.core.training.optim.Adm"), "no class oneleap.core.training.optim.Adm"),
        (described("oneleap.core.nowhere.AdamConfig"), "no class oneleap.core.nowhere.AdamConfig"),
        (described("oneleap.core.nets.mlp.MLP"), "MLP needs the argument 'dim'"),
        (
            {"class_path": "oneleap.core.training.optim.AdamConfig", "init_args": [1]},
            "must be a mapping",
        ),
        (
            described(
                "oneleap.core.paths.times.TimePairs",
                times=described("oneleap.core.paths.times.Uniform", a=1),
            ),
            "TimePairs.times: Uniform has no argument 'a'",
        ),
    ],
)
def test_mistakes_are_named(config: dict[str, object], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        from_config(config)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_dependency_is_told_apart_from_a_missing_class(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needy_package.py").write_text("import gymnasium_of_nowhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="gymnasium_of_nowhere"):
        from_config(described("needy_package.Thing"), trusted=("needy_package",))


# The names of classes.


def module_of(monkeypatch: pytest.MonkeyPatch, name: str, **contents: object) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def a_class(module: str, name: str = "Thing") -> type:
    return type(name, (), {"__module__": module, "__qualname__": name})


def test_a_class_is_named_by_the_shortest_package_that_exports_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thing = a_class("shop.aisle.shelf.box")
    for name in ("shop", "shop.aisle", "shop.aisle.shelf", "shop.aisle.shelf.box"):
        module_of(monkeypatch, name)
    sys.modules["shop.aisle.shelf.box"].Thing = thing
    assert class_path(thing) == "shop.aisle.shelf.box.Thing"
    sys.modules["shop.aisle.shelf"].Thing = thing
    assert class_path(thing) == "shop.aisle.shelf.Thing"
    sys.modules["shop.aisle"].Thing = thing
    assert class_path(thing) == "shop.aisle.Thing"
    sys.modules["shop"].Thing = a_class("shop.other")  # a namesake
    assert class_path(thing) == "shop.aisle.Thing"
    sys.modules["shop"].Thing = thing
    assert class_path(thing) == "shop.Thing"


def test_packages_that_are_not_imported_and_inner_classes_do_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert class_path(a_class("nowhere.at.all")) == "nowhere.at.all.Thing"
    module_of(monkeypatch, "shop")
    assert class_path(a_class("shop.box", "Outer.Inner")) == "shop.box.Outer.Inner"


def test_classes_of_the_core_are_named_by_its_face_and_others_by_their_file() -> None:
    assert class_path(AdamConfig) == "oneleap.core.AdamConfig"
    assert class_path(MLP) == "oneleap.core.MLP"
    assert to_config(Uniform()) == {"class_path": "oneleap.core.Uniform", "init_args": {}}
    assert class_path(Graph) == "oneleap.core.hub.export.Graph"
    assert from_config(to_config(AdamConfig(lr=0.5))) == AdamConfig(lr=0.5)
