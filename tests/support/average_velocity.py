"""What tests of the average-velocity objectives share: settings, truths, small cases."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.exact import Gaussian, seeded
from support.exact_paths import (
    Recorder,
    randn,
)
from torch import Tensor

from oneleap.core.losses.metrics import SquaredError
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import (
    AlphaFlow,
    ImprovedMeanFlow,
    Shortcut,
)
from oneleap.core.paths.times import LogitNormal, TimePairs, Uniform
from oneleap.core.types import Draw

Objective = ImprovedMeanFlow | AlphaFlow | Shortcut
TRUTHS = [Gaussian(0.7, 0.5), Gaussian(-0.2, 1.3)]
POINT = Gaussian(0.7, 0.0)
HALF, APART, EQUAL = (TimePairs(Uniform(), p_equal) for p_equal in (0.5, 0.0, 1.0))
FINE = Shortcut(HALF, steps=2**40)  # so fine that its shortest steps are exact
OBJECTIVES: list[Objective] = [
    ImprovedMeanFlow(HALF),
    ImprovedMeanFlow(TimePairs(LogitNormal(), p_equal=0.4)),
    AlphaFlow(HALF),
    Shortcut(HALF),
    Shortcut(TimePairs(LogitNormal(), p_equal=0.75), steps=8),
]
named = {"ids": lambda value: type(value).__name__}
each_objective = pytest.mark.parametrize("objective", OBJECTIVES, **named)
each_truth = pytest.mark.parametrize("truth", TRUTHS, ids=str)


def recorded(objective: Any) -> tuple[Any, list[tuple[Tensor, Tensor]]]:
    """The objective with a squared error that keeps what it was shown."""
    seen: list[tuple[Tensor, Tensor]] = []
    return replace(objective, metric=Recorder(SquaredError(), seen)), seen


def net_case(objective: Any, progress: float = 0.5) -> tuple[MLP, Tensor, Draw]:
    torch.manual_seed(0)
    x = randn(16, 3)
    return MLP(3, width=16).double(), x, objective.draw(x, seeded(1), progress)


def at_alpha(draw: Draw, alpha: float) -> Draw:
    return replace(draw, ramp=torch.full_like(draw.t, alpha))
