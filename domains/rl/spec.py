"""What the data tell a policy: sizes, ranges, statistics and the environment to evaluate in."""

from dataclasses import dataclass

from oneleap.domains.rl.envs.task import Task


@dataclass(frozen=True)
class Spec:
    """Sizes, ranges and statistics that a policy is built from. They are saved with its weights.

    Attributes:
        obs_dim: Size of an observation.
        act_dim: Size of an action.
        obs_mean: Mean of each dimension of the observations. The policy subtracts it.
        obs_std: Standard deviation of each dimension of the observations. The policy divides by
            it.
        act_low: Smallest action, per dimension. The network works on [-1, 1].
        act_high: Largest action, per dimension.
        task: Environment to evaluate in; ``None`` if it is unknown.
        image: Height, width and number of channels if observations are flattened images, else
            ``None``.
        obs_keys: Entries of dictionary observations that form an observation, in order; empty if
            the data have vectors.
        chunk: Actions that the policy chooses at once and takes one after the other. The data
            module sets it.
    """

    obs_dim: int
    act_dim: int
    obs_mean: tuple[float, ...]
    obs_std: tuple[float, ...]
    act_low: tuple[float, ...]
    act_high: tuple[float, ...]
    task: Task | None = None
    image: tuple[int, int, int] | None = None
    obs_keys: tuple[str, ...] = ()
    chunk: int = 1

    @property
    def chunk_dim(self) -> int:
        """Size of a chunk of actions, which the networks see as one action."""
        return self.chunk * self.act_dim
