"""Observations as vectors: which entries of a dictionary observation form one, and in which order.

An entry of a dictionary in a dictionary is named by its path, ``desired_goal/kettle``.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError

if TYPE_CHECKING:
    import gymnasium

GOAL_KEYS = ("achieved_goal", "observation", "desired_goal")
"""Entries of a goal environment of gymnasium-robotics, in the order of their vector."""


def observation_keys(env: str) -> tuple[str, ...]:
    """Entries that form the vector of a saved model whose task names none.

    AntMaze's entry ``observation`` contains neither the position of the ant nor its goal, and each
    episode has another goal. Its vector therefore has both of them too. All other environments,
    PointMaze among them, use ``observation`` alone.

    Args:
        env: Gymnasium id.
    """
    return GOAL_KEYS if env.rpartition(":")[2].startswith("AntMaze") else ("observation",)


def ordered_keys(names: Iterable[str]) -> tuple[str, ...]:
    """Names of entries in the order of the vector: :data:`GOAL_KEYS`, then the others by name."""
    found = set(names)
    first = [key for key in GOAL_KEYS if key in found]
    return (*first, *sorted(found - set(first)))


def entry_sizes(space: Any) -> dict[str, int]:
    """Sizes of the entries of a dictionary space that are vectors of numbers, by name."""
    from gymnasium import spaces

    parts = space.spaces.items()
    return {
        key: int(part.shape[0])
        for key, part in parts
        if isinstance(part, spaces.Box) and len(part.shape) == 1
    }


def vector_keys(space: Any) -> tuple[str, ...]:
    """All entries of a dictionary space that are vectors, in the order of :func:`ordered_keys`."""
    return ordered_keys(entry_sizes(space))


def entry(obs: Any, key: str) -> Any:
    """The entry of a dictionary of dictionaries at a path ``a/b``."""
    for part in key.split("/"):
        obs = obs[part]
    return obs


def observation_vector(obs: Any) -> NDArray[np.float32]:
    """An observation as a float32 vector; of a dictionary, the entry ``observation``.

    An environment that needs other entries does not return a dictionary here, because
    :meth:`oneleap.domains.rl.envs.task.Task.make` has joined them.
    """
    return np.asarray(obs["observation"] if isinstance(obs, Mapping) else obs, np.float32)


def join_entries(
    env: "gymnasium.Env[Any, Any]", keys: tuple[str, ...], name: str
) -> "gymnasium.Env[Any, Any]":
    """The environment with the named entries of its dictionary observation as one vector.

    An environment whose observations are vectors stays as it is.

    Args:
        env: The environment.
        keys: Entries, in order.
        name: Its id, for the message.

    Raises:
        InputError: An entry does not exist.
    """
    from gymnasium import spaces
    from gymnasium.wrappers import TransformObservation

    space: object = env.observation_space
    if not isinstance(space, spaces.Dict):
        return env
    size = 0
    for key in keys:
        try:
            size += spaces.flatdim(entry(space, key))
        except (KeyError, TypeError):
            env.close()
            raise InputError(
                f"environment {name}: observations have no entry {key!r}, but "
                f"{', '.join(space.spaces)}; --data.obs_keys names others"
            ) from None
    joined: spaces.Space[Any] = spaces.Box(-np.inf, np.inf, (size,), np.float64)

    def join(obs: Any) -> NDArray[Any]:
        return np.concatenate([np.ravel(entry(obs, key)) for key in keys])

    return TransformObservation(env, join, joined)
