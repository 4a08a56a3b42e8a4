"""The data module of offline data: it reads once and keeps one copy on the training device."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch

from oneleap.core.errors import InputError, require_positive
from oneleap.core.training.loaders import Endless, validation_split
from oneleap.core.training.seed import batch_generator
from oneleap.domains.rl.data import d4rl, minari, ogbench
from oneleap.domains.rl.data.files import is_steps_file
from oneleap.domains.rl.data.rewards import GoalDistanceReward, Reward, StoredReward
from oneleap.domains.rl.data.transitions import (
    LoadedData,
    OfflineDataset,
    Transitions,
    check_chunk,
)
from oneleap.domains.rl.envs.mazes import MAZES
from oneleap.domains.rl.envs.registration import POINTMAZE
from oneleap.domains.rl.envs.task import ENV_HINT, Task
from oneleap.domains.rl.spec import Spec

PAGE = "docs/howto/data-rl.md"
"""Page that says what data must hold; every refusal of data names it."""


UNSEEN = 0.05
"""Share of the episodes that are held out if there is no environment to evaluate in."""


@contextmanager
def naming_page() -> Iterator[None]:
    """Add :data:`PAGE` to the message of an error."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise InputError(text if PAGE in text else f"{text} (see {PAGE})") from None


class OfflineData(L.LightningDataModule):
    """Transitions of a D4RL file or a Minari data set, sampled uniformly and without end.

    Batches contain the observations as they are stored. The policy normalizes them by the
    statistics in :attr:`spec`.

    Args:
        path: HDF5 or npz file in D4RL's layout, npz file of OGBench, a Minari id such as
            ``D4RL/hopper/medium-v2``, or the folder of a Minari data set.
        env: Gymnasium id of the environment to evaluate in, if the data do not name it; ``none``
            trains without any and validates on held-out episodes. For data of OGBench, the task,
            such as ``cube-double-play-singletask-task1-v0``, which also gives the rewards.
        obs_keys: Entries of dictionary observations that form the observation, in order; by default
            all that are vectors. A notice names them.
        reward: Reward to train on.
        gamma: Discount of future rewards.
        n_step: Number of rewards that are summed before the value. More than 1 carries values
            faster through the data, at the price of some bias towards the behavior that collected
            them.
        chunk: Number of actions in a row that the policy chooses at once and takes without looking
            (Q-chunking). The value is then that of a chunk.
        batch_size: Transitions per batch, on each process.
        normalize_obs: Whether the policy normalizes observations by their mean and standard
            deviation.
        clip_actions: Whether to clip actions outside the bounds of the action space instead of
            refusing them.
        horizon: Largest number of steps of an episode, for files without ``timeouts``; by default
            that of the environment.
        validation: Share of the episodes that are held out; by default 0.05 if there is no
            environment and there are at least 20 episodes, else 0.
        seed: Seed of the batches and of the choice of held-out episodes.
    """

    def __init__(
        self,
        path: str,
        *,
        env: str | None = None,
        obs_keys: tuple[str, ...] = (),
        reward: Reward = StoredReward(),  # noqa: B008  (frozen)
        gamma: float = 0.99,
        n_step: int = 1,
        chunk: int = 1,
        batch_size: int = 256,
        normalize_obs: bool = True,
        clip_actions: bool = False,
        horizon: int | None = None,
        validation: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_positive(batch_size=batch_size, horizon=1 if horizon is None else horizon)
        if not 0 <= (validation or 0.0) < 1:
            raise InputError(f"validation: {validation} is not in [0, 1)")
        self.path, self.env, self.reward = path, env, reward
        self.obs_keys, self.horizon, self.validation = tuple(obs_keys), horizon, validation
        self._asked_keys = self.obs_keys  # online training takes those of its run instead
        self.arrays: Mapping[str, Any] | None = None
        check_chunk(chunk, n_step)
        self.gamma, self.n_step, self.chunk = gamma, n_step, chunk
        self.batch_size, self.normalize_obs = batch_size, normalize_obs
        self.clip_actions, self.seed = clip_actions, seed
        self._device = torch.device("cpu")

    @staticmethod
    def from_arrays(
        arrays: Mapping[str, Any],
        *,
        env: str | None = "none",
        obs_keys: tuple[str, ...] = (),
        reward: Reward = StoredReward(),  # noqa: B008  (frozen)
        gamma: float = 0.99,
        n_step: int = 1,
        chunk: int = 1,
        batch_size: int = 256,
        normalize_obs: bool = True,
        clip_actions: bool = False,
        horizon: int | None = None,
        validation: float | None = None,
        seed: int = 0,
    ) -> "OfflineData":
        """Make the data module from arrays in memory, by the names of D4RL's files.

        Args:
            arrays: ``observations`` (n, o), ``actions`` (n, a), ``rewards`` and ``terminals`` (n,),
                and perhaps ``next_observations``, ``timeouts`` and ``episode_terminals``.
                Observations may be dictionaries of arrays.
            env: Gymnasium id of the environment to evaluate in; ``none`` for none.
            obs_keys: See :class:`OfflineData`, as all that follow.
            reward: Reward to train on.
            gamma: Discount of future rewards.
            n_step: Number of rewards that are summed before the value.
            chunk: Number of actions that the policy chooses at once.
            batch_size: Transitions per batch.
            normalize_obs: Whether the policy normalizes observations.
            clip_actions: Whether to clip actions outside the bounds.
            horizon: Largest number of steps of an episode, without ``timeouts``.
            validation: Share of the episodes that are held out.
            seed: Seed of the batches.

        Returns:
            The data module. Faults of the arrays are found when its ``spec`` is asked for.
        """
        data = OfflineData(
            "arrays",
            env=env,
            obs_keys=obs_keys,
            reward=reward,
            gamma=gamma,
            n_step=n_step,
            chunk=chunk,
            batch_size=batch_size,
            normalize_obs=normalize_obs,
            clip_actions=clip_actions,
            horizon=horizon,
            validation=validation,
            seed=seed,
        )
        data.arrays = arrays
        return data

    @cached_property
    def _loaded(self) -> LoadedData:
        """The data under the chosen reward, on the CPU."""
        with naming_page():
            loaded = self._read()
            if loaded.task is None and self.env != "none":
                raise InputError(f"{self.path} does not name its environment; {ENV_HINT}")
            self._refuse_unused_keys(loaded)
            return self._relabel(loaded)

    def _read(self) -> LoadedData:
        """The data as they are stored, and the task, whose environment is known to fit them."""
        path = str(Path(self.path).expanduser())
        how = self.clip_actions, self.obs_keys
        if self.arrays is not None:
            return d4rl.load_arrays(path, self.arrays, self.env, "", *how, self.horizon)
        if ogbench.is_ogbench(path):
            return ogbench.read_ogbench(path, self.env, self.clip_actions)
        if is_steps_file(path):
            return d4rl.read_d4rl(path, self.env, *how, self.horizon)
        loaded = minari.read_minari(path, *how)
        task = loaded.task
        if self.env is not None:
            task = None if self.env == "none" else Task(self.env, obs_keys=loaded.obs_keys)
            loaded = loaded._replace(sparse_task=None)
        if task is not None:
            task = task.fitted(path, loaded.data.obs.shape[1], loaded.data.act.shape[1])
        return loaded._replace(task=task)

    def _refuse_unused_keys(self, loaded: LoadedData) -> None:
        """Refuse entries of observations where neither data nor environment have any."""
        task = loaded.task
        if not self._asked_keys or loaded.dictionaries or (task and task.has_entries()):
            return
        raise InputError(
            f"{self.path}: observations are vectors without entries such as "
            f"{self._asked_keys[0]!r}; leave out --data.obs_keys"
        )

    def _relabel(self, loaded: LoadedData) -> LoadedData:
        """The data with the chosen reward, and the task with the same reward."""
        task, reward = loaded.task, self.reward
        if loaded.moving_goal and not isinstance(reward, GoalDistanceReward):
            raise InputError(
                f"{self.path}: its rewards are for moving goals, which the policy does not see; "
                "set --data.reward oneleap.domains.rl.GoalDistanceReward"
            )
        if task is not None and task.env == POINTMAZE and isinstance(reward, GoalDistanceReward):
            maze = str(task.env_kwargs.get("maze", "umaze"))
            if not np.allclose(reward.goal, MAZES[maze].goal):
                raise InputError(
                    f"{self.path}: reward GoalDistanceReward has goal {reward.goal}, the "
                    f"environment's goal in {maze} is {MAZES[maze].goal}"
                )
            if not reward.dense and loaded.sparse_task is not None:
                task = loaded.sparse_task
        return loaded._replace(data=loaded.data.relabel(reward), task=task)

    @cached_property
    def _held_out(self) -> list[int]:
        """Indices of the held-out episodes. By default, few episodes are all trained on."""
        share, episodes = self.validation, len(self._loaded.data.bounds) - 1
        if share is None:
            share = 0.0 if self._loaded.task or episodes * UNSEEN < 1 else UNSEEN
        return validation_split(episodes, share, self.seed) if share > 0 else []

    @cached_property
    def dataset(self) -> OfflineDataset:
        """All steps that are trained on, under the chosen reward, on the CPU."""
        data, held_out = self._loaded.data, self._held_out
        return data.without(held_out) if held_out else data

    @cached_property
    def held_out(self) -> OfflineDataset | None:
        """The steps of the held-out episodes, on the CPU; ``None`` if there are none."""
        return self._loaded.data.only(self._held_out) if self._held_out else None

    @cached_property
    def spec(self) -> Spec:
        """Sizes, ranges and statistics of the data, which are read now if they were not before."""
        data, low, high = self.dataset, self._loaded.act_low, self._loaded.act_high
        obs_dim, act_dim = data.obs.shape[1], data.act.shape[1]
        mean, std = (0.0,) * obs_dim, (1.0,) * obs_dim
        if self.normalize_obs:
            mean, std = (tuple(moment.tolist()) for moment in data.moments())
        return Spec(
            obs_dim=obs_dim,
            act_dim=act_dim,
            obs_mean=mean,
            obs_std=std,
            act_low=tuple(low.tolist()),
            act_high=tuple(high.tolist()),
            task=self._loaded.task,
            obs_keys=self._loaded.obs_keys,
            chunk=self.chunk,
        )

    @cached_property
    def transitions(self) -> Transitions:
        """The transitions that are trained on, on the training device."""
        data = self.dataset.to(self._device)
        return data.transitions(self.gamma, self.n_step, self.chunk)

    def setup(self, stage: str) -> None:
        """Choose the training device. The data move there once, and no step transfers anything."""
        if self.trainer is not None:
            self._device = self.trainer.strategy.root_device

    def train_dataloader(self) -> Endless[Any]:
        """Endless batches, each a function of the seed and the gradient step alone."""
        return Endless(self, self.batch, rows=self.rows)

    def batch(self, step: int, rank: int = 0) -> Transitions:
        """The batch of a gradient step, on the process of the given rank."""
        table = self.transitions
        generator = batch_generator(self.seed, step, rank, table.obs.device)
        return table.sample(self.batch_size, generator)

    def rows(self, step: int, rank: int = 0) -> list[int]:
        """The rows of the data in the batch of a gradient step."""
        table = self.transitions
        generator = batch_generator(self.seed, step, rank, table.obs.device)
        rows: list[int] = table.draw_rows(self.batch_size, generator).tolist()
        return rows
