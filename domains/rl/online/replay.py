"""Collection of new transitions with a policy, and a buffer of the latest of them."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.training.seed import episode_seed
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.observations import observation_vector
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.spec import Spec

Array = NDArray[np.float32]


class Step(NamedTuple):
    """One row of :class:`oneleap.domains.rl.data.transitions.Transitions`, in numpy.

    Attributes:
        obs: Observation before the step.
        act: Action.
        reward: Discounted sum of rewards.
        next_obs: Observation after the last of the summed rewards.
        discount: Factor on the value of ``next_obs``.
        valid: Which actions of a chunk were taken in the episode; ``None`` without chunks.
    """

    obs: Array
    act: Array
    reward: float
    next_obs: Array
    discount: float
    valid: NDArray[np.bool_] | None = None


class Collector:
    """Runs one episode after another, and returns steps with their ``n_step``-step returns.

    The seed of an episode follows from ``seed`` and its number. A step is returned once its return
    is known: ``n_step - 1`` steps later, or at the end of its episode. With ``chunk`` > 1 its
    action has the actions of ``chunk`` steps, and its return their rewards, as in
    :meth:`oneleap.domains.rl.data.transitions.OfflineDataset.transitions`.

    Args:
        task: The task.
        gamma: Discount of future rewards.
        n_step: Number of rewards that are summed before the value.
        reward: Maps a reward of the environment to one of the data.
        seed: Seed of the episodes.
        episodes: Number of the first episode.
        chunk: Number of actions in a row that count as one action.

    Attributes:
        taken: Actions of the episode that runs, in order.
    """

    def __init__(
        self,
        task: Task,
        gamma: float,
        n_step: int,
        reward: Callable[[float], float],
        seed: int,
        episodes: int = 0,
        chunk: int = 1,
    ) -> None:
        self.gamma, self.reward, self.seed = gamma, reward, seed
        self.n_step, self.chunk = max(n_step, chunk), chunk
        self.env = task.make(disable_env_checker=True)
        self.episodes, self.total_reward = episodes, 0.0
        self.obs: Array | None = None
        self.taken: list[Array] = []
        self.pending: deque[tuple[Array, Array, float]] = deque()

    def step(self, act: Callable[[Array], Array]) -> tuple[list[Step], float | None]:
        """Take one step in the environment.

        Args:
            act: The policy, for one observation.

        Returns:
            The steps whose return is now known, and the return of the episode if it ends.
        """
        if self.obs is None:
            start = self.env.reset(seed=episode_seed(self.seed, self.episodes))[0]
            self.obs, self.taken = observation_vector(start), []
            self.episodes, self.total_reward = self.episodes + 1, 0.0
        action = np.asarray(act(self.obs), np.float32)
        self.taken.append(action)
        next_obs, reward, terminated, truncated, _ = self.env.step(action)
        self.pending.append((self.obs, action, self.reward(float(reward))))
        self.obs = observation_vector(next_obs)
        self.total_reward += float(reward)
        over = bool(terminated or truncated)
        done = []
        while self.pending and (over or len(self.pending) == self.n_step):
            done.append(self._pop_oldest(self.obs, 0.0 if terminated else 1.0))
        if not over:
            return done, None
        self.obs, self.taken = None, []
        return done, self.total_reward

    def resume(self, taken: Sequence[Array]) -> None:
        """Continue the last episode: its actions are taken again from its start.

        Args:
            taken: The actions of the episode so far; none if no episode runs.
        """
        if not len(taken):
            return
        self.episodes -= 1
        actions = iter(taken)
        for _ in taken:
            self.step(lambda _: next(actions))

    def _pop_oldest(self, next_obs: Array, alive: float) -> Step:
        """Remove the oldest pending step; its return sums all pending rewards."""
        total = sum(self.gamma**i * reward for i, (_, _, reward) in enumerate(self.pending))
        discount = self.gamma ** len(self.pending) * alive
        taken = len(self.pending)
        acts = [act for _, act, _ in self.pending][: self.chunk]
        obs, act, _ = self.pending.popleft()
        if self.chunk == 1:
            return Step(obs, act, total, next_obs, discount)
        chunk = np.concatenate(acts + acts[-1:] * (self.chunk - taken))
        return Step(obs, chunk, total, next_obs, discount, np.arange(self.chunk) < taken)


class ReplayBuffer:
    """The latest ``capacity`` steps that were collected, on one device.

    Args:
        capacity: Largest number of steps.
        spec: Sizes of observations and actions.
        device: Training device.
    """

    def __init__(self, capacity: int, spec: Spec, device: torch.device) -> None:
        self.capacity, self.added = capacity, 0
        obs, act = (torch.zeros(capacity, n, device=device) for n in (spec.obs_dim, spec.chunk_dim))
        one = torch.zeros(capacity, device=device)
        self.rows = Transitions(obs, act, one, obs.clone(), one.clone())
        if spec.chunk > 1:
            valid = torch.zeros(capacity, spec.chunk, dtype=torch.bool, device=device)
            self.rows = self.rows._replace(valid=valid)

    def _columns(self) -> list[Tensor]:
        """The columns in use, in the order of :class:`Step`."""
        return [c for c in self.rows if c is not None]

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, step: Step) -> None:
        """Store a step; if the buffer is full, it replaces the oldest."""
        row = self.added % self.capacity
        values = (value for value in step if value is not None)
        for column, value in zip(self._columns(), values, strict=True):
            column[row] = torch.as_tensor(value)
        self.added += 1

    def sample(self, n: int, generator: torch.Generator) -> Transitions:
        """Draw ``n`` steps uniformly, with replacement."""
        stored = Transitions(*(column[: len(self)] for column in self.rows[:5]))
        if self.rows.valid is not None:
            stored = stored._replace(valid=self.rows.valid[: len(self)])
        sampled = stored.sample(n, generator)
        # Next actions would be those of the policy itself, so they are not stored.
        return sampled._replace(next_act=torch.full_like(sampled.act, torch.nan))

    def state_dict(self) -> dict[str, Any]:
        """Return all stored steps, for a checkpoint."""
        return {"added": self.added, "rows": [c[: len(self)] for c in self._columns()]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the steps of a checkpoint.

        Raises:
            InputError: The capacity is smaller than the number of its steps.
        """
        n = len(state["rows"][0])
        if n > self.capacity or (n < state["added"] and n != self.capacity):
            raise InputError(f"capacity: {self.capacity}, but the checkpoint has another capacity")
        for column, stored in zip(self._columns(), state["rows"], strict=True):
            column[:n] = stored.to(column)
        self.added = state["added"]
