"""Diffusion-QL (Wang et al. 2023, arXiv 2208.06193): a denoising policy that climbs a double Q."""

from jaxtyping import Float, Int
from torch import Tensor

from oneleap.core.objectives import NoisePrediction
from oneleap.core.paths.ddpm import VPBetas
from oneleap.core.training.optim import AdamConfig
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.denoising_policy import Denoises
from oneleap.domains.rl.envs.task import Spec


class DQL(Denoises, ActorCritic):
    """Actor ``L_d - eta E[Q1(s, a)] / E|Q2(s, a)|``, ``a`` the end of a denoising chain.

    ``L_d = E || e - eps(x_k, k; s) ||^2`` over the ``steps`` steps of the variance-preserving
    schedule; the chain clips the data to the range of actions in each step, and the value's
    gradient runs back through all of it (Algorithm 1). Critics and max-Q backup are
    :class:`ActorCritic`'s, the next actions those of the average policy. Network evaluations per
    step: 1, ``steps`` for the actor's action, ``steps`` for the target's.

    Deviations: that of :class:`ActorCritic`; the average acts, where the authors' code acts by the
    latest weights; the network reads times of the linear path and predicts its velocity, of which
    the noise is an affine function, see :class:`Denoises`. Observations are normalised by the data
    module (``normalize_obs``), as CleanDiffuser does and the authors do not.

    Args:
        spec: Sizes, ranges and statistics of the data.
        steps: Denoising steps.
        eta: Weight of the value against imitation.
        tau: Rate of the target critics, every step.
        max_q_backup: Back up the best of ``backup_actions`` next actions (AntMaze).
        backup_actions: Next actions per state under the max-Q backup.
        width: Units per hidden layer, of actor and critics.
        depth: Hidden layers.
        time_dim: Size of each set of time features.
        optimizer: Of the actor.
        critic_optimizer: Of the critics.
        layer_norm: In the critics; not the authors'.
        ema: Decay of the policy's moving average, which acts and proposes next actions.
        ema_every: Gradient steps between its updates.
        ema_start: Until this step the average is a plain copy.
        candidates: Actions proposed for each observation when acting.
        temperature: Softmax temperature over Q when one of them is chosen.
        seed: Of initial weights and of all draws of training.
        compile_loss: Run steps through ``torch.compile``.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        steps: int = 5,
        eta: float = 1.0,
        tau: float = 0.005,
        max_q_backup: bool = False,
        backup_actions: int = 10,
        width: int = 256,
        depth: int = 3,
        time_dim: int = 64,
        optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        critic_optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        layer_norm: bool = False,
        ema: float = 0.995,
        ema_every: int = 5,
        ema_start: int = 1000,
        candidates: int = 50,
        temperature: float = 1.0,
        seed: int = 0,
        compile_loss: bool = True,
    ) -> None:
        schedule = VPBetas(steps)
        super().__init__(
            spec,
            NoisePrediction(schedule),
            eta=eta,
            tau=tau,
            max_q_backup=max_q_backup,
            backup_actions=backup_actions,
            width=width,
            depth=depth,
            time_dim=time_dim,
            optimizer=optimizer,
            critic_optimizer=critic_optimizer,
            layer_norm=layer_norm,
            ema=ema,
            ema_every=ema_every,
            ema_start=ema_start,
            temperature=temperature,
            seed=seed,
            compile_loss=compile_loss,
        )
        self.candidates = candidates
        self.noised_by(schedule)

    def climbed(
        self,
        s: Float[Tensor, "b o"],
        action: Float[Tensor, "b a"],
        judge: Int[Tensor, "1"],
        scale: Float[Tensor, ""],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """One critic's mean, in units of the other's magnitude over the policy's own actions."""
        q = self.critic(s, action)
        other = q.index_select(0, 1 - judge).detach()
        return q.index_select(0, judge).mean(), other.abs().mean()
