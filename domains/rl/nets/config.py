"""Hyper-parameters that the algorithms share, in groups."""

from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError, require_positive
from oneleap.core.training.optim import AdamConfig

TINY = 1e-12
"""Least variance over the critics whose root is differentiated."""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the networks.

    Attributes:
        width: Units per hidden layer, of the policy and of the critics.
        depth: Number of hidden layers, of the policy and of the critics. A policy with residual
            blocks has this number of blocks.
        time_dim: Size of each set of time features of the policy. Gaussian policies have none.
    """

    width: int = 256
    depth: int = 3
    time_dim: int = 64


@dataclass(frozen=True)
class CriticConfig:
    """Hyper-parameters of the critics and of their targets.

    Attributes:
        optimizer: Optimizer and learning-rate schedule of the critics.
        tau: Rate at which the target critics follow the critics at every step.
        layer_norm: Whether the critics normalize their hidden layers.
        frequencies: Number of random Fourier features of the observation, for values that jump, as
            in mazes; see :class:`oneleap.domains.rl.nets.critics.Critic`.
        members: Number of critics.
        q_agg: How the values of the critics become one: the least, or ``mean - rho std``.
        rho: Pessimism of ``q_agg`` mean, in standard deviations over the critics (with n in the
            denominator). For two critics, 1 is their minimum.
        max_q_backup: Whether the target takes the best of ``backup_actions`` next actions, which
            Diffusion-QL does for AntMaze.
        backup_actions: Next actions per state if ``max_q_backup`` is true.
    """

    optimizer: AdamConfig = field(default_factory=AdamConfig)
    tau: float = 0.005
    layer_norm: bool = False
    frequencies: int = 0
    members: int = 2
    q_agg: Literal["min", "mean"] = "min"
    rho: float = 0.0
    max_q_backup: bool = False
    backup_actions: int = 10

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: ``tau``, ``members`` or ``backup_actions`` is not positive, or ``rho`` has
                no effect.
        """
        require_positive(tau=self.tau, backup_actions=self.backup_actions, members=self.members)
        if self.rho and self.q_agg == "min":
            raise InputError(f"rho: {self.rho}, but q_agg is min: set q_agg to mean")

    def aggregate(self, q: Float[Tensor, "m b"]) -> Float[Tensor, "b"]:
        """Reduce the values of all critics to one: the least, or ``mean - rho std``.

        The standard deviation has no gradient where the critics agree.
        """
        if self.q_agg == "min":
            return q.amin(0)
        if self.rho == 0:
            return q.mean(0)
        return q.mean(0) - self.rho * q.var(0, correction=0).clamp(min=TINY).sqrt()
