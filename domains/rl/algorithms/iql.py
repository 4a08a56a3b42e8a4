"""IQL, implicit Q-learning (Kostrikov et al. 2022, arXiv 2110.06169). IDQL shares its critics."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from oneleap.core.errors import InputError
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import Field
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.compiled_step import StepDraw, Weights
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.nets.critics import ImplicitCritic
from oneleap.domains.rl.nets.gaussian import GaussianField, GaussianLikelihood
from oneleap.domains.rl.spec import Spec


class ImplicitQ(ActorCritic):
    """Critics that never evaluate an action outside the data. Subclasses define the actor.

    ``L_V = E |expectile - 1(g < 0)| g^2`` with ``g = min_j Q'_j(s, a) - V(s)`` (Eq. 5), and
    ``L_Q = sum_i E (r + discount V(s') - Q_i(s, a))^2`` (Eq. 6). No next action is needed.
    """

    critic: ImplicitCritic
    target_critic: ImplicitCritic
    expectile: float

    def build_critic(self) -> ImplicitCritic:
        """Build two Q functions and a value function.

        Raises:
            InputError: The max-Q backup or ``frequencies`` are requested.
        """
        self.refuse_max_q_backup()
        if self.critic_config.frequencies:
            raise InputError(f"critic_config.frequencies: {type(self).__name__} has none")
        sizes = self.spec.obs_dim, self.spec.chunk_dim, self.network.width, self.network.depth
        config = self.critic_config
        return ImplicitCritic(*sizes, config.members, layer_norm=config.layer_norm)

    def critic_loss(
        self, critic: Weights, batch: Transitions, draw: StepDraw
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "m b"]]:
        """Loss ``L_V + L_Q``.

        Args:
            critic: Weights of the critics and of the value function.
            batch: Transitions.
            draw: Unused.

        Returns:
            The loss, and ``Q_i(s, a)`` without gradient.
        """
        s, a = self.normalize_obs(batch.obs), self.data(batch)
        with torch.no_grad():
            next_value = self.critic.value(self.normalize_obs(batch.next_obs))
            target = batch.reward + batch.discount * next_value
            best = self.aggregate_q(self.target_critic(s, a))
        value = {k.removeprefix("value."): w for k, w in critic.items() if k.startswith("value.")}
        gap = best - functional_call(self.critic.value, value, (s,))
        weight = torch.where(gap < 0, 1 - self.expectile, self.expectile)
        q = functional_call(self.critic, critic, (s, a))
        fit = weight * gap.square()
        fit = fit if batch.valid is None else fit * batch.valid[:, -1]
        return fit.mean() + self.squared_error(q, target, batch), q.detach()


class IQL(ImplicitQ):
    """Advantage-weighted likelihood ``-E min(exp(beta A), max_weight) log pi(a|s)`` (Eq. 7).

    ``A = min_j Q'_j(s, a) - V(s)``. The policy ``pi`` is Gaussian, with a mean in [-1, 1] and one
    learned standard deviation per dimension. It acts by its mean, as the authors evaluate it.

    Deviations: actor and critics are updated together, see :class:`ActorCritic`, where the authors
    update V, actor and Q in this order. The critics have Mish. Initial weights are PyTorch's.

    Args:
        spec: Sizes, ranges and statistics of the data.
        expectile: Expectile of V; 0.7 for MuJoCo, 0.9 for AntMaze.
        beta: Inverse temperature of the advantage; 3 for MuJoCo, 10 for AntMaze.
        max_weight: Largest weight of a transition.
        std_scale: Factor on the standard deviation of actions when acting; 0 acts by the mean.
        critic_config: Hyper-parameters of the critics.
        network: Sizes of actor and critics.
        recipe: Settings of training. The latest weights act, so ``ema`` has no effect.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        expectile: float = 0.7,
        beta: float = 3.0,
        max_weight: float = 100.0,
        std_scale: float = 0.0,
        critic_config: CriticConfig = CriticConfig(),  # noqa: B008  (frozen)
        network: NetworkConfig = NetworkConfig(depth=2),  # noqa: B008  (frozen)
        recipe: Recipe = Recipe(ema=0.0, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        super().__init__(
            spec,
            GaussianLikelihood(),
            critic_config=critic_config,
            network=network,
            ema_every=1,
            ema_start=0,
            recipe=replace(recipe, ema=0.0),
        )
        self.expectile, self.beta = expectile, beta
        self.max_weight, self.std_scale = max_weight, std_scale

    @staticmethod
    def build(spec: Spec, network: NetworkConfig) -> GaussianField:
        """Build a Gaussian policy."""
        return GaussianField(spec.chunk_dim, spec.obs_dim, network.width, network.depth)

    def generate(
        self,
        field: Field,
        noise: Float[Tensor, "b a"],
        steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b a"]:
        """Generate actions with ``std_scale`` times the standard deviation.

        Args:
            field: Mean velocity given the observations.
            noise: Noise from :meth:`noise`.
            steps: Steps of the sampler; any number gives the same.
            generator: Unused.

        Returns:
            Actions on [-1, 1].
        """
        return super().generate(field, self.std_scale * noise, steps, generator)

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, q_scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Imitation of the actions of the data, weighted by their advantage.

        Args:
            actor: Weights of the actor.
            batch: Transitions.
            draw: Randomness of the step.
            q_scale: Unused.

        Returns:
            The loss, and figures to log.
        """
        imitation = self.objective.loss(self.bind(batch, self.net_with(actor)), draw.imitation)
        with torch.no_grad():
            s, a = self.normalize_obs(batch.obs), self.data(batch)
            advantage = self.aggregate_q(self.target_critic(s, a)) - self.critic.value(s)
            weight = (self.beta * advantage).exp().clamp(max=self.max_weight)
            if batch.valid is not None:  # no value is known of a chunk that crosses the end
                weight = weight * batch.valid[:, -1]
        loss = (weight * imitation.per_sample).mean()
        logs = {"actor_loss": loss.detach(), "advantage": advantage.mean(), **imitation.logs}
        return loss, logs
