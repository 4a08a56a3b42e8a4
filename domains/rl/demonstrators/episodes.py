"""Collection of whole episodes with a demonstrator."""

from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium
import numpy as np
from minari.data_collector import EpisodeBuffer
from numpy.typing import NDArray

from oneleap.core.training.seed import episode_seed
from oneleap.domains.rl.demonstrators.sb3 import Demonstrator


def collect_episodes(
    env: gymnasium.Env[Any, Any], act: Demonstrator, steps: int, seed: int
) -> Iterator[EpisodeBuffer]:
    """Run whole episodes. The last one is cut when ``steps`` are reached.

    Args:
        env: The environment.
        act: The demonstrator.
        steps: Number of steps of all episodes together.
        seed: Each episode has a seed of its own that follows from this one.

    Yields:
        Episodes in Minari's form.
    """
    left, k = steps, 0
    while left > 0:
        obs = [env.reset(seed=episode_seed(seed, k))[0]]
        actions, rewards, terminals = [], [], []
        over = False
        while not over:
            actions.append(act(np.asarray(obs[-1], np.float32)))
            next_obs, reward, terminated, truncated, _ = env.step(actions[-1])
            obs.append(next_obs)
            rewards.append(float(reward))
            terminals.append(bool(terminated))
            left -= 1
            over = bool(terminated or truncated) or left == 0
        cut = np.zeros(len(actions), bool)
        cut[-1] = not terminals[-1]
        yield EpisodeBuffer(
            id=k,
            observations=np.array(obs),
            actions=np.array(actions),
            rewards=np.array(rewards),
            terminations=np.array(terminals),
            truncations=cut,
        )
        k += 1


def episode_columns(episodes: Sequence[EpisodeBuffer]) -> dict[str, NDArray[Any]]:
    """Join episodes to the arrays of D4RL's files, with next observations.

    Args:
        episodes: Episodes in Minari's form.

    Returns:
        Arrays by D4RL's names; numbers have 32 bits.
    """
    columns: dict[str, list[Any]] = {
        "observations": [np.asarray(e.observations)[:-1] for e in episodes],
        "next_observations": [np.asarray(e.observations)[1:] for e in episodes],
        "actions": [e.actions for e in episodes],
        "rewards": [e.rewards for e in episodes],
        "terminals": [e.terminations for e in episodes],
        "timeouts": [e.truncations for e in episodes],
    }
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    return {k: a if a.dtype == bool else a.astype(np.float32) for k, a in joined.items()}
