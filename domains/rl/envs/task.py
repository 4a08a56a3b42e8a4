"""A task: the environment to evaluate a policy in, and the returns that define its score."""

import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError, require_positive
from oneleap.domains.rl.envs.observations import (
    entry_sizes,
    join_entries,
    observation_keys,
    vector_keys,
)

if TYPE_CHECKING:
    import gymnasium

    Env = gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]


NAMESPACE = "oneleap/"
"""Beginning of the Gymnasium ids of this package's own environments, which end by themselves."""

D4RL = "D4RL "
"""Beginning of :attr:`Task.reference` on D4RL's scale; the name of the family follows."""

HORIZON = 1000
"""Steps of an episode in an environment that is registered without a limit."""

ENV_HINT = (
    "--data.env ID names the environment of these data, such as --data.env Hopper-v5; "
    "--data.env none trains without evaluation"
)
"""What to do about an environment that does not fit the data."""


@dataclass(frozen=True)
class Task:
    """An environment, and the two returns between which scores are measured.

    The environment is looked up among those that are registered: no module is imported because a
    name mentions it, see :mod:`oneleap.domains.rl.envs.lookup`.

    Attributes:
        env: Gymnasium id.
        env_kwargs: Arguments of ``gymnasium.make``.
        ref_min: Mean return that has score 0.
        ref_max: Mean return that has score 100.
        reference: Where these two returns come from, in words; ``none`` if there are none.
        obs_keys: Entries of a dictionary observation that form the observation vector, in order.
            Empty: those of :func:`oneleap.domains.rl.envs.observations.observation_keys`.
        by_success: Whether the score of an episode is 100 if it succeeds and else 0, as in OGBench,
            instead of a function of its return.
    """

    env: str
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    ref_min: float = 0.0
    ref_max: float = 1.0
    reference: str = "none"
    obs_keys: tuple[str, ...] = ()
    by_success: bool = False

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """Read a task that :func:`dataclasses.asdict` and JSON wrote.

        Raises:
            InputError: The text is something else.
        """
        try:
            fields = json.loads(text)
            task = cls(**{**fields, "obs_keys": tuple(fields.get("obs_keys", ()))})
            kinds = {
                "env": str,
                "env_kwargs": dict,
                "ref_min": int | float,
                "ref_max": int | float,
                "reference": str,
                "obs_keys": tuple,
                "by_success": bool,
            }
            if not all(isinstance(value, kinds[name]) for name, value in vars(task).items()):
                raise TypeError
            return task
        except (ValueError, TypeError, AttributeError):
            raise InputError(f"not a task in JSON: {text[:80]}") from None

    @property
    def has_scale(self) -> bool:
        """Whether two different returns define scores."""
        span = self.ref_max - self.ref_min
        return self.reference != "none" and math.isfinite(span) and span != 0

    @property
    def on_d4rl_scale(self) -> bool:
        """Whether the returns that define scores are D4RL's."""
        return self.reference.startswith(D4RL)

    def limited(self, horizon: int | None) -> "Task":
        """Return this task with a limit on the length of its episodes.

        Args:
            horizon: Largest number of steps of an episode; ``None`` keeps the task's own limit.
        """
        if horizon is None:
            return self
        require_positive(horizon=horizon)
        name = "horizon" if self.env.startswith(NAMESPACE) else "max_episode_steps"
        return replace(self, env_kwargs={**self.env_kwargs, name: horizon})

    def time_limit(self) -> tuple[int | None, bool]:
        """The largest number of steps of an episode, and whether it is :data:`HORIZON`.

        The limit is that of ``env_kwargs``, or of the registered environment, or else
        :data:`HORIZON`. It is ``None`` for environments of this package, which end by themselves.

        Raises:
            InputError: The environment is not registered.
        """
        from oneleap.domains.rl.envs.lookup import find_environment

        if self.env.startswith(NAMESPACE):
            return None, False
        given = self.env_kwargs.get("max_episode_steps")
        known = given or find_environment(self.env).max_episode_steps
        if isinstance(known, int | float) and known > 0:
            return int(known), False
        return HORIZON, True

    def make(self, **kwargs: object) -> "Env":
        """Make the environment; its episodes end after :meth:`time_limit`.

        On D4RL's scale, it pays D4RL's rewards, see :mod:`oneleap.domains.rl.envs.adroit`.

        Of a dictionary observation, the environment returns the entries :attr:`obs_keys` as one
        vector. If they are not given, it does so if
        :func:`oneleap.domains.rl.envs.observations.observation_keys` names several entries.

        Args:
            **kwargs: Arguments of ``gymnasium.make`` in addition to ``env_kwargs``, such as
                ``render_mode``.

        Returns:
            The environment.

        Raises:
            InputError: The environment is not registered, cannot be made here, does not accept the
                arguments, or has no such entries.
        """
        from oneleap.domains.rl.envs.adroit import with_d4rl_rewards
        from oneleap.domains.rl.envs.lookup import make_environment

        limit, _ = self.time_limit()
        limits = {} if limit is None else {"max_episode_steps": limit}
        env = make_environment(self.env, {**self.env_kwargs, **limits, **kwargs})
        env = with_d4rl_rewards(env) if self.on_d4rl_scale else env
        keys = self.obs_keys or observation_keys(self.env)
        return join_entries(env, keys, self.env) if self.obs_keys or len(keys) > 1 else env

    def has_entries(self) -> bool:
        """Whether the observations of the environment are dictionaries before they are joined."""
        from gymnasium import spaces

        from oneleap.domains.rl.envs.lookup import make_environment

        env = make_environment(self.env, {**self.env_kwargs, "disable_env_checker": True})
        space: object = env.observation_space
        env.close()
        return isinstance(space, spaces.Dict)

    def joined(self) -> "Task":
        """The task with all entries of its dictionary observations that are vectors as one vector.

        A task whose observations are vectors stays as it is.
        """
        from gymnasium import spaces

        env = self.make(disable_env_checker=True)
        space: object = env.observation_space
        env.close()
        return (
            replace(self, obs_keys=vector_keys(space)) if isinstance(space, spaces.Dict) else self
        )

    def fitted(
        self,
        source: str,
        obs_dim: int,
        act_dim: int,
        who: str = "the data have",
        hint: str = ENV_HINT,
    ) -> "Task":
        """Check that the environment fits the data, before training rather than at evaluation.

        If the environment has dictionary observations and the data have vectors, all vector entries
        form the vector, if they together have its size.

        Args:
            source: The data, for the message.
            obs_dim: Size of an observation in the data.
            act_dim: Size of an action in the data.
            who: Beginning of the clause that tells these sizes.
            hint: What to do, for the message.

        Returns:
            The task, with the entries that form its observations.

        Raises:
            InputError: The environment does not exist, or its sizes differ from those of the data.
        """
        from gymnasium import spaces

        try:
            env = self.make(disable_env_checker=True)
        except InputError as error:
            raise InputError(f"{source}: {error}; {hint}") from None
        space, actions = env.observation_space, env.action_space
        env.close()
        if isinstance(actions, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
            raise InputError(
                f"{source}: {self.env} takes discrete actions, {actions}; policies of oneleap have "
                f"continuous ones; {hint}"
            )
        keys, shape = self.obs_keys, space.shape
        if isinstance(space, spaces.Dict):  # not joined: the default is one entry
            sizes = entry_sizes(space)
            single, every = observation_keys(self.env), vector_keys(space)
            fits = [k for k in (single, every) if sum(sizes.get(n, 0) for n in k) == obs_dim]
            keys = fits[0] if fits else keys
            shape = (obs_dim,) if fits else (sum(sizes.get(n, 0) for n in single),)
        if shape != (obs_dim,) or actions.shape != (act_dim,):
            entries = (
                f" with the entries {_listed(space)}" if isinstance(space, spaces.Dict) else ""
            )
            raise InputError(
                f"{source}: {self.env} has observations {shape}{entries} and actions "
                f"{actions.shape}, {who} ({obs_dim},) and ({act_dim},); {hint}"
            )
        return replace(self, obs_keys=keys)

    def action_bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Smallest and largest action of the environment, (a,) each; infinite where unbounded.

        Raises:
            InputError: Its actions are not vectors.
        """
        from gymnasium.spaces import Box

        env = self.make(disable_env_checker=True)
        space = env.action_space
        env.close()
        if not (isinstance(space, Box) and len(space.shape) == 1):
            raise InputError(
                f"environment {self.env}: actions are {space}, not vectors of continuous numbers"
            )
        return space.low.astype(np.float32), space.high.astype(np.float32)

    def score(self, returns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert returns to scores: ``ref_min`` becomes 0 and ``ref_max`` becomes 100.

        Returns without two different reference returns stay as they are.
        """
        span = self.ref_max - self.ref_min
        if not (math.isfinite(span) and span != 0):
            return returns
        return 100.0 * (returns - self.ref_min) / span


def _listed(space: Any) -> str:
    return ", ".join(f"{key} ({size})" for key, size in entry_sizes(space).items())
