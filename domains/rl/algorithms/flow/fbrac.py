"""FBRAC: Diffusion-QL with a flow, a baseline of FQL (Park, Li, Levine 2025, arXiv 2502.02538)."""

from dataclasses import replace

from jaxtyping import Float, Int
from torch import Tensor

from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.samplers import EulerSampler
from oneleap.core.training.recipe import Recipe
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.flow.fql import mean_value
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.spec import Spec


class FBRAC(ActorCritic):
    """Actor loss ``alpha L_flow - E[Q(s, a)]``; ``a`` is the flow solved by Euler's method.

    The gradient of the value runs back through the solver, as it does through Diffusion-QL's chain.
    All else is that of FQL: critics with layer norm, their aggregate ``q_agg``, and no average of
    the policy.

    Network evaluations per step: 1, ``steps`` for the actor's action, and ``steps`` for the target.

    Deviations: those of :class:`oneleap.domains.rl.FQL`, except the skip connection.

    Args:
        spec: Sizes, ranges and statistics of the data.
        alpha: Weight of imitation against the value.
        steps: Euler steps from noise to action.
        normalize_q: Whether to divide the value by its magnitude over the policy's actions.
        critic_config: Hyper-parameters of the critics.
        network: Sizes of actor and critics.
        temperature: Softmax temperature over Q when one of several actions is selected.
        recipe: Settings of training. The latest weights act, so ``ema`` has no effect.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        alpha: float = 10.0,
        steps: int = 10,
        normalize_q: bool = False,
        critic_config: CriticConfig = CriticConfig(layer_norm=True, q_agg="mean"),  # noqa: B008
        network: NetworkConfig = NetworkConfig(width=512, depth=4),  # noqa: B008  (frozen)
        temperature: float = 1.0,
        recipe: Recipe = Recipe(ema=0.0, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        super().__init__(
            spec,
            FlowMatching(),
            eta=1.0,
            critic_config=critic_config,
            network=network,
            ema_every=1,
            ema_start=0,
            temperature=temperature,
            recipe=replace(recipe, ema=0.0),
        )
        self.alpha, self.normalize_q = alpha, normalize_q
        self.sampler = EulerSampler(steps)

    def actor_value(
        self,
        s: Float[Tensor, "b o"],
        action: Float[Tensor, "b a"],
        critic_index: Int[Tensor, "1"],
        q_scale: Float[Tensor, ""],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Mean over the critics.

        Args:
            s: Normalized observations.
            action: Actions of the actor on [-1, 1].
            critic_index: Unused.
            q_scale: Unused.

        Returns:
            The value, and the scale that divides it, as in FQL.
        """
        value, scale = mean_value(self.critic(s, action), self.normalize_q)
        return value, self.whole_mean(scale) if self.normalize_q else scale
