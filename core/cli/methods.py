"""``oneleap methods``: every objective with its family, what it needs, and what it costs."""

import inspect
import re
from dataclasses import dataclass

from oneleap.core import objectives
from oneleap.core.objectives.flow_maps.sana_sprint import SanaSprint
from oneleap.core.objectives.matching.base import Matching
from oneleap.core.objectives.matching.nitro import NitroFusion
from oneleap.core.types import Objective

FAMILIES = {
    "FlowMatching": "multi-step",
    "Denoising": "multi-step",
    "NoisePrediction": "multi-step",
    "MeanFlow": "average velocity",
    "ImprovedMeanFlow": "average velocity",
    "AlphaFlow": "average velocity",
    "SplitMeanFlow": "average velocity",
    "Shortcut": "average velocity",
    "ConsistencyDistillation": "consistency",
    "ConsistencyTraining": "consistency",
    "ImprovedConsistencyTraining": "consistency",
    "EasyConsistencyTuning": "consistency",
    "ConsistencyTrajectory": "consistency",
    "ContinuousConsistency": "consistency",
    "TBCM": "consistency",
    "SanaSprint": "consistency",
    "FlowAnchoredConsistency": "consistency",
    "Reflow": "trajectories",
    "AnnealedReflow": "trajectories",
    "DirectDistillation": "trajectories",
    "NoiseConsistency": "a new control",
    "Dispersed": "added to another",
    "Coupled": "added to another",
    "StoredPairs": "added to another",
    "Symmetric": "added to another",
}
"""Families by objective; those with a second network match distributions, the rest are maps."""

NO_DATA = {
    "AnnealedReflow",
    "DMD",
    "DiffInstruct",
    "DiffInstructPlus",
    "DiffInstructStar",
    "DirectDistillation",
    "NoiseConsistency",
    "PhasedDMD",
    "Reflow",
    "ScoreForgetting",
    "ScoreIdentity",
    "StoredPairs",
    "TBCM",
    "TDM",
    "VSD",
}
"""Objectives that use only the shape and the conditions of the data."""


@dataclass(frozen=True)
class About:
    """What a user must know to choose an objective.

    Attributes:
        name: Name of the class, as in ``--model.objective=NAME``.
        family: Family of methods.
        data: Whether it learns from the data themselves.
        teacher: ``none``, ``optional`` or ``required``.
        second: Networks that train beside the model.
        cost: Cost of a training step.
    """

    name: str
    family: str
    data: bool
    teacher: str
    second: str
    cost: str


def about(cls: type[Objective]) -> About:
    """Describe an objective under its default settings."""
    family, second = FAMILIES.get(cls.__name__, "flow map"), "-"
    if issubclass(cls, Matching):
        family = FAMILIES.get(cls.__name__, "distribution matching")
        second = "fake, judge" if cls.judged else "fake"
    if issubclass(cls, SanaSprint):
        second = "judge"
    if issubclass(cls, NitroFusion):
        second = "judges"
    return About(
        cls.__name__, family, cls.__name__ not in NO_DATA, cls.teacher, second, cost_of(cls)
    )


def cost_of(cls: type[Objective]) -> str:
    """Return the sentence on cost in a class's docstring, or else in that of its bases.

    ``F`` is a forward pass of the network on the batch and ``FB`` one with its backward pass.
    """
    for base in cls.__mro__:
        text = " ".join((base.__doc__ or "").replace("``", "").split())
        found = re.search(r"Cost(?: of a generator's step)?: (.+?)\.(?= [A-Z]|$)", text)
        if found:
            short = re.sub(r"(\w+) forward and backward pass(es)?", r"\1 FB", found[1])
            return re.sub(r"(\w+) forward pass(es)?", r"\1 F", short)
    return ""


def all_methods() -> list[About]:
    """Describe every objective, family by family."""
    classes = inspect.getmembers(objectives, inspect.isclass)
    found = [about(cls) for _, cls in classes if issubclass(cls, Objective)]
    order = [*dict.fromkeys(FAMILIES.values()), "flow map", "distribution matching"]
    return sorted(found, key=lambda a: (order.index(a.family), a.name))


def methods() -> None:
    """List the training objectives: family, data, teacher, second networks, and cost of a step.

    ``FB`` is a forward and backward pass of the network on the batch, ``F`` a forward pass.

    Example: oneleap methods
    """
    head = ("objective", "family", "data", "teacher", "beside it", "cost of a training step")
    rows = [
        (a.name, a.family, "yes" if a.data else "-", a.teacher, a.second, a.cost)
        for a in all_methods()
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)][:-1]
    for row in (head, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print(*cells, row[-1], sep="  ")
