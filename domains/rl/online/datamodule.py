"""From offline to online: a run goes on in its environment, on old and fresh steps together."""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml

from oneleap.core.errors import InputError
from oneleap.core.hub.config import class_path
from oneleap.core.training.callbacks import CONFIG
from oneleap.core.training.loaders import Endless
from oneleap.core.training.seed import batch_generator
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.transitions import StoredReward, GoalDistanceReward, Reward, Transitions
from oneleap.domains.rl.envs.task import Spec
from oneleap.domains.rl.online.replay import Array, Collector, ReplayBuffer


class OnlineData(OfflineData):
    """Batches of old and fresh steps; before each, the present policy plays ``env_steps`` steps.

    A share of each batch is drawn from the offline data, the rest from what was played: symmetric
    sampling (Ball et al. 2023, arXiv 2302.02948, Sec. 4.1). Training starts from the weights of a
    run, under the statistics of its observations, in its environment.

    A function of the seed. A run that was killed goes on with all fresh steps, which are part of
    its checkpoints, but from the start of a new episode, since environments cannot be saved: what
    follows differs from the run that was not killed.

    Args:
        path: See :class:`OfflineData`.
        run: Folder of the run that goes on, or of its model.
        reward: See :class:`OfflineData`; fresh rewards are changed as those of the data are.
        gamma: Discount of future rewards.
        n_step: Steps of reward before the value takes over.
        batch_size: Steps per batch.
        offline_share: Of a batch, from 0 to 1.
        env_steps: Played before each gradient step.
        first_steps: Played before the first, without training.
        capacity: Fresh steps that are kept.
        clip_actions: Clip actions of the data that leave their bounds, else refuse them.
        seed: Of the draws and the episodes.
    """

    def __init__(
        self,
        path: str,
        run: str,
        *,
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
            reward=reward,
            gamma=gamma,
            n_step=n_step,
            batch_size=batch_size,
            clip_actions=clip_actions,
            seed=seed,
        )
        if not 0 <= offline_share <= 1:
            raise InputError(f"offline_share: {offline_share} is no share")
        if min(env_steps, first_steps, capacity) < 1:
            raise InputError("env_steps, first_steps and capacity must be positive")
        self.run, self.offline_share, self.env_steps = run, offline_share, env_steps
        self.first_steps, self.capacity = first_steps, capacity
        self.episodes = 0
        self._stored: dict[str, Any] | None = None

    @cached_property
    def _start(self) -> Policy:
        """The policy that goes on."""
        folder = Path(self.run)
        return Policy.from_pretrained(folder / "model" if (folder / "model").is_dir() else folder)

    @cached_property
    def spec(self) -> Spec:
        """That of the run.

        Raises:
            InputError: If it has no environment, or the data are of other sizes.
        """
        spec, data = self._start.spec, self.dataset
        if spec.task is None:
            raise InputError(f"{self.run}: trained without an environment, it cannot go on in one")
        sizes = data.obs.shape[1], data.act.shape[1]
        if sizes != (spec.obs_dim, spec.act_dim):
            raise InputError(
                f"{self.run}: of {spec.obs_dim} observations and {spec.act_dim} actions, "
                f"{self.path} has {sizes[0]} and {sizes[1]}"
            )
        return spec

    @cached_property
    def replay(self) -> ReplayBuffer:
        """The fresh steps, on the training device."""
        replay = ReplayBuffer(self.capacity, self.spec, self._device)
        if self._stored is not None:
            replay.load_state_dict(self._stored)
        return replay

    def reward_transform(self) -> Callable[[float], float]:
        """From the environment's reward to the data's, both of which are affine in the stored one.

        PointMaze's environment has the very reward that its data are given.
        """
        if isinstance(self.reward, StoredReward | GoalDistanceReward):
            return lambda reward: reward
        # Relabelling again what was relabelled would not do: read the file's own rewards.
        raw = OfflineData(self.path, env="none", clip_actions=self.clip_actions).dataset.reward
        new, low, high = self.dataset.reward, int(raw.argmin()), int(raw.argmax())
        x0, x1, y0, y1 = (float(x) for x in (raw[low], raw[high], new[low], new[high]))
        slope = (y1 - y0) / (x1 - x0) if x1 > x0 else 1.0
        return lambda reward: y0 + slope * (reward - x0)

    def setup(self, stage: str) -> None:
        """Put the data, and the run's weights, where they belong.

        Raises:
            InputError: If the model that is trained is another than the run's.
        """
        super().setup(stage)
        model = self.trainer and self.trainer.lightning_module
        if stage != "fit" or model is None:
            return
        if type(model) is not type(self._start):
            kinds = type(self._start).__name__, type(model).__name__
            raise InputError(
                f"{self.run} holds a {kinds[0]}, the configuration trains a {kinds[1]}"
            )
        self._refuse_other_rewards()
        # LayerNorm has no weights that would not fit; those of a residual have other names.
        for name in ("layer_norm", "residual"):
            kept, asked = (str(getattr(p, name, False)).lower() for p in (self._start, model))
            if kept != asked:
                raise InputError(
                    f"{self.run} was trained with {name} {kept}, the configuration has {asked}: "
                    f"--model.{name} {kept}"
                )
        try:
            model.load_state_dict(self._start.state_dict())
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise InputError(f"{self.run}: its weights have other sizes: {reason}") from None

    def _refuse_other_rewards(self) -> None:
        """Values of one scale do not go on in another.

        Raises:
            InputError: If the run was trained on another reward or discount.
        """
        file = Path(self.run) / CONFIG
        if not file.is_file():  # a model alone does not tell
            return
        kept = yaml.safe_load(file.read_text(encoding="utf-8"))["data"]["init_args"]
        reward = (kept.get("reward") or {}).get("class_path") or class_path(StoredReward)
        gamma = kept.get("gamma", self.gamma)
        for name, theirs, ours in (
            ("reward", reward, class_path(type(self.reward))),
            ("gamma", gamma, self.gamma),
        ):
            if theirs != ours:
                raise InputError(
                    f"{self.run} was trained with data.{name} {theirs}, the configuration has "
                    f"{ours}: --data.{name} {theirs}"
                )

    def train_dataloader(self) -> "OnlineBatches":
        """Endless batches."""
        return OnlineBatches(self)

    def state_dict(self) -> dict[str, Any]:
        """The fresh steps and the number of episodes begun."""
        return {"replay": self.replay.state_dict(), "episodes": self.episodes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See :meth:`state_dict`."""
        self._stored, self.episodes = state["replay"], state["episodes"]
        vars(self).pop("replay", None)


class OnlineBatches(Endless[Transitions]):
    """Plays, then draws; see :class:`OnlineData`.

    Args:
        data: Whose policy plays.
    """

    def __init__(self, data: OnlineData) -> None:
        super().__init__(data, data.batch)
        self.online = data

    def __iter__(self) -> Iterator[Transitions]:
        data, trainer = self.online, self.online.trainer
        assert trainer is not None
        policy, old, fresh, task = (
            trainer.lightning_module,
            data.transitions,
            data.replay,
            data.spec.task,
        )
        assert isinstance(policy, Policy)
        assert task is not None
        players = Collector(
            task, data.gamma, data.n_step, data.reward_transform(), data.seed, data.episodes
        )
        step, device = trainer.global_step, old.obs.device
        n_old = round(data.offline_share * data.batch_size)
        while True:
            generator = batch_generator(data.seed, step, 0, device)

            def act(obs: Array, generator: torch.Generator = generator) -> Array:
                return policy.act(obs, num_action_samples=1, generator=generator)

            wanted = data.env_steps if len(fresh) else data.first_steps + data.n_step
            for _ in range(wanted):
                steps, returned = players.step(act)
                data.episodes = players.episodes
                for row in steps:
                    fresh.add(row)
                if returned is not None:
                    for logger in trainer.loggers:
                        logger.log_metrics({"online/return": returned}, step)
            parts = old.sample(n_old, generator), fresh.sample(data.batch_size - n_old, generator)
            pairs = ((a, b) for a, b in zip(*parts, strict=True) if a is not None and b is not None)
            yield Transitions(*(torch.cat(pair) for pair in pairs))
            step += 1
