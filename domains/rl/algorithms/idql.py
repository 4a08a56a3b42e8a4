"""IDQL (Hansen-Estruch et al. 2023, arXiv 2304.10573): a denoising clone chosen from by IQL."""

from jaxtyping import Float
from torch import Tensor

from oneleap.core.nets.mlp import ResidualMLP
from oneleap.core.objectives import NoisePrediction
from oneleap.core.paths.ddpm import VPBetas
from oneleap.core.training.optim import AdamConfig
from oneleap.domains.rl.algorithms.actor_critic import StepDraw, Weights
from oneleap.domains.rl.algorithms.denoising_policy import Denoises
from oneleap.domains.rl.algorithms.iql import ImplicitQ
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Spec


class IDQL(Denoises, ImplicitQ):
    """Actor ``E || e - eps(x_k, k; s) ||^2`` and no more; the best of its candidates by Q acts.

    Critics are IQL's; the policy learns nothing from them, they choose among ``candidates`` of its
    actions (Algorithm 3), each ``steps`` denoising steps of the variance-preserving schedule.
    Network evaluations per step: 1.

    Deviations: that of :class:`ActorCritic`; the actor sees as many rows as the critics, where the
    authors' code gives it 512 and them 256; its network is residual without dropout and layer norm;
    see :class:`Denoises` on what it predicts.

    Args:
        spec: Sizes, ranges and statistics of the data.
        steps: Denoising steps.
        expectile: Of V; 0.7 for MuJoCo, 0.9 for AntMaze.
        candidates: Actions proposed for each observation when acting; the authors report the best
            of 16, 64 and 256 per task.
        temperature: 0 takes the best candidate, else one is drawn by softmax(Q / temperature).
        tau: Rate of the target critics, every step.
        width: Units per hidden layer, of actor and critics.
        depth: Residual blocks of the actor, hidden layers of the critics (the authors' have 2).
        time_dim: Size of each set of time features.
        optimizer: Of the actor.
        critic_optimizer: Of the critics.
        layer_norm: In the critics.
        ema: Decay of the policy's moving average, which acts.
        seed: Of initial weights and of all draws of training.
        compile_loss: Run steps through ``torch.compile``.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        steps: int = 5,
        expectile: float = 0.7,
        candidates: int = 64,
        temperature: float = 0.0,
        tau: float = 0.005,
        width: int = 256,
        depth: int = 3,
        time_dim: int = 64,
        optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        critic_optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        layer_norm: bool = False,
        ema: float = 0.999,
        seed: int = 0,
        compile_loss: bool = True,
    ) -> None:
        schedule = VPBetas(steps)
        super().__init__(
            spec,
            NoisePrediction(schedule),
            tau=tau,
            width=width,
            depth=depth,
            time_dim=time_dim,
            optimizer=optimizer,
            critic_optimizer=critic_optimizer,
            layer_norm=layer_norm,
            ema=ema,
            ema_every=1,
            ema_start=0,
            temperature=temperature,
            seed=seed,
            compile_loss=compile_loss,
        )
        self.expectile, self.candidates = expectile, candidates
        self.noised_by(schedule)

    @staticmethod
    def build(spec: Spec, width: int, depth: int, time_dim: int) -> ResidualMLP:
        """Residual blocks, the times through a learnt embedding."""
        return ResidualMLP(spec.act_dim, spec.obs_dim, width, depth, time_dim=time_dim)

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Imitation alone."""
        imitation = self.objective.loss(self.bind(batch, self.net_of(actor)), draw.imitation)
        loss = imitation.per_sample.mean()
        return loss, {"actor_loss": loss.detach(), **imitation.logs}
