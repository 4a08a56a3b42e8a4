"""The data module of online training: batches of offline data and of newly collected steps."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from oneleap.core.errors import InputError
from oneleap.core.hub.config import class_path
from oneleap.core.training.loaders import Endless
from oneleap.core.training.module import trained_model
from oneleap.core.training.run import find_model, read_run_config
from oneleap.core.training.seed import batch_generator
from oneleap.domains.rl.algorithms.chunks import ActionQueue
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.rewards import (
    GoalDistanceReward,
    Reward,
    SparseTaskReward,
    StoredReward,
)
from oneleap.domains.rl.data.transitions import LoadedData, Transitions, check_chunk
from oneleap.domains.rl.online.replay import Array, Collector, ReplayBuffer
from oneleap.domains.rl.spec import Spec


class OnlineData(OfflineData):
    """Offline data and new steps; before each batch, the policy takes ``env_steps`` steps.

    A share of each batch comes from the offline data, the rest from the new steps: symmetric
    sampling (Ball et al. 2023, arXiv 2302.02948, Sec. 4.1). Training starts from the weights of a
    run, normalizes observations by the statistics of that run, and uses its environment.

    A run is a function of its seed. A run that was killed resumes with all its new steps, which are
    part of its checkpoints. Environments cannot be saved: the episode is played again from its
    start, with the actions that were taken. If the environment follows from its seed and the
    actions, the run continues as one that was not killed.

    Args:
        path: Offline data, see :class:`OfflineData`.
        run: Folder of the run to continue, or of its model.
        obs_keys: Entries of dictionary observations in the data; by default those of the run.
        reward: Reward to train on. New rewards are converted in the same way as those of the data.
        gamma: Discount of future rewards.
        n_step: Number of rewards that are summed before the value.
        batch_size: Transitions per batch.
        offline_share: Share of a batch that comes from the offline data, in [0, 1].
        env_steps: Environment steps before each gradient step.
        first_steps: Environment steps before the first gradient step.
        capacity: Largest number of new steps that are kept.
        clip_actions: Whether to clip actions of the data outside their bounds instead of refusing
            them.
        seed: Seed of the batches and the episodes.
    """

    def __init__(
        self,
        path: str,
        run: str,
        *,
        obs_keys: tuple[str, ...] = (),
        reward: Reward = StoredReward(),  # noqa: B008  (frozen)
        gamma: float = 0.99,
        n_step: int = 1,
        batch_size: int = 256,
        offline_share: float = 0.5,
        env_steps: int = 1,
        first_steps: int = 1000,
        capacity: int = 1_000_000,
        clip_actions: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(
            path,
            env="none",
            obs_keys=obs_keys,
            reward=reward,
            gamma=gamma,
            n_step=n_step,
            batch_size=batch_size,
            clip_actions=clip_actions,
            validation=0.0,
            seed=seed,
        )
        if not 0 <= offline_share <= 1:
            raise InputError(f"offline_share: {offline_share} is not in [0, 1]")
        if min(env_steps, first_steps, capacity) < 1:
            raise InputError("env_steps, first_steps and capacity must be positive")
        self.run, self.offline_share, self.env_steps = run, offline_share, env_steps
        self.first_steps, self.capacity = first_steps, capacity
        self._checkpoint: dict[str, Any] | None = None

    @cached_property
    def _initial_policy(self) -> Policy:
        """The policy of the run to continue."""
        return Policy.from_pretrained(find_model(Path(self.run)).model)

    def _read(self) -> LoadedData:
        """The data, with the entries of dictionary observations of the run."""
        if not self.obs_keys and Path(self.run).is_dir():
            self.obs_keys = self._initial_policy.spec.obs_keys
        return super()._read()

    @cached_property
    def spec(self) -> Spec:
        """Sizes, ranges and statistics of the run.

        Raises:
            InputError: The run has no environment, or the data have other sizes.
        """
        spec, data = self._initial_policy.spec, self.dataset
        if spec.task is None:
            raise InputError(
                f"{self.run}: trained without an environment, so it cannot continue in one"
            )
        sizes = data.obs.shape[1], data.act.shape[1]
        if sizes != (spec.obs_dim, spec.act_dim):
            raise InputError(
                f"{self.run}: has {spec.obs_dim} observations and {spec.act_dim} actions, "
                f"{self.path} has {sizes[0]} and {sizes[1]}"
            )
        check_chunk(spec.chunk, self.n_step)
        self.chunk = spec.chunk
        return spec

    @cached_property
    def replay(self) -> ReplayBuffer:
        """The new steps, on the training device."""
        replay = ReplayBuffer(self.capacity, self.spec, self._device)
        if self._checkpoint is not None:
            replay.load_state_dict(self._checkpoint["replay"])
        return replay

    def reward_transform(self) -> Callable[[float], float]:
        """The map from a reward of the environment to one of the data.

        It is affine, because both are affine functions of the stored reward, unless that is only
        compared with 0. The environment of PointMaze has the reward of its data.
        """
        if isinstance(self.reward, SparseTaskReward):
            return lambda reward: -float(reward != 0)
        if isinstance(self.reward, StoredReward | GoalDistanceReward):
            return lambda reward: reward
        # The data are relabeled already: read the stored rewards again.
        stored = OfflineData(self.path, env="none", clip_actions=self.clip_actions, validation=0.0)
        stored.obs_keys = self.obs_keys
        raw = stored.dataset.reward
        new, low, high = self.dataset.reward, int(raw.argmin()), int(raw.argmax())
        x0, x1, y0, y1 = (float(x) for x in (raw[low], raw[high], new[low], new[high]))
        slope = (y1 - y0) / (x1 - x0) if x1 > x0 else 1.0
        return lambda reward: y0 + slope * (reward - x0)

    def setup(self, stage: str) -> None:
        """Move the data to the training device, and load the weights of the run.

        Raises:
            InputError: The model in training does not fit that of the run.
        """
        super().setup(stage)
        if stage != "fit" or self.trainer is None:
            return
        if self.trainer.world_size > 1:
            raise InputError(
                "OnlineData collects in one process, and its checkpoints hold the steps of one: "
                "set --trainer.devices 1"
            )
        model = trained_model(self.trainer.lightning_module)
        if type(model) is not type(self._initial_policy):
            kinds = type(self._initial_policy).__name__, type(model).__name__
            raise InputError(
                f"{self.run} holds a {kinds[0]}, the configuration trains a {kinds[1]}"
            )
        assert isinstance(model, Policy)
        self._check_rewards()
        self._check_networks(model)
        try:
            model.load_state_dict(self._initial_policy.state_dict())
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise InputError(f"{self.run}: its weights have other sizes: {reason}") from None

    def _check_networks(self, model: Policy) -> None:
        """Compare the settings of the networks that the sizes of their weights do not show.

        Raises:
            InputError: The run was trained with others.
        """
        for name in ("critic_config.layer_norm", "residual"):
            before, now = (str(_setting(p, name)).lower() for p in (self._initial_policy, model))
            if before != now:
                raise InputError(
                    f"{self.run} was trained with {name} {before}, the configuration has {now}: "
                    f"--model.{name} {before}"
                )

    def _check_rewards(self) -> None:
        """Compare reward and discount, because they determine the scale of the values.

        Raises:
            InputError: The run was trained on others.
        """
        folder = find_model(Path(self.run)).run
        if folder is None:  # a model alone does not contain them
            return
        arguments = read_run_config(folder)["data"]["init_args"]
        reward = (arguments.get("reward") or {}).get("class_path") or class_path(StoredReward)
        gamma = arguments.get("gamma", self.gamma)
        for name, before, now in (
            ("reward", reward, class_path(type(self.reward))),
            ("gamma", gamma, self.gamma),
        ):
            if before != now:
                raise InputError(
                    f"{self.run} was trained with data.{name} {before}, the configuration has "
                    f"{now}: --data.{name} {before}"
                )

    def train_dataloader(self) -> Endless[Any]:
        """Endless numbers of gradient steps; each becomes a batch when its step begins.

        Lightning asks for a batch before the step that precedes it. The policy would act with
        weights that are one step old, and a checkpoint would hold steps of the next batch.
        """
        return Endless(self, lambda step, rank: step)

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Collect steps, then draw the batch of a gradient step."""
        return self.collect(batch) if isinstance(batch, int) else batch

    def collect(self, step: int) -> Transitions:
        """Collect steps with the policy in training, then draw a batch.

        Args:
            step: Number of the gradient step.

        Returns:
            Offline transitions and new ones.
        """
        assert self.trainer is not None
        policy = trained_model(self.trainer.lightning_module)
        assert isinstance(policy, Policy)
        replay, offline, collector = self.replay, self.transitions, self._collector
        generator = batch_generator(self.seed, step, 0, offline.obs.device)

        def plan(obs: Array) -> Array:
            return policy.plan(obs, num_action_samples=1, generator=generator)

        wanted = self.env_steps if len(replay) else self.first_steps + collector.n_step
        for _ in range(wanted):
            steps, episode_return = collector.step(lambda obs: self._queue.next(obs, plan))
            for row in steps:
                replay.add(row)
            if episode_return is not None:
                self._queue.clear()
                for logger in self.trainer.loggers:
                    logger.log_metrics({"online/return": episode_return}, step)
        n_offline = round(self.offline_share * self.batch_size)
        parts = (
            offline.sample(n_offline, generator),
            replay.sample(self.batch_size - n_offline, generator),
        )
        return joined(*parts)

    @cached_property
    def _collector(self) -> Collector:
        """What plays; in a resumed run, it is where it was."""
        task, saved = self.spec.task, self._checkpoint or {}
        assert task is not None
        collector = Collector(
            task,
            self.gamma,
            self.n_step,
            self.reward_transform(),
            self.seed,
            saved.get("episodes", 0),
            self.spec.chunk,
        )
        collector.resume([action.numpy() for action in saved.get("taken", ())])
        return collector

    @cached_property
    def _queue(self) -> ActionQueue:
        """The planned actions of the episode that runs."""
        queue = ActionQueue(self.spec.chunk)
        queue.load_state_dict((self._checkpoint or {}).get("planned", {}))
        return queue

    def state_dict(self) -> dict[str, Any]:
        """Return the new steps and the episode that runs, for a checkpoint."""
        return {
            "replay": self.replay.state_dict(),
            "episodes": self._collector.episodes,
            "taken": [torch.from_numpy(action) for action in self._collector.taken],
            "planned": self._queue.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the new steps and the episode that ran."""
        self._checkpoint = state
        for name in ("replay", "_collector", "_queue"):
            vars(self).pop(name, None)


def _setting(policy: Policy, name: str) -> object:
    """An attribute of a policy by its dotted name; ``False`` if it has none."""
    value: object = policy
    for part in name.split("."):
        value = getattr(value, part, False)
    return value


def joined(one: Transitions, other: Transitions) -> Transitions:
    """The transitions of two batches, in order; columns that either lacks are left out."""
    rows = Transitions(*(torch.cat(pair) for pair in zip(one[:5], other[:5], strict=True)))
    if one.next_act is not None and other.next_act is not None:
        rows = rows._replace(next_act=torch.cat([one.next_act, other.next_act]))
    if one.valid is not None and other.valid is not None:
        rows = rows._replace(valid=torch.cat([one.valid, other.valid]))
    return rows
