"""IFQL: a flow that clones the data, and IQL's critics choose among its actions.

The flow variant of IDQL in FQL's code (Park, Li, Levine 2025, arXiv 2502.02538).
"""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.samplers import EulerSampler
from oneleap.core.training.recipe import Recipe
from oneleap.domains.rl.algorithms.compiled_step import StepDraw, Weights
from oneleap.domains.rl.algorithms.iql import ImplicitQ
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.spec import Spec


class IFQL(ImplicitQ):
    """Actor loss ``L_flow`` alone; the best of its samples by Q acts.

    The critics are those of IQL, ``L_V = E |expectile - 1(g < 0)| g^2`` with ``g = Q'(s, a) -
    V(s)``. The policy does not learn from them. They choose one of ``num_action_samples`` actions,
    each of which takes ``steps`` of Euler's method.

    Network evaluations per step: 1.

    Deviations: actor and critics are updated together, see :class:`ActorCritic`. The target critics
    choose, where the authors' code has the latest ones; with several critics it takes their
    minimum, and their aggregate decides here. Mish replaces GELU; layer norm has no learned scale.

    Args:
        spec: Sizes, ranges and statistics of the data.
        steps: Euler steps from noise to action.
        expectile: Expectile of V; from 0.7 to 0.95 per task.
        num_action_samples: Actions sampled for each observation when acting.
        temperature: Softmax temperature over Q when one of them is selected; 0 selects the best.
        critic_config: Hyper-parameters of the critics.
        network: Sizes of actor and critics.
        recipe: Settings of training. The latest weights act, so ``ema`` has no effect.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        steps: int = 10,
        expectile: float = 0.9,
        num_action_samples: int = 32,
        temperature: float = 0.0,
        critic_config: CriticConfig = CriticConfig(layer_norm=True, q_agg="mean"),  # noqa: B008
        network: NetworkConfig = NetworkConfig(width=512, depth=4),  # noqa: B008  (frozen)
        recipe: Recipe = Recipe(ema=0.0, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        super().__init__(
            spec,
            FlowMatching(),
            critic_config=critic_config,
            network=network,
            ema_every=1,
            ema_start=0,
            temperature=temperature,
            recipe=replace(recipe, ema=0.0),
        )
        self.expectile, self.num_action_samples = expectile, num_action_samples
        self.sampler = EulerSampler(steps)

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, q_scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Flow matching alone.

        Args:
            actor: Weights of the actor.
            batch: Transitions.
            draw: Randomness of the step.
            q_scale: Unused.

        Returns:
            The loss, and figures to log.
        """
        imitation = self.objective.loss(self.bind(batch, self.net_with(actor)), draw.imitation)
        loss = imitation.per_sample.mean()
        return loss, {"actor_loss": loss.detach(), **imitation.logs}
