"""ReBRAC (Tarasov et al. 2023, arXiv 2305.09836): TD3+BC with penalties on actor and critics."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.training.optim import AdamConfig
from oneleap.core.types import Conditioned, Field
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic, StepDraw
from oneleap.domains.rl.algorithms.gaussian import Gaussian, Regression
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Spec


class ReBRAC(ActorCritic):
    """Actor ``alpha ||pi(s) - a||^2 - Q(s, pi(s)) / E|Q|``, critics pulled to the data likewise.

    They back up ``Q'(s', a') - beta ||a' - b||^2``: ``Q`` is the least of two critics, ``a'`` the
    average policy's action with clipped noise, ``b`` what the data did next. As in TD3 the actor
    and all averages move at every ``actor_every``-th step of the critics only.

    Deviations: that of :class:`ActorCritic`; the average policy acts, which trails the latest by
    200 of its steps; Mish in the critics, layer norm before the activation and without learnt
    scale; PyTorch's initial weights. The authors do not normalise observations.

    Args:
        spec: Sizes, ranges and statistics of the data.
        alpha: Weight of the actor's penalty, per task.
        beta: Weight of the critics' penalty, per task; 0 for none.
        policy_noise: Standard deviation of the noise on next actions, which lie in [-1, 1].
        noise_clip: Its greatest magnitude.
        actor_every: Steps of the critics to one of the actor.
        tau: Rate of the target critics and the average policy.
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
        alpha: float = 0.01,
        beta: float = 0.01,
        policy_noise: float = 0.2,
        noise_clip: float = 0.5,
        actor_every: int = 2,
        tau: float = 0.005,
        width: int = 256,
        depth: int = 3,
        optimizer: AdamConfig = AdamConfig(lr=1e-3),  # noqa: B008  (frozen)
        critic_optimizer: AdamConfig = AdamConfig(lr=1e-3),  # noqa: B008  (frozen)
        layer_norm: bool = True,
        seed: int = 0,
        compile_loss: bool = True,
    ) -> None:
        super().__init__(
            spec,
            Regression(),
            eta=1.0,
            tau=tau,
            width=width,
            depth=depth,
            optimizer=optimizer,
            critic_optimizer=critic_optimizer,
            layer_norm=layer_norm,
            ema=1 - tau,
            ema_every=1,
            ema_start=0,
            seed=seed,
            compile_loss=compile_loss,
        )
        self.alpha, self.beta, self.actor_every = alpha, beta, actor_every
        self.policy_noise, self.noise_clip = policy_noise, noise_clip

    @staticmethod
    def build(spec: Spec, width: int, depth: int, time_dim: int) -> Gaussian:
        """A deterministic policy, which knows no times."""
        return Gaussian(spec.act_dim, spec.obs_dim, width, depth, random=False)

    def generate(
        self, field: Field, noise: Float[Tensor, "b a"], steps: int | None = None
    ) -> Float[Tensor, "b a"]:
        """The one action, whatever the noise."""
        return super().generate(field, torch.zeros_like(noise), steps)

    def backup(self, batch: Transitions, draw: StepDraw) -> Float[Tensor, "b"]:
        """Least target value of the noisy next action, less its distance from the data's."""
        if batch.next_act is None:
            raise InputError("ReBRAC compares next actions with the data's: give it next_act")
        s2 = self.observe(batch.next_obs)
        noise = (self.policy_noise * draw.next_noise).clamp(-self.noise_clip, self.noise_clip)
        a2 = self.generate(Conditioned(self.average, (s2,)), noise)
        a2 = (a2 + noise).clamp(-1, 1)
        away = (a2 - self.data(batch._replace(act=batch.next_act))).square().nan_to_num(0).sum(1)
        return self.pooled(self.target_critic(s2, a2)) - self.beta * away

    def climbed(
        self,
        s: Float[Tensor, "b o"],
        action: Float[Tensor, "b a"],
        judge: Int[Tensor, "1"],
        scale: Float[Tensor, ""],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The least of the critics, in units of its magnitude."""
        q = self.pooled(self.critic(s, action))
        return q.mean(), q.detach().abs().mean()
