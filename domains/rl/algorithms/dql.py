"""Diffusion-QL (Wang et al. 2023, arXiv 2208.06193): a denoising policy maximizes a double Q."""

from jaxtyping import Float, Int
from torch import Tensor

from oneleap.core.objectives import NoisePrediction
from oneleap.core.paths.ddpm import VPBetas
from oneleap.core.training.recipe import Recipe
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.denoising_policy import DenoisingPolicy
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.spec import Spec


class DQL(DenoisingPolicy, ActorCritic):
    """Actor loss ``L_d - eta E[Q1(s, a)] / E|Q2(s, a)|``, ``a`` the end of a denoising chain.

    ``L_d = E || e - eps(x_k, k; s) ||^2`` over the ``steps`` steps of the variance-preserving
    schedule. Each step of the chain clips the data to the range of actions. The gradient of the
    value runs back through the whole chain (Algorithm 1). Critics and max-Q backup are those of
    :class:`ActorCritic`; the next actions are those of the average policy.

    Network evaluations per step: 1, ``steps`` for the actor's action, and ``steps`` for the target.

    Deviations: actor and critics are updated together, see :class:`ActorCritic`. The average acts,
    where the authors' code acts with the latest weights. Before ``ema_start`` the average is a copy
    of the actor. Theirs keeps the random initial weights, which would act after a shorter run here
    and propose the next actions until then. The network reads times of the linear path
    and predicts its velocity, of which the noise is an affine function, see
    :class:`DenoisingPolicy`. The data module normalizes observations (``normalize_obs``), as
    CleanDiffuser does and the authors do not.

    Args:
        spec: Sizes, ranges and statistics of the data.
        steps: Denoising steps.
        eta: Weight of the value against imitation.
        critic_config: Hyper-parameters of the critics. The authors have no layer norm.
        network: Sizes of actor and critics.
        ema_every: Gradient steps between two updates of the policy's moving average.
        ema_start: Gradient step at which averaging starts.
        num_action_samples: Actions sampled for each observation, of which one is selected by Q.
        temperature: Softmax temperature over Q of that selection; 0 selects the best.
        recipe: Settings of training.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        steps: int = 5,
        eta: float = 1.0,
        critic_config: CriticConfig = CriticConfig(),  # noqa: B008  (frozen)
        network: NetworkConfig = NetworkConfig(),  # noqa: B008  (frozen)
        ema_every: int = 5,
        ema_start: int = 1000,
        num_action_samples: int = 50,
        temperature: float = 1.0,
        recipe: Recipe = Recipe(ema=0.995, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        schedule = VPBetas(steps)
        super().__init__(
            spec,
            NoisePrediction(schedule),
            eta=eta,
            critic_config=critic_config,
            network=network,
            ema_every=ema_every,
            ema_start=ema_start,
            temperature=temperature,
            recipe=recipe,
        )
        self.num_action_samples = num_action_samples
        self.set_schedule(schedule)

    def actor_value(
        self,
        s: Float[Tensor, "b o"],
        action: Float[Tensor, "b a"],
        critic_index: Int[Tensor, "1"],
        q_scale: Float[Tensor, ""],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Mean of one critic, and the magnitude of the other over the policy's own actions.

        Args:
            s: Normalized observations.
            action: Actions of the actor on [-1, 1].
            critic_index: Index of the critic that this step maximizes.
            q_scale: Unused.

        Returns:
            The value, and the scale that divides it.
        """
        q = self.critic(s, action)
        other = q.index_select(0, self.other_critic(critic_index)).detach()
        scale = self.whole_mean(other.abs().mean())
        return q.index_select(0, critic_index).mean(), scale
