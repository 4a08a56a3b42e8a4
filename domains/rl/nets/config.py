"""Hyper-parameters that the algorithms share, in groups."""

from dataclasses import dataclass, field
from typing import Literal

from oneleap.core.errors import require_positive
from oneleap.core.training.optim import AdamConfig


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
        q_agg: How the values of the ensemble become one value.
        max_q_backup: Whether the target takes the best of ``backup_actions`` next actions, which
            Diffusion-QL does for AntMaze.
        backup_actions: Next actions per state if ``max_q_backup`` is true.
    """

    optimizer: AdamConfig = field(default_factory=AdamConfig)
    tau: float = 0.005
    layer_norm: bool = False
    frequencies: int = 0
    q_agg: Literal["min", "mean"] = "min"
    max_q_backup: bool = False
    backup_actions: int = 10

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: ``tau`` or ``backup_actions`` is not positive.
        """
        require_positive(tau=self.tau, backup_actions=self.backup_actions)
