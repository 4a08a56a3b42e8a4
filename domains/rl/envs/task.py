"""A task: the environment to evaluate a policy in, and the returns that define its score."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError

if TYPE_CHECKING:
    import gymnasium

    Env = gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]


NAMESPACE = "oneleap/"
"""Beginning of the Gymnasium ids of this package's own environments."""

REGISTRATION = "oneleap.domains.rl.envs.registration"
"""Module that registers them. ``gymnasium.make`` imports it, given ``module:id``."""

ENV_HINT = (
    "set env to the environment of these data, a Gymnasium id such as Hopper-v5, or to none to "
    "train without evaluation"
)
"""What to do about an environment that does not fit the data."""


def observation_keys(env: str) -> tuple[str, ...]:
    """Entries of a dictionary observation that form the observation vector, in order.

    AntMaze's entry ``observation`` contains neither the position of the ant nor its goal, and each
    episode has another goal. Its vector therefore has both of them too. All other environments,
    PointMaze among them, use ``observation`` alone.

    Args:
        env: Gymnasium id.
    """
    if env.rpartition(":")[2].startswith("AntMaze"):
        return "achieved_goal", "observation", "desired_goal"
    return ("observation",)


def observation_vector(obs: Any) -> NDArray[np.float32]:
    """An observation as a float32 vector; of a dictionary, the entry ``observation``.

    An environment that needs more entries does not return a dictionary here, because
    :meth:`Task.make` has joined them.
    """
    return np.asarray(obs["observation"] if isinstance(obs, dict) else obs, np.float32)


@dataclass(frozen=True)
class Task:
    """An environment, and the two returns between which scores are measured.

    Attributes:
        env: Gymnasium id.
        env_kwargs: Arguments of ``gymnasium.make``.
        ref_min: Mean return that has score 0.
        ref_max: Mean return that has score 100.
        reference: Where these two returns come from, in words; ``none`` if there are none.
    """

    env: str
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    ref_min: float = 0.0
    ref_max: float = 1.0
    reference: str = "none"

    def make(self, **kwargs: object) -> "Env":
        """Make the environment.

        If :func:`observation_keys` names several entries of a dictionary observation, the
        environment returns them as one vector.

        Args:
            **kwargs: Arguments of ``gymnasium.make`` in addition to ``env_kwargs``, such as
                ``render_mode``.

        Returns:
            The environment.

        Raises:
            InputError: The environment does not exist or does not accept the arguments.
        """
        import gymnasium

        name = f"{REGISTRATION}:{self.env}" if self.env.startswith(NAMESPACE) else self.env
        arguments: dict[str, Any] = {**self.env_kwargs, **kwargs}
        try:
            env = gymnasium.make(name, **arguments)
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"environment {self.env}: {reason}") from None
        keys = observation_keys(self.env)
        return _join_entries(env, keys) if len(keys) > 1 else env

    def check_sizes(self, path: str, obs_dim: int, act_dim: int) -> None:
        """Check that the environment fits the data, before training rather than at evaluation.

        Args:
            path: Path of the data, for the message.
            obs_dim: Size of an observation in the data.
            act_dim: Size of an action in the data.

        Raises:
            InputError: The environment does not exist, or its sizes differ from those of the data.
        """
        from gymnasium import spaces

        try:
            env = self.make()
        except InputError as error:
            raise InputError(f"{path}: {error}; {ENV_HINT}") from None
        observations, actions = env.observation_space, env.action_space
        env.close()
        if isinstance(observations, spaces.Dict):
            observations = observations.spaces.get("observation", observations)
        if observations.shape != (obs_dim,) or actions.shape != (act_dim,):
            raise InputError(
                f"{path}: {self.env} has observations {observations.shape} and actions "
                f"{actions.shape}, the data have ({obs_dim},) and ({act_dim},); {ENV_HINT}"
            )

    def action_bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Smallest and largest action of the environment, (a,) each.

        Raises:
            InputError: Its actions are not bounded vectors.
        """
        from gymnasium.spaces import Box

        env = self.make()
        space = env.action_space
        env.close()
        if not (isinstance(space, Box) and len(space.shape) == 1 and space.is_bounded()):
            raise InputError(f"environment {self.env}: actions are {space}, not bounded vectors")
        return space.low.astype(np.float32), space.high.astype(np.float32)

    def score(self, returns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert returns to scores: ``ref_min`` becomes 0 and ``ref_max`` becomes 100."""
        return 100.0 * (returns - self.ref_min) / (self.ref_max - self.ref_min)


def _join_entries(env: "Env", keys: tuple[str, ...]) -> "Env":
    """The environment with the named entries of its dictionary observation as one vector."""
    from gymnasium import spaces
    from gymnasium.wrappers import TransformObservation

    space: object = env.observation_space
    if not isinstance(space, spaces.Dict):
        return env
    size = sum(spaces.flatdim(space[key]) for key in keys)
    joined: spaces.Space[Any] = spaces.Box(-np.inf, np.inf, (size,), np.float64)

    def join(obs: Any) -> NDArray[Any]:
        return np.concatenate([obs[key] for key in keys])

    return TransformObservation(env, join, joined)
