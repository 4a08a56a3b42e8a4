"""What a policy must know of its environment and of the data it learns from."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError

if TYPE_CHECKING:
    import gymnasium


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

    def make(self, **kwargs: object) -> "gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]":
        """The environment; ``kwargs`` (``render_mode``, say) are added to ``env_kwargs``.

        Raises:
            InputError: There is no such environment, or it does not take the arguments.
        """
        import gymnasium

        import oneleap.domains.rl.pixelmaze
        import oneleap.domains.rl.pointmaze  # noqa: F401

        every: dict[str, Any] = {**self.env_kwargs, **kwargs}
        try:
            return gymnasium.make(self.env, **every)
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"environment {self.env}: {reason}") from None

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
