"""Diff-Instruct++ (arXiv 2410.18881) and Diff-Instruct* (Luo et al. 2024, 2410.20898): rewards."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.losses.metrics import masked_mean
from oneleap.core.objectives.matching.dmd import DiffInstruct
from oneleap.core.objectives.matching.sid import ScoreIdentity
from oneleap.core.types import Draw, Loss, TrainingBatch


class Reward(ABC):
    """A differentiable reward of samples; subclasses are frozen dataclasses."""

    @abstractmethod
    def __call__(
        self, x: Float[Tensor, "b *d"], mask: Bool[Tensor, "b *#d"] | None = None
    ) -> Float[Tensor, "b"]:
        """Reward of each sample.

        Args:
            x: Samples as the network sees them, (b, *d).
            mask: True where ``x`` is data, False where it is padding.
        """


@dataclass(frozen=True)
class LinearReward(Reward):
    """``slope mean(x)``; a slope of 0 rewards nothing.

    Attributes:
        slope: Factor.
    """

    slope: float = 0.0

    def __call__(
        self, x: Float[Tensor, "b *d"], mask: Bool[Tensor, "b *#d"] | None = None
    ) -> Float[Tensor, "b"]:
        """See the class."""
        return self.slope * masked_mean(x, mask)


@dataclass(frozen=True)
class DiffInstructPlus(DiffInstruct):
    """Diff-Instruct++: ``-reward_weight R(x)`` beside Diff-Instruct's divergence.

    Guidance is a reward, too: ``R = log p(z_t|c) / p(z_t)`` adds ``-w (D_c - D_0)`` to the gap.
    That is a teacher guided at ``1 + w``, with an unguided fake: set ``guidance``. Cost:
    DiffInstruct's, and 1 forward and backward pass of the reward.

    Trap: the optimum is ``p exp(reward_weight R)`` only for the divergence of the data themselves.
    A linear reward ``k x`` shifts a Gaussian of spread ``s`` by ``k / int t^2 / V_p dt``,
    ``V_p = (1 - t)^2 s^2 + t^2``, under the weight here, instead of by ``k s^2``: for ``s = 0.5``
    six times as far. For the exact shift see :class:`DiffInstructStar` with ``exact``.

    Attributes:
        reward: The reward.
        reward_weight: Its weight, the inverse of the temperature.
    """

    reward: Reward = field(default_factory=LinearReward)
    reward_weight: float = 1.0

    def push(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """Diff-Instruct's, minus the reward."""
        return rewarded(super().push(batch, x, draw), self.reward, self.reward_weight, batch, x)


@dataclass(frozen=True)
class DiffInstructStar(ScoreIdentity):
    """Diff-Instruct*: ``-reward_weight R(x)`` beside SIM's score divergence.

    With ``alpha: 0.5`` and ``exact: true`` the divergence is the Kullback-Leibler divergence of the
    data, and the optimum is ``p exp(reward_weight R)``: a linear reward ``k x`` shifts a Gaussian
    of spread ``s`` by ``k s^2`` and keeps its spread. As actors of reinforcement learning, read the
    value for the reward. Cost: ScoreIdentity's, and 1 forward and backward pass of the reward.

    Attributes:
        reward: The reward.
        reward_weight: Its weight, the inverse of the temperature.
    """

    reward: Reward = field(default_factory=LinearReward)
    reward_weight: float = 1.0

    def push(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """The score divergence, minus the reward."""
        return rewarded(super().push(batch, x, draw), self.reward, self.reward_weight, batch, x)


def rewarded(
    loss: Loss, reward: Reward, weight: float, batch: TrainingBatch, x: Float[Tensor, "b *d"]
) -> Loss:
    """Subtract the reward of the samples from a loss."""
    value = reward(x, batch.mask)
    logs = {**loss.logs, "reward": value.detach().mean()}
    return Loss(loss.per_sample - weight * value, logs)
