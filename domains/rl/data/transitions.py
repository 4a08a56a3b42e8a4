"""Transitions in memory: checked once, relabelled on demand, sampled by the batch."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.rl.envs.task import Task

GOAL_RADIUS = 0.45
"""Metres from the goal that count as success in PointMaze.

Gymnasium-robotics' own threshold, since its physics are what is played here; D4RL's maze2d has 0.5.
"""


class Transitions(NamedTuple):
    """n steps to learn values from; all float32.

    Attributes:
        obs: Before the step.
        act: In the environment's units.
        reward: For the step, or the discounted sum over several.
        next_obs: After it, or after the last of several.
        discount: What the value of ``next_obs`` counts: ``gamma`` to the number of steps, and 0
            where the task ended; a time limit is no such end.
        next_act: What the data did after ``next_obs``; NaN where the recording ends with it. For
            penalties on the value of next actions alone, and unknown to most sources of steps.
    """

    obs: Float[Tensor, "n o"]
    act: Float[Tensor, "n a"]
    reward: Float[Tensor, "n"]
    next_obs: Float[Tensor, "n o"]
    discount: Float[Tensor, "n"]
    next_act: Float[Tensor, "n a"] | None = None

    def sample(self, n: int, generator: torch.Generator) -> "Transitions":
        """Draw ``n`` rows uniformly, with replacement; ``generator`` is on the data's device."""
        rows = torch.randint(len(self.obs), (n,), generator=generator, device=self.obs.device)
        chosen = Transitions(*(column.index_select(0, rows) for column in self[:5]))
        if self.next_act is None:
            return chosen
        return chosen._replace(next_act=self.next_act.index_select(0, rows))


@dataclass(frozen=True, eq=False)
class OfflineDataset:
    """All steps of a data set, in order, on one device; float32 but for ``bounds``.

    Attributes:
        obs: Before each step.
        act: In the environment's units.
        reward: For each step.
        next_obs: After each step.
        terminal: 1 where the task ended.
        timeout: 1 where a time limit, or the end of the recording, cut the episode.
        bounds: Episode k is rows ``bounds[k]`` to ``bounds[k + 1]``.
    """

    obs: Float[Tensor, "n o"]
    act: Float[Tensor, "n a"]
    reward: Float[Tensor, "n"]
    next_obs: Float[Tensor, "n o"]
    terminal: Float[Tensor, "n"]
    timeout: Float[Tensor, "n"]
    bounds: Int[Tensor, "k"]

    def __len__(self) -> int:
        return len(self.obs)

    def to(self, device: torch.device | str) -> "OfflineDataset":
        """The same data on ``device``."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def transitions(self, gamma: float, n_step: int = 1) -> Transitions:
        """Every step with its ``n_step``-step return, cut short at its episode's end.

        From step k, ``reward`` is ``sum_i gamma^i r[k + i]`` over ``i < m`` and ``next_obs`` that
        of step ``k + m - 1``, ``m`` the lesser of ``n_step`` and the steps left.

        Raises:
            InputError: If ``gamma`` is no discount or ``n_step`` not positive.
        """
        if not 0 <= gamma <= 1 or n_step < 1:
            raise InputError(f"gamma {gamma} must lie in [0, 1], n_step {n_step} be positive")
        lengths = self.bounds[1:] - self.bounds[:-1]
        final = torch.repeat_interleave(self.bounds[1:] - 1, lengths)
        here = torch.arange(len(self), device=self.obs.device)
        reward = torch.zeros_like(self.reward)
        for i in range(n_step):
            inside = here + i <= final
            reward += torch.where(inside, gamma**i * self.reward[(here + i).clamp(max=final)], 0)
        last = (here + n_step - 1).clamp(max=final)
        discount = gamma ** (last - here + 1).float() * (1 - self.terminal[last])
        follows = self.act[(last + 1).clamp(max=final)]
        next_act = follows.masked_fill((last == final).unsqueeze(1), torch.nan)
        return Transitions(self.obs, self.act, reward, self.next_obs[last], discount, next_act)

    def moments(self, eps: float = 1e-3) -> tuple[Float[Tensor, "o"], Float[Tensor, "o"]]:
        """Mean and standard deviation of ``obs``; ``eps`` is added to the latter, as in TD3+BC."""
        obs = self.obs.double()
        return obs.mean(0).float(), (obs.std(0, correction=0) + eps).float()

    def returns(self) -> Float[Tensor, "e"]:
        """Undiscounted return of each finished episode."""
        total = torch.cumsum(self.reward.double(), 0)
        total = torch.cat([total.new_zeros(1), total])
        last = self.bounds[1:] - 1
        finished = (self.terminal[last] + self.timeout[last]) > 0
        return (total[self.bounds[1:]] - total[self.bounds[:-1]])[finished].float()

    def relabel(self, reward: "Reward") -> "OfflineDataset":
        """The same steps under another reward."""
        return replace(self, reward=reward(self))


class Loaded(NamedTuple):
    """What a reader returns.

    Attributes:
        data: The steps.
        act_low: Least action per dimension.
        act_high: Greatest action per dimension.
        task: Where to evaluate; ``None`` if unknown.
        sparse_task: The same under the sparse reward, for PointMaze.
        moving_goal: The stored rewards are for goals that move, which ``obs`` does not tell.
    """

    data: OfflineDataset
    act_low: NDArray[np.float32]
    act_high: NDArray[np.float32]
    task: Task | None = None
    sparse_task: Task | None = None
    moving_goal: bool = False


class Reward(ABC):
    """A reward computed from a data set; subclasses are frozen dataclasses."""

    @abstractmethod
    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Reward of every step."""


@dataclass(frozen=True)
class AsStored(Reward):
    """The reward in the file."""

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Reward of every step."""
        return data.reward


@dataclass(frozen=True)
class Normalized(Reward):
    """``(r - mean) / std``, Diffusion-QL's choice for Adroit."""

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Reward of every step."""
        mean, std = data.reward.double().mean(), data.reward.double().std()
        if not std > 0:
            raise InputError("reward Normalized: all rewards are equal; use AsStored")
        return ((data.reward - mean) / std).float()


@dataclass(frozen=True)
class AntMaze(Reward):
    """``4 (r - 0.5)``: CQL's reward for AntMaze, -2 on the way and 2 at the goal."""

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Reward of every step."""
        return (data.reward - 0.5) * 4


@dataclass(frozen=True)
class ReturnScaled(Reward):
    """``1000 r / (largest - smallest episode return)``, IQL's and CleanDiffuser's for MuJoCo.

    Attributes:
        scale: Range of returns after scaling.
    """

    scale: float = 1000.0

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Reward of every step."""
        returns = data.returns()
        spread = float(returns.max() - returns.min()) if len(returns) else 0.0
        if not spread > 0:
            raise InputError(
                f"reward ReturnScaled: needs finished episodes of different return, "
                f"got {len(returns)} without a spread; use AsStored"
            )
        return data.reward * (self.scale / spread)


@dataclass(frozen=True)
class GoalDistance(Reward):
    """PointMaze's reward for one fixed goal, from the position after the step.

    Dense ``exp(-distance)``, sparse 1 within :data:`GOAL_RADIUS` metres, as gymnasium-robotics
    computes them. The first two observations are the position.

    Attributes:
        goal: Position, metres.
        dense: Else sparse.
    """

    goal: tuple[float, float]
    dense: bool = True

    def __call__(self, data: OfflineDataset) -> Float[Tensor, "n"]:
        """Reward of every step."""
        goal = torch.tensor(self.goal, device=data.obs.device)
        distance: Tensor = torch.linalg.vector_norm(data.next_obs[:, :2] - goal, dim=1)
        return (-distance).exp() if self.dense else (distance <= GOAL_RADIUS).float()
