"""What a policy must know of its environment and of the data it learns from."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError

if TYPE_CHECKING:
    import gymnasium

    Env = gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]


MEND = (
    "name the environment of these data in env, by a Gymnasium id such as Hopper-v5, or set env to "
    "none to train without evaluation"
)
"""What to do about an environment that does not suit the data."""


def observed(env: str) -> tuple[str, ...]:
    """Entries of an environment's dictionary observations that make up the vector, in order.

    AntMaze's ``observation`` tells neither where the ant is nor where it is to go, and the goal is
    drawn anew for every episode, so both are joined to it. Of all others, PointMaze among them,
    ``observation`` is taken alone.

    Args:
        env: Gymnasium id.
    """
    if env.rpartition(":")[2].startswith("AntMaze"):
        return "achieved_goal", "observation", "desired_goal"
    return ("observation",)


@dataclass(frozen=True)
class Task:
    """An environment to be evaluated in, and the two returns its scores are measured between.

    Attributes:
        env: Gymnasium id.
        env_kwargs: Passed to ``gymnasium.make``.
        ref_min: Mean return that counts as 0.
        ref_max: Mean return that counts as 100.
        reference: Where the two come from, for people.
    """

    env: str
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    ref_min: float = 0.0
    ref_max: float = 1.0
    reference: str = "none"

    def make(self, **kwargs: object) -> "Env":
        """The environment; ``kwargs`` (``render_mode``, say) are added to ``env_kwargs``.

        Several entries of a dictionary observation, see :func:`observed`, come as one vector.

        Raises:
            InputError: There is no such environment, or it does not take the arguments.
        """
        import gymnasium

        every: dict[str, Any] = {**self.env_kwargs, **kwargs}
        try:
            env = gymnasium.make(self.env, **every)
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"environment {self.env}: {reason}") from None
        keys = observed(self.env)
        return _joined(env, keys) if len(keys) > 1 else env

    def require(self, path: str, obs_dim: int, act_dim: int) -> None:
        """Refuse an environment asked for by ``env`` before training, not at its evaluation.

        Args:
            path: Of the data, for the message.
            obs_dim: Size of their observations.
            act_dim: Size of their actions.

        Raises:
            InputError: There is no such environment, or it has other sizes than the data.
        """
        from gymnasium import spaces

        try:
            env = self.make()
        except InputError as error:
            raise InputError(f"{path}: {error}; {MEND}") from None
        seen, actions = env.observation_space, env.action_space
        env.close()
        if isinstance(seen, spaces.Dict):
            seen = seen.spaces.get("observation", seen)
        if seen.shape != (obs_dim,) or actions.shape != (act_dim,):
            raise InputError(
                f"{path}: {self.env} has observations {seen.shape} and actions {actions.shape}, "
                f"the data have ({obs_dim},) and ({act_dim},); {MEND}"
            )

    def action_bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Least and greatest action of the environment.

        Raises:
            InputError: Its actions are no bounded vectors.
        """
        from gymnasium.spaces import Box

        env = self.make()
        space = env.action_space
        env.close()
        if not (isinstance(space, Box) and len(space.shape) == 1 and space.is_bounded()):
            raise InputError(f"environment {self.env}: its actions are {space}, no bounded vector")
        return space.low.astype(np.float32), space.high.astype(np.float32)

    def score(self, returns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns on the scale where ``ref_min`` is 0 and ``ref_max`` is 100."""
        return 100.0 * (returns - self.ref_min) / (self.ref_max - self.ref_min)


def _joined(env: "Env", keys: tuple[str, ...]) -> "Env":
    """The environment with entries of its dictionary observation as one vector."""
    from gymnasium import spaces
    from gymnasium.wrappers import TransformObservation

    space: object = env.observation_space
    if not isinstance(space, spaces.Dict):
        return env
    size = sum(spaces.flatdim(space[key]) for key in keys)
    whole: spaces.Space[Any] = spaces.Box(-np.inf, np.inf, (size,), np.float64)

    def vector(obs: Any) -> NDArray[Any]:
        return np.concatenate([obs[key] for key in keys])

    return TransformObservation(env, vector, whole)


@dataclass(frozen=True)
class Spec:
    """Sizes, ranges and statistics a policy is built from; stored with its weights.

    Attributes:
        obs_dim: Size of an observation.
        act_dim: Size of an action.
        obs_mean: Per dimension, subtracted from observations.
        obs_std: Per dimension, observations are divided by it.
        act_low: Least action per dimension; the network works on [-1, 1].
        act_high: Greatest action per dimension.
        task: Where to evaluate; ``None`` if unknown.
        image: Height, width and channels, of observations that are flat images.
    """

    obs_dim: int
    act_dim: int
    obs_mean: tuple[float, ...]
    obs_std: tuple[float, ...]
    act_low: tuple[float, ...]
    act_high: tuple[float, ...]
    task: Task | None = None
    image: tuple[int, int, int] | None = None
