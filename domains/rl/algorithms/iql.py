"""IQL, implicit Q-learning (Kostrikov et al. 2022, arXiv 2110.06169); its critics serve IDQL."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from oneleap.core.training.optim import AdamConfig
from oneleap.core.types import Field
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic, StepDraw, Weights
from oneleap.domains.rl.algorithms.gaussian import Gaussian, Likelihood
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Spec
from oneleap.domains.rl.nets.critics import ImplicitCritic


class ImplicitQ(ActorCritic):
    """Critics that never see an action the data do not have; the actor is a subclass's matter.

    ``L_V = E |expectile - 1(g < 0)| g^2`` with the gap ``g = min_j Q'_j(s, a) - V(s)`` (Eq. 5), and
    ``L_Q = sum_i E (r + discount V(s') - Q_i(s, a))^2`` (Eq. 6). No next action is needed.
    """

    critic: ImplicitCritic
    target_critic: ImplicitCritic
    expectile: float

    def build_critic(self) -> ImplicitCritic:
        """Two Q functions and a value."""
        sizes = self.spec.obs_dim, self.spec.act_dim, self.width, self.depth
        return ImplicitCritic(*sizes, layer_norm=self.layer_norm)

    def critic_loss(
        self, critic: Weights, batch: Transitions, draw: StepDraw
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "m b"]]:
        """``L_V + L_Q``, and the ``Q_i(s, a)``."""
        s, a = self.observe(batch.obs), self.data(batch)
        with torch.no_grad():
            target = batch.reward + batch.discount * self.critic.value(self.observe(batch.next_obs))
            best = self.target_critic(s, a).amin(0)
        value = {k.removeprefix("value."): w for k, w in critic.items() if k.startswith("value.")}
        gap = best - functional_call(self.critic.value, value, (s,))
        weight = torch.where(gap < 0, 1 - self.expectile, self.expectile)
        q = functional_call(self.critic, critic, (s, a))
        loss = (weight * gap.square()).mean() + (q - target).square().mean(1).sum()
        return loss, q.detach()


class IQL(ImplicitQ):
    """Advantage-weighted likelihood ``-E min(exp(beta A), max_weight) log pi(a|s)`` (Eq. 7).

    ``A = min_j Q'_j(s, a) - V(s)``; ``pi`` is Gaussian with a mean in [-1, 1] and one learnt
    deviation per dimension, and acts by its mean, as the authors evaluate it.

    Deviations: that of :class:`ActorCritic` (the authors update V, actor and Q in this order);
    Mish in the critics; PyTorch's initial weights.

    Args:
        spec: Sizes, ranges and statistics of the data.
        expectile: Of V; 0.7 for MuJoCo, 0.9 for AntMaze.
        beta: Inverse temperature of the advantage; 3 for MuJoCo, 10 for AntMaze.
        max_weight: Greatest weight of a row.
        spread: Deviations by which actions spread about the mean when acting.
        tau: Rate of the target critics, every step.
        width: Units per hidden layer, of actor and critics.
        depth: Hidden layers.
        optimizer: Of the actor.
        critic_optimizer: Of the critics.
        layer_norm: In the critics.
        seed: Of initial weights and of all draws of training.
        compile_loss: Run steps through ``torch.compile``.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        expectile: float = 0.7,
        beta: float = 3.0,
        max_weight: float = 100.0,
        spread: float = 0.0,
        tau: float = 0.005,
        width: int = 256,
        depth: int = 2,
        optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        critic_optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        layer_norm: bool = False,
        seed: int = 0,
        compile_loss: bool = True,
    ) -> None:
        super().__init__(
            spec,
            Likelihood(),
            tau=tau,
            width=width,
            depth=depth,
            optimizer=optimizer,
            critic_optimizer=critic_optimizer,
            layer_norm=layer_norm,
            ema=0.0,  # the latest weights act
            ema_every=1,
            ema_start=0,
            seed=seed,
            compile_loss=compile_loss,
        )
        self.expectile, self.beta = expectile, beta
        self.max_weight, self.spread = max_weight, spread

    @staticmethod
    def build(spec: Spec, width: int, depth: int, time_dim: int) -> Gaussian:
        """A Gaussian, which knows no times."""
        return Gaussian(spec.act_dim, spec.obs_dim, width, depth)

    def generate(
        self, field: Field, noise: Float[Tensor, "b a"], steps: int | None = None
    ) -> Float[Tensor, "b a"]:
        """Actions on [-1, 1], ``spread`` deviations about the mean."""
        return super().generate(field, self.spread * noise, steps)

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Imitation of the data's actions, each weighted by its advantage."""
        imitation = self.objective.loss(self.bind(batch, self.net_of(actor)), draw.imitation)
        with torch.no_grad():
            s, a = self.observe(batch.obs), self.data(batch)
            advantage = self.target_critic(s, a).amin(0) - self.critic.value(s)
            weight = (self.beta * advantage).exp().clamp(max=self.max_weight)
        loss = (weight * imitation.per_sample).mean()
        logs = {"actor_loss": loss.detach(), "advantage": advantage.mean(), **imitation.logs}
        return loss, logs
