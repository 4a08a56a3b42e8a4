"""The data module of offline data: it reads once and keeps one copy on the training device."""

from functools import cached_property

import lightning as L
import numpy as np
import torch

from oneleap.core.errors import InputError
from oneleap.core.training.loaders import Endless
from oneleap.core.training.seed import batch_generator
from oneleap.domains.rl.data import d4rl, minari
from oneleap.domains.rl.data.rewards import GoalDistanceReward, Reward, StoredReward
from oneleap.domains.rl.data.transitions import LoadedData, OfflineDataset, Transitions
from oneleap.domains.rl.envs.mazes import MAZES
from oneleap.domains.rl.envs.registration import POINTMAZE
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.spec import Spec


class OfflineData(L.LightningDataModule):
    """Transitions of a D4RL file or a Minari data set, sampled uniformly and without end.

    Batches contain the observations as they are stored. The policy normalizes them by the
    statistics in :attr:`spec`.

    Args:
        path: D4RL's ``.hdf5`` file, a Minari id such as ``D4RL/hopper/medium-v2``, or the folder of
            a Minari data set.
        env: Gymnasium id of the environment to evaluate in, if the data do not name it; ``none``
            trains without evaluation.
        reward: Reward to train on.
        gamma: Discount of future rewards.
        n_step: Number of rewards that are summed before the value. More than 1 carries values
            faster through the data, at the price of some bias towards the behavior that collected
            them.
        batch_size: Transitions per batch, on each process.
        normalize_obs: Whether the policy normalizes observations by their mean and standard
            deviation.
        clip_actions: Whether to clip actions outside the bounds of the action space instead of
            refusing them.
        seed: Seed of the batches.
    """

    def __init__(
        self,
        path: str,
        *,
        env: str | None = None,
        reward: Reward = StoredReward(),  # noqa: B008  (frozen)
        gamma: float = 0.99,
        n_step: int = 1,
        batch_size: int = 256,
        normalize_obs: bool = True,
        clip_actions: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size: {batch_size} is not positive")
        self.path, self.env, self.reward = path, env, reward
        self.gamma, self.n_step = gamma, n_step
        self.batch_size, self.normalize_obs = batch_size, normalize_obs
        self.clip_actions, self.seed = clip_actions, seed
        self._device = torch.device("cpu")

    @cached_property
    def _loaded(self) -> LoadedData:
        """The data under the chosen reward, on the CPU."""
        if self.path.endswith((".hdf5", ".h5")):
            loaded = d4rl.read_d4rl(self.path, self.env, self.clip_actions)
        else:
            loaded = minari.read_minari(self.path, self.clip_actions)
            if self.env is not None:
                task = None if self.env == "none" else Task(self.env)
                if task is not None:
                    task.check_sizes(self.path, loaded.data.obs.shape[1], loaded.data.act.shape[1])
                loaded = loaded._replace(task=task, sparse_task=None)
        if loaded.task is None and self.env != "none":
            raise InputError(
                f"{self.path} does not name its environment; set env to a Gymnasium id such as "
                "Hopper-v5, or to none to train without evaluation"
            )
        return self._relabel(loaded)

    def _relabel(self, loaded: LoadedData) -> LoadedData:
        """The data with the chosen reward, and the task with the same reward."""
        task, reward = loaded.task, self.reward
        if loaded.moving_goal and not isinstance(reward, GoalDistanceReward):
            raise InputError(
                f"{self.path}: its rewards are for moving goals, which the policy does not see; "
                "set reward to oneleap.domains.rl.GoalDistanceReward"
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

    @property
    def dataset(self) -> OfflineDataset:
        """All steps under the chosen reward, on the CPU."""
        return self._loaded.data

    @cached_property
    def spec(self) -> Spec:
        """Sizes, ranges and statistics of the data, which are read now if they were not before."""
        data, low, high = self._loaded.data, self._loaded.act_low, self._loaded.act_high
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
        )

    @cached_property
    def transitions(self) -> Transitions:
        """The transitions that are trained on, on the training device."""
        return self.dataset.to(self._device).transitions(self.gamma, self.n_step)

    def setup(self, stage: str) -> None:
        """Choose the training device. The data move there once, and no step transfers anything."""
        if self.trainer is not None:
            self._device = self.trainer.strategy.root_device

    def train_dataloader(self) -> Endless[Transitions]:
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
