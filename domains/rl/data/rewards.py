"""Rewards that are computed from a data set before training."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.transitions import OfflineDataset
from oneleap.domains.rl.envs.mazes import GOAL_RADIUS

NEGLIGIBLE = 1e-6
"""Differences below this share of the largest value are rounding, and nothing is scaled by them."""


class Reward(ABC):
    """A reward that is a function of a data set; subclasses are frozen dataclasses."""

    @abstractmethod
    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Compute the reward of every step."""


@dataclass(frozen=True)
class StoredReward(Reward):
    """The reward as the file has it."""

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Return the stored rewards."""
        return data.reward


@dataclass(frozen=True)
class NormalizedReward(Reward):
    """``(r - mean) / std``, which Diffusion-QL uses for Adroit."""

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Normalize the stored rewards.

        Raises:
            InputError: All rewards are equal.
        """
        mean, std = data.reward.double().mean(), data.reward.double().std()
        if not std > NEGLIGIBLE * data.reward.abs().max():
            raise InputError("reward NormalizedReward: all rewards are equal; use StoredReward")
        return ((data.reward - mean) / std).float()


@dataclass(frozen=True)
class AntMazeReward(Reward):
    """``4 (r - 0.5)``, CQL's reward for AntMaze: -2 on the way and 2 at the goal."""

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Shift and scale the stored rewards."""
        return (data.reward - 0.5) * 4


@dataclass(frozen=True)
class StepCostReward(Reward):
    """``r - 1``, the reward of IQL and FQL for AntMaze: -1 on the way and 0 at the goal."""

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Shift the stored rewards."""
        return data.reward - 1


@dataclass(frozen=True)
class SparseTaskReward(Reward):
    """0 where the stored reward is 0, else -1: for OGBench, whether the whole task is done.

    OGBench's own rewards are minus the number of parts of the task that are not done. Q-chunking
    (arXiv 2507.07969) trains on these sparse ones in scene and puzzle.
    """

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Compare the stored rewards with 0."""
        return -(data.reward != 0).float()


@dataclass(frozen=True)
class ReturnScaledReward(Reward):
    """``scale * r / (largest - smallest episode return)``; IQL and CleanDiffuser for MuJoCo.

    Attributes:
        scale: Range of the returns after scaling.
    """

    scale: float = 1000.0

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Scale the stored rewards.

        Raises:
            InputError: The finished episodes do not have different returns.
        """
        returns = data.returns()
        span = float(returns.max() - returns.min()) if len(returns) else 0.0
        if not span > NEGLIGIBLE * (float(returns.abs().max()) if len(returns) else 0.0):
            raise InputError(
                "reward ReturnScaledReward: needs finished episodes with different returns, "
                f"found {len(returns)} with equal ones; use StoredReward"
            )
        return data.reward * (self.scale / span)


@dataclass(frozen=True)
class GoalDistanceReward(Reward):
    """PointMaze's reward for one fixed goal, from the position after the step.

    The dense reward is ``exp(-distance)``. The sparse one is 1 within
    :data:`oneleap.domains.rl.envs.mazes.GOAL_RADIUS` meters, else 0. Both are those of
    gymnasium-robotics. The first two dimensions of an observation must be the position.

    Attributes:
        goal: Position of the goal in meters.
        dense: Whether the reward is dense; else it is sparse.
    """

    goal: tuple[float, float]
    dense: bool = True

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Compute the rewards."""
        goal = torch.tensor(self.goal, device=data.obs.device)
        distance: Tensor = torch.linalg.vector_norm(data.next_obs[:, :2] - goal, dim=1)
        return (-distance).exp() if self.dense else (distance <= GOAL_RADIUS).float()
