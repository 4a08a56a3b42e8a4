"""ReBRAC (Tarasov et al. 2023, arXiv 2305.09836): TD3+BC with penalties on actor and critics."""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import Conditioned, Field
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.compiled_step import StepDraw
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.nets.gaussian import ActionRegression, GaussianField
from oneleap.domains.rl.spec import Spec

FAST = AdamConfig(lr=1e-3)
"""Default optimizer of actor and critics."""


class ReBRAC(ActorCritic):
    """Actor loss ``alpha ||pi(s) - a||^2 - Q(s, pi(s)) / E|Q|``, with penalized critics.

    The target of the critics contains ``Q'(s', a') - beta ||a' - b||^2``. ``Q`` is the smaller of
    two critics, ``a'`` the action of the average policy with clipped noise, and ``b`` the next
    action of the data. As in TD3, the actor and all averages move only at every ``policy_delay``-th
    step of the critics.

    Deviations: actor and critics are updated together, see :class:`ActorCritic`. The average policy
    acts, which lags the latest one by 200 of its steps. The critics have Mish, and layer norm
    without a learned scale before the activation. Initial weights are PyTorch's. The authors do not
    normalize observations.

    Args:
        spec: Sizes, ranges and statistics of the data.
        alpha: Weight of the actor's penalty, per task.
        beta: Weight of the critics' penalty, per task; 0 for none.
        policy_noise: Standard deviation of the noise on next actions, which lie in [-1, 1].
        noise_clip: Largest magnitude of that noise.
        policy_delay: Updates of the critics per update of the actor.
        critic_config: Hyper-parameters of the critics; the average policy moves at their ``tau``.
        network: Sizes of actor and critics.
        recipe: Settings of training. The average follows ``critic_config.tau``, so ``ema`` has no
            effect.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        alpha: float = 0.01,
        beta: float = 0.01,
        policy_noise: float = 0.2,
        noise_clip: float = 0.5,
        policy_delay: int = 2,
        critic_config: CriticConfig = CriticConfig(optimizer=FAST, layer_norm=True),  # noqa: B008
        network: NetworkConfig = NetworkConfig(),  # noqa: B008  (frozen)
        recipe: Recipe = Recipe(optimizer=FAST, ema=0.995, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        super().__init__(
            spec,
            ActionRegression(),
            eta=1.0,
            critic_config=critic_config,
            network=network,
            ema_every=1,
            ema_start=0,
            recipe=replace(recipe, ema=1 - critic_config.tau),
        )
        self.refuse_max_q_backup()
        self.alpha, self.beta, self.policy_delay = alpha, beta, policy_delay
        self.policy_noise, self.noise_clip = policy_noise, noise_clip

    @staticmethod
    def build(spec: Spec, network: NetworkConfig) -> GaussianField:
        """Build a deterministic policy."""
        sizes = spec.chunk_dim, spec.obs_dim, network.width, network.depth
        return GaussianField(*sizes, stochastic=False)

    def generate(
        self,
        field: Field,
        noise: Float[Tensor, "b a"],
        steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b a"]:
        """Generate the one action of each observation, whatever the noise.

        Args:
            field: Mean velocity given the observations.
            noise: Unused, except for its shape.
            steps: Steps of the sampler; any number gives the same.
            generator: Unused.

        Returns:
            Actions on [-1, 1].
        """
        return super().generate(field, torch.zeros_like(noise), steps, generator)

    def target_value(self, batch: Transitions, draw: StepDraw) -> Float[Tensor, "b"]:
        """Target value of the noisy next action, minus its squared distance from the data's.

        Raises:
            InputError: The batch has no next actions.
        """
        if batch.next_act is None:
            raise InputError("ReBRAC compares next actions with those of the data: set next_act")
        s2 = self.normalize_obs(batch.next_obs)
        noise = (self.policy_noise * draw.next_noise).clamp(-self.noise_clip, self.noise_clip)
        a2 = self.generate(Conditioned(self.average, (s2,)), noise)
        a2 = (a2 + noise).clamp(-1, 1)
        difference = a2 - self.data(batch._replace(act=batch.next_act))
        distance = difference.square().nan_to_num(0).sum(1)
        return self.aggregate_q(self.target_critic(s2, a2)) - self.beta * distance

    def actor_value(
        self,
        s: Float[Tensor, "b o"],
        action: Float[Tensor, "b a"],
        critic_index: Int[Tensor, "1"],
        q_scale: Float[Tensor, ""],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Mean of the smaller Q, and its magnitude.

        Args:
            s: Normalized observations.
            action: Actions of the actor on [-1, 1].
            critic_index: Unused.
            q_scale: Unused.

        Returns:
            The value, and the scale that divides it.
        """
        q = self.aggregate_q(self.critic(s, action))
        return q.mean(), self.whole_mean(q.detach().abs().mean())
