"""Fresh steps: played by a policy, episode after episode, and the latest of them kept."""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Spec, Task
from oneleap.domains.rl.evaluation.plots import observation_vector
from oneleap.domains.rl.evaluation.rollouts import episode_seed

Array = NDArray[np.float32]


class Step(NamedTuple):
    """One row of :class:`Transitions`, in numpy."""

    obs: Array
    act: Array
    reward: float
    next_obs: Array
    discount: float


class Collector:
    """Plays one episode after another, and hands out steps with their ``n_step``-step returns.

    Episode k starts from a seed made of ``seed`` and k. A step is handed out once its return is
    known: ``n_step - 1`` steps later, or at the end of its episode.

    Args:
        task: Where.
        gamma: Discount.
        n_step: Steps of reward before the value takes over.
        reward: From the environment's reward to that of the data.
        seed: Of the episodes.
        episodes: Number of the first episode.
    """

    def __init__(
        self,
        task: Task,
        gamma: float,
        n_step: int,
        reward: Callable[[float], float],
        seed: int,
        episodes: int = 0,
    ) -> None:
        self.gamma, self.n_step, self.reward, self.seed = gamma, n_step, reward, seed
        self.env = task.make(disable_env_checker=True)
        self.episodes, self.returned = episodes, 0.0
        self.obs: Array | None = None
        self.pending: deque[tuple[Array, Array, float]] = deque()

    def step(self, act: Callable[[Array], Array]) -> tuple[list[Step], float | None]:
        """Play one step: the steps that it completes, and the return of an episode it ends."""
        if self.obs is None:
            self.obs = observation_vector(self.env.reset(seed=episode_seed(self.seed, self.episodes))[0])
            self.episodes, self.returned = self.episodes + 1, 0.0
        action = np.asarray(act(self.obs), np.float32)
        seen, reward, terminated, truncated, _ = self.env.step(action)
        self.pending.append((self.obs, action, self.reward(float(reward))))
        self.obs, self.returned = observation_vector(seen), self.returned + float(reward)
        over = bool(terminated or truncated)
        done = []
        while self.pending and (over or len(self.pending) == self.n_step):
            done.append(self._first(self.obs, 0.0 if terminated else 1.0))
        if not over:
            return done, None
        self.obs = None
        return done, self.returned

    def _first(self, next_obs: Array, alive: float) -> Step:
        """Take the oldest pending step, its return summed up to the newest."""
        total = sum(self.gamma**i * reward for i, (_, _, reward) in enumerate(self.pending))
        discount = self.gamma ** len(self.pending) * alive
        obs, act, _ = self.pending.popleft()
        return Step(obs, act, total, next_obs, discount)


class ReplayBuffer:
    """The latest ``capacity`` fresh steps, on one device.

    Args:
        capacity: Steps.
        spec: Sizes.
        device: Where training happens.
    """

    def __init__(self, capacity: int, spec: Spec, device: torch.device) -> None:
        self.capacity, self.added = capacity, 0
        obs, act = (torch.zeros(capacity, n, device=device) for n in (spec.obs_dim, spec.act_dim))
        one = torch.zeros(capacity, device=device)
        self.rows = Transitions(obs, act, one, obs.clone(), one.clone())

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, step: Step) -> None:
        """Keep a step, in place of the oldest if need be."""
        row = self.added % self.capacity
        for column, value in zip(self.rows[:5], step, strict=True):
            column[row] = torch.as_tensor(value)
        self.added += 1

    def sample(self, n: int, generator: torch.Generator) -> Transitions:
        """Draw ``n`` steps uniformly, with replacement."""
        kept = Transitions(*(column[: len(self)] for column in self.rows[:5]))
        drawn = kept.sample(n, generator)
        # What the behaviour did next is the policy's own doing, and not kept.
        return drawn._replace(next_act=torch.full_like(drawn.act, torch.nan))

    def state_dict(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return {"added": self.added, "rows": [column[: len(self)] for column in self.rows[:5]]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See :meth:`state_dict`.

        Raises:
            InputError: If the capacity has become smaller than what was kept.
        """
        n = len(state["rows"][0])
        if n > self.capacity or (n < state["added"] and n != self.capacity):
            raise InputError(f"capacity: {self.capacity}, but the checkpoint was of another")
        for column, stored in zip(self.rows[:5], state["rows"], strict=True):
            column[:n] = stored.to(column)
        self.added = state["added"]
