"""Recordings of random actions or of an expert, in blocks of steps, in D4RL's layout."""

from dataclasses import dataclass

import numpy as np

from oneleap.core.training.seed import episode_seed
from oneleap.domains.rl.demonstrators.adroit import read_policy
from oneleap.domains.rl.demonstrators.blocks import Columns, Record
from oneleap.domains.rl.demonstrators.episodes import collect_episodes, episode_columns
from oneleap.domains.rl.demonstrators.sb3 import Array, Demonstrator
from oneleap.domains.rl.envs.task import Task

BLOCK = 10_000
"""Steps of a block, rounded up to whole episodes of full length."""


@dataclass(frozen=True)
class StepsRecording:
    """Settings of a recording.

    Attributes:
        task: Environment, as JSON.
        steps: Number of steps of all episodes together.
        limit: Largest number of steps of an episode.
        seed: Seed of everything.
        policy: File of an expert, see :mod:`oneleap.domains.rl.demonstrators.adroit`; empty for
            random actions.
    """

    task: str
    steps: int
    limit: int
    seed: int
    policy: str = ""

    @property
    def block(self) -> int:
        """Steps of a block."""
        return -(-BLOCK // self.limit) * self.limit

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.steps // self.block)

    def __call__(self) -> Record:
        """Make the environment; the result records a block of episodes, the last of which is cut.

        Random actions are those of the action space, as in D4RL's ``random`` sets.
        """
        env = Task.from_json(self.task).make(disable_env_checker=True)
        expert = read_policy(self.policy) if self.policy else None

        def actor(seed: int) -> Demonstrator:
            if expert is None:
                env.action_space.seed(seed)
                return lambda obs: env.action_space.sample()
            rng = np.random.default_rng(seed)

            def act(obs: Array) -> Array:
                return expert.act(obs, rng)

            return act

        def record(block: int) -> Columns:
            steps = min(self.block, self.steps - block * self.block)
            act = actor(episode_seed(self.seed, block, 0))
            seed = episode_seed(self.seed, block, 1)
            return episode_columns(list(collect_episodes(env, act, steps, seed)))

        return record
