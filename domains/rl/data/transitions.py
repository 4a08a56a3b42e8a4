"""Transitions in memory: tables of steps, n-step returns, and random batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.rl.envs.task import Task


class Transitions(NamedTuple):
    """n transitions to learn values from; all tensors but ``valid`` are float32.

    With chunks of h actions, "the step" is h steps, and ``act`` and ``next_act`` contain the
    actions of all of them, (n, h * a).

    Attributes:
        obs: Observations before the step.
        act: Actions in the units of the environment.
        reward: Rewards for the step, or discounted sums over several steps.
        next_obs: Observations after the step, or after the last of several steps.
        discount: Factors on the value of ``next_obs``: ``gamma`` to the power of the number of
            steps, and 0 where the task ended. A time limit does not end the task.
        next_act: Actions that the data took after ``next_obs``; NaN where the recording ends with
            it. Only penalties on the value of next actions need them, and most sources of
            transitions do not know them.
        valid: Which actions of a chunk lie in its episode. The others repeat the last action of
            the episode. ``None`` without chunks.
    """

    obs: Float[Tensor, "n o"]
    act: Float[Tensor, "n a"]
    reward: Float[Tensor, "n"]
    next_obs: Float[Tensor, "n o"]
    discount: Float[Tensor, "n"]
    next_act: Float[Tensor, "n a"] | None = None
    valid: Bool[Tensor, "n h"] | None = None

    def draw_rows(self, n: int, generator: torch.Generator) -> Int[Tensor, "n"]:
        """Draw the indices of the rows that :meth:`sample` returns for this generator."""
        return torch.randint(len(self.obs), (n,), generator=generator, device=self.obs.device)

    def sample(self, n: int, generator: torch.Generator) -> "Transitions":
        """Draw ``n`` rows uniformly, with replacement; ``generator`` is on the data's device."""
        rows = self.draw_rows(n, generator)
        sampled = Transitions(*(column.index_select(0, rows) for column in self[:5]))
        if self.next_act is not None:
            sampled = sampled._replace(next_act=self.next_act.index_select(0, rows))
        if self.valid is not None:
            sampled = sampled._replace(valid=self.valid.index_select(0, rows))
        return sampled


@dataclass(frozen=True, eq=False)
class OfflineDataset:
    """All steps of a data set, in order, on one device; float32 except ``bounds``.

    Attributes:
        obs: Observations before each step.
        act: Actions in the units of the environment.
        reward: Rewards for each step.
        next_obs: Observations after each step.
        terminal: 1 where the task ended.
        timeout: 1 where a time limit, or the end of the recording, cut the episode.
        bounds: Episode k consists of rows ``bounds[k]`` to ``bounds[k + 1]``.
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
        """Return the same data on ``device``."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def transitions(self, gamma: float, n_step: int = 1, chunk: int = 1) -> Transitions:
        """Return every step with its ``n_step``-step return, which stops at the episode's end.

        From step k, ``reward`` is ``sum_i gamma^i r[k + i]`` over ``i < m``, and ``next_obs`` is
        that of step ``k + m - 1``. ``m`` is ``n_step``, or the number of steps left in the episode
        if that is smaller. Where the task ends at one of these steps, later rewards do not count.

        With ``chunk`` > 1, ``act`` has the actions of ``chunk`` steps, and the return sums the
        rewards of these steps. It has no bias, because the chunk determines all the actions that
        lead to it (Q-chunking, Li et al. 2025, arXiv 2507.07969, Eq. 8).

        Args:
            gamma: Discount of future rewards.
            n_step: Number of rewards that are summed.
            chunk: Number of actions in a row that count as one action.

        Returns:
            As many transitions as there are steps.

        Raises:
            InputError: ``gamma`` is outside [0, 1], ``n_step`` or ``chunk`` is not positive, or
                both are larger than 1.
        """
        if not 0 <= gamma <= 1 or n_step < 1:
            raise InputError(f"gamma {gamma} must lie in [0, 1], n_step {n_step} must be positive")
        check_chunk(chunk, n_step)
        n_step = max(n_step, chunk)
        final = self._final_rows()
        here = torch.arange(len(self), device=self.obs.device)
        reward, alive = torch.zeros_like(self.reward), torch.ones_like(self.reward)
        for i in range(n_step):
            row = (here + i).clamp(max=final)
            inside = (here + i <= final) * alive
            reward += inside * gamma**i * self.reward[row]
            alive = torch.where(inside > 0, 1 - self.terminal[row], alive)
        last = (here + n_step - 1).clamp(max=final)
        discount = gamma ** (last - here + 1).float() * alive
        act, next_act = self._chunks(here, chunk), self._chunks(last + 1, chunk, torch.nan)
        valid = here.unsqueeze(1) + torch.arange(chunk, device=here.device) <= final.unsqueeze(1)
        return Transitions(
            self.obs,
            act,
            reward,
            self.next_obs[last],
            discount,
            next_act,
            valid if chunk > 1 else None,
        )

    def _final_rows(self) -> Int[Tensor, "n"]:
        """Last row of the episode of each row."""
        return torch.repeat_interleave(self.bounds[1:] - 1, self.bounds[1:] - self.bounds[:-1])

    def _chunks(
        self, first: Int[Tensor, "n"], chunk: int, beyond: float | None = None
    ) -> Float[Tensor, "n ha"]:
        """Actions of ``chunk`` steps from the rows ``first``, of which row k is in k's episode.

        Args:
            first: First row of each chunk.
            chunk: Number of actions.
            beyond: Value of actions beyond the episode; by default they repeat its last action.

        Returns:
            The actions, side by side.
        """
        final, parts = self._final_rows(), []
        for i in range(chunk):
            part = self.act[(first + i).clamp(max=final)]
            if beyond is not None:
                part = part.masked_fill((first + i > final).unsqueeze(1), beyond)
            parts.append(part)
        return torch.cat(parts, dim=1) if chunk > 1 else parts[0]

    def moments(self, eps: float = 1e-3) -> tuple[Float[Tensor, "o"], Float[Tensor, "o"]]:
        """Mean and standard deviation of ``obs``, see :func:`scales`."""
        obs = self.obs.double()
        return scales(obs.mean(0), obs.std(0, correction=0), eps)

    def returns(self) -> Float[Tensor, "e"]:
        """Undiscounted return of each finished episode."""
        total = torch.cumsum(self.reward.double(), 0)
        total = torch.cat([total.new_zeros(1), total])
        last = self.bounds[1:] - 1
        finished = (self.terminal[last] + self.timeout[last]) > 0
        return (total[self.bounds[1:]] - total[self.bounds[:-1]])[finished].float()

    def only(self, episodes: Sequence[int]) -> "OfflineDataset":
        """Return the steps of some episodes, in order."""
        spans = [(int(self.bounds[k]), int(self.bounds[k + 1])) for k in episodes]
        rows = torch.cat([torch.arange(*span, device=self.obs.device) for span in spans])
        lengths = torch.tensor([0, *(stop - start for start, stop in spans)])
        columns = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "bounds"}
        return OfflineDataset(**columns, bounds=lengths.cumsum(0).to(self.bounds.device))

    def without(self, episodes: Sequence[int]) -> "OfflineDataset":
        """Return the steps of all other episodes, in order."""
        left_out = set(episodes)
        return self.only([k for k in range(len(self.bounds) - 1) if k not in left_out])

    def relabel(self, reward: Callable[["OfflineDataset"], Tensor]) -> "OfflineDataset":
        """Return the same steps under another reward, such as those of ``data/rewards.py``."""
        return replace(self, reward=reward(self))


def scales(
    mean: Float[Tensor, "o"], std: Float[Tensor, "o"], eps: float = 1e-3
) -> tuple[Float[Tensor, "o"], Float[Tensor, "o"]]:
    """Mean and deviation that normalize observations; as in TD3+BC, ``eps`` is added to the latter.

    A dimension that does not vary beyond the rounding of 32 bits has its magnitude, or 1 if that is
    larger, in place of a deviation: dividing by ``eps`` alone would blow up rounding.

    Args:
        mean: Means in float64.
        std: Standard deviations in float64.
        eps: Number that is added.

    Returns:
        Both in float32.
    """
    constant = std <= 1e-6 * mean.abs()
    std = torch.where(constant, mean.abs().clamp(min=1), std + eps)
    return mean.float(), std.float()


def check_chunk(chunk: int, n_step: int) -> None:
    """Check the number of actions in a chunk, and that returns are those of a chunk.

    Raises:
        InputError: It is not positive, or ``n_step`` is another number of steps.
    """
    if chunk < 1:
        raise InputError(f"chunk: {chunk} is not positive")
    if chunk > 1 and n_step > 1:
        raise InputError(
            f"n_step: {n_step}, but a chunk of {chunk} actions sums {chunk} rewards: leave it at 1"
        )


class LoadedData(NamedTuple):
    """What a reader of files returns.

    Attributes:
        data: The steps.
        act_low: Smallest action, per dimension.
        act_high: Largest action, per dimension.
        task: Environment to evaluate in; ``None`` if it is unknown.
        sparse_task: For PointMaze, the environment of ``task`` with the sparse reward.
        moving_goal: Whether the stored rewards are for goals that move and that ``obs`` does not
            contain.
        obs_keys: Entries of dictionary observations that form ``obs``, in order; empty if the data
            have vectors.
        dictionaries: Whether the stored observations are dictionaries.
    """

    data: OfflineDataset
    act_low: NDArray[np.float32]
    act_high: NDArray[np.float32]
    task: Task | None = None
    sparse_task: Task | None = None
    moving_goal: bool = False
    obs_keys: tuple[str, ...] = ()
    dictionaries: bool = False
