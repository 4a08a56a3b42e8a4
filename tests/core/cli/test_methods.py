"""``oneleap methods`` says of every objective what its code does."""

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from oneleap.core import objectives
from oneleap.core.cli.methods import FAMILIES, NO_DATA, about, all_methods
from oneleap.core.nets.beside.judges import JudgePool
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import NitroFusion, StoredPairs
from oneleap.core.types import Objective, SecondNetworks, TrainingBatch
from oneleap.domains.main import main

POOL = JudgePool(4, 32)
CLASSES: dict[str, type[Objective]] = {
    name: cls
    for name, cls in inspect.getmembers(objectives, inspect.isclass)
    if issubclass(cls, Objective)
}


def test_every_objective_is_listed_with_a_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == set(CLASSES)
    start = head.index("cost of a training step")
    assert all(line[start:].strip() for line in lines)
    assert set(FAMILIES) | NO_DATA <= set(CLASSES)


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"Dispersed", "ScoreForgetting"}))
def test_whether_the_data_matter_is_as_stated(name: str) -> None:
    """The loss of the same draw on other data."""
    torch.manual_seed(0)
    objective: Any = CLASSES[name]()
    net, teacher, fake = (MLP(2, width=8) for _ in range(3))
    x = torch.randn(24, 2)
    draw = objective.draw(x, torch.Generator().manual_seed(0), 0.7)
    if isinstance(objective, StoredPairs):
        draw = replace(draw, x=torch.ones_like(x))
    second = SecondNetworks(fake=fake, frozen_fake=fake, judge=fake, frozen_judge=fake)
    if isinstance(objective, NitroFusion):
        objective.attend(fake)
        second = replace(second, heads=POOL, frozen_heads=POOL)
    batch = TrainingBatch(field=net, x=x, second=second)
    if about(CLASSES[name]).teacher == "required":
        batch = replace(batch, teacher=teacher)
    losses = [objective.loss(replace(batch, x=data), draw).per_sample for data in (x, 2 * x)]
    assert about(CLASSES[name]).data == (not torch.equal(*losses))


def test_every_objective_has_an_equation_and_a_trap_in_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "methods.md").read_text()
    parts = [part.split("\n", 1) for part in re.split(r"^#{2,4} ", text, flags=re.MULTILINE)[1:]]
    for name in CLASSES:
        own = [rest for head, rest in parts if f"`{name}`" in head]
        assert own, f"docs/methods.md has no section on {name}"
        assert all("$$" in rest for rest in own), name
        assert all(re.search(r"\*Traps?[.:]\*", rest) for rest in own), name


def test_costs_name_only_what_the_list_explains() -> None:
    """A cost that refers to another method names one of the list."""
    for known in all_methods():
        for other in re.findall(r"(\w+)'s\b|[Tt]hat of (\w+)", known.cost):
            assert {*other} <= {*CLASSES, "average", "generator", "the", ""}, known


def test_what_is_needed_is_that_of_the_class() -> None:
    known = {a.name: a for a in all_methods()}
    assert (known["DMD2"].second, known["SanaSprint"].second) == ("fake, judge", "judge")
    assert known["Lagrangian"].family == "flow map"
    assert known["DMD"].family == "distribution matching"
    assert known["DMD2"].cost.startswith("that of DMD without regression")
    assert known["MeanFlow"].cost.startswith("1 FB, and a forward tangent")
    assert {a.teacher for a in known.values()} == {"none", "optional", "required"}
