"""IDQL (Hansen-Estruch et al. 2023, arXiv 2304.10573): a denoising clone, and IQL's critics."""

from jaxtyping import Float
from torch import Tensor

from oneleap.core.nets.mlp import ResidualMLP
from oneleap.core.objectives import NoisePrediction
from oneleap.core.paths.ddpm import VPBetas
from oneleap.core.training.recipe import Recipe
from oneleap.domains.rl.algorithms.compiled_step import StepDraw, Weights
from oneleap.domains.rl.algorithms.denoising_policy import DenoisingPolicy
from oneleap.domains.rl.algorithms.iql import ImplicitQ
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.spec import Spec


class IDQL(DenoisingPolicy, ImplicitQ):
    """Actor loss ``E || e - eps(x_k, k; s) ||^2`` alone; the best of its samples by Q acts.

    The critics are those of IQL. The policy does not learn from them. They select one of
    ``num_action_samples`` actions of the policy (Algorithm 3), each of which takes ``steps``
    denoising steps of the variance-preserving schedule.

    Network evaluations per step: 1.

    Deviations: actor and critics are updated together, see :class:`ActorCritic`, on batches of the
    same size, where the authors' code has 512 and 256. The network has residual blocks without
    dropout and layer norm. :class:`DenoisingPolicy` says what it predicts.

    Args:
        spec: Sizes, ranges and statistics of the data.
        steps: Denoising steps.
        expectile: Expectile of V; 0.7 for MuJoCo, 0.9 for AntMaze.
        num_action_samples: Actions sampled for each observation when acting. The authors report the
            best of 16, 64 and 256 per task.
        temperature: Softmax temperature over Q when one of them is selected; 0 selects the best.
        critic_config: Hyper-parameters of the critics.
        network: Sizes of actor and critics. The authors' critics have depth 2.
        recipe: Settings of training; the average acts.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        steps: int = 5,
        expectile: float = 0.7,
        num_action_samples: int = 64,
        temperature: float = 0.0,
        critic_config: CriticConfig = CriticConfig(),  # noqa: B008  (frozen)
        network: NetworkConfig = NetworkConfig(),  # noqa: B008  (frozen)
        recipe: Recipe = Recipe(ema=0.999, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        schedule = VPBetas(steps)
        super().__init__(
            spec,
            NoisePrediction(schedule),
            critic_config=critic_config,
            network=network,
            ema_every=1,
            ema_start=0,
            temperature=temperature,
            recipe=recipe,
        )
        self.expectile, self.num_action_samples = expectile, num_action_samples
        self.set_schedule(schedule)

    @staticmethod
    def build(spec: Spec, network: NetworkConfig) -> ResidualMLP:
        """Build residual blocks with a learned embedding of the times."""
        sizes = spec.chunk_dim, spec.obs_dim, network.width, network.depth
        return ResidualMLP(*sizes, time_dim=network.time_dim)

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, q_scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Imitation alone.

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
