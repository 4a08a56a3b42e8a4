"""FBRAC: Diffusion-QL with a flow, a baseline of FQL (Park, Li, Levine 2025, arXiv 2502.02538)."""

from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.ode import euler
from oneleap.core.training.optim import AdamConfig
from oneleap.core.types import Field
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.fql import mean_value
from oneleap.domains.rl.envs.task import Spec


class FBRAC(ActorCritic):
    """Actor ``alpha L_flow - E[Q(s, a)]``, ``a`` the flow solved by ``steps`` of Euler's method.

    The value's gradient runs back through the solver, as through Diffusion-QL's chain; all else is
    FQL's: critics with layer norm, pooled by ``q_agg``, no average of the policy. Network
    evaluations per step: 1, ``steps`` for the actor's action, ``steps`` for the target's.

    Deviations: those of :class:`oneleap.domains.rl.algorithms.fql.FQL`, the skip apart.

    Args:
        spec: Sizes, ranges and statistics of the data.
        alpha: Weight of imitation against the value.
        steps: Euler steps from noise to action.
        q_agg: What the critics are made one value by when they are backed up.
        normalize_q: Measure the value in units of its magnitude over the policy's actions.
        tau: Rate of the target critics, every step.
        width: Units per hidden layer, of actor and critics.
        depth: Hidden layers.
        time_dim: Size of each set of time features.
        optimizer: Of the actor.
        critic_optimizer: Of the critics.
        layer_norm: In the critics.
        temperature: Softmax temperature over Q when one of several candidates is chosen.
        seed: Of initial weights and of all draws of training.
        compile_loss: Run steps through ``torch.compile``.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        alpha: float = 10.0,
        steps: int = 10,
        q_agg: Literal["min", "mean"] = "mean",
        normalize_q: bool = False,
        tau: float = 0.005,
        width: int = 512,
        depth: int = 4,
        time_dim: int = 64,
        optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        critic_optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        layer_norm: bool = True,
        temperature: float = 1.0,
        seed: int = 0,
        compile_loss: bool = True,
    ) -> None:
        super().__init__(
            spec,
            FlowMatching(),
            eta=1.0,
            tau=tau,
            width=width,
            depth=depth,
            time_dim=time_dim,
            optimizer=optimizer,
            critic_optimizer=critic_optimizer,
            layer_norm=layer_norm,
            ema=0.0,  # the latest weights act and are backed up
            ema_every=1,
            ema_start=0,
            temperature=temperature,
            seed=seed,
            compile_loss=compile_loss,
        )
        self.alpha, self.steps = alpha, steps
        self.q_agg, self.normalize_q = q_agg, normalize_q

    def generate(
        self, field: Field, noise: Float[Tensor, "b a"], steps: int | None = None
    ) -> Float[Tensor, "b a"]:
        """Actions on [-1, 1] by Euler's method."""
        return euler(field, noise, steps=self.steps if steps is None else steps).clamp(-1, 1)

    def climbed(
        self,
        s: Float[Tensor, "b o"],
        action: Float[Tensor, "b a"],
        judge: Int[Tensor, "1"],
        scale: Float[Tensor, ""],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The mean over critics, as it is or in units of its own magnitude."""
        return mean_value(self.critic(s, action), self.normalize_q)
