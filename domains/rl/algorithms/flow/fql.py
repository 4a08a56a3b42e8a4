"""FQL, Flow Q-Learning (Park, Li, Levine 2025, arXiv 2502.02538): the student of a flow acts."""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.ode import euler, sample
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import Conditioned, TrainingBatch
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.compiled_step import StepDraw, Weights
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.spec import Spec


class StudentAndFlow(nn.Module):
    """The field of the one-step policy, and the flow that teaches it. A call evaluates the former.

    Args:
        student: Network whose one-step sample ``e - u(e, 0, 1; s)`` is the policy.
        flow: Velocity of the flow that clones the data.
    """

    def __init__(self, student: MLP, flow: MLP) -> None:
        super().__init__()
        self.student, self.flow = student, flow

    def forward(self, *args: Tensor, flow: bool = False) -> Tensor:
        """Mean velocity of the student, or velocity of the flow, at ``(z, r, t, s)``."""
        u: Tensor = (self.flow if flow else self.student)(*args)
        return u


class FQL(ActorCritic):
    """Losses ``L_flow(v) + alpha E||mu(e; s) - ODE(v, e; s)||^2 - E[Q(s, mu(e; s))]``.

    The flow ``v`` learns from the data alone. The one-step policy ``mu`` learns from the flow,
    solved by ``flow_steps`` of Euler's method without gradient, and from the value (Algorithm 1).
    The targets of the critics use the latest one-step policy and the aggregate ``q_agg`` of the
    ensemble; the actor maximizes its mean.

    Network evaluations per step: 1 of the flow, ``flow_steps`` of the flow without gradient, and 2
    of the student.

    Deviations: actor and critics are updated together, see :class:`ActorCritic`. ``mu`` is
    ``e - u(e, 0, 1; s)`` of a field, a network with a skip connection from the noise. Mish replaces
    GELU. Layer norm has no learned scale and comes before the activation. The authors have no
    MuJoCo tasks; OFQL's authors do, with ``normalize_q`` and ``alpha`` from 0.03 to 10.

    Args:
        spec: Sizes, ranges and statistics of the data.
        alpha: Weight of distillation against the value.
        flow_steps: Euler steps of the flow.
        normalize_q: Whether to divide the value by its magnitude over the policy's actions.
        critic_config: Hyper-parameters of the critics. The authors have ``q_agg`` min on the larger
            mazes and on Adroit.
        network: Sizes of flow, student and critics.
        temperature: Softmax temperature over Q when one of several actions is selected.
        recipe: Settings of training. The latest weights act, so ``ema`` has no effect.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        alpha: float = 10.0,
        flow_steps: int = 10,
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
        self.alpha, self.flow_steps, self.normalize_q = alpha, flow_steps, normalize_q

    @staticmethod
    def build(spec: Spec, network: NetworkConfig) -> StudentAndFlow:
        """Build two networks of the same sizes."""
        sizes = network.width, network.depth, network.time_dim
        return StudentAndFlow(*(MLP(spec.chunk_dim, spec.obs_dim, *sizes) for _ in range(2)))

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, q_scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Flow matching, plus distillation, minus the value.

        Args:
            actor: Weights of student and flow.
            batch: Transitions.
            draw: Randomness of the step.
            q_scale: Unused.

        Returns:
            The loss, and figures to log.
        """
        net, s = self.net_with(actor), self.normalize_obs(batch.obs)
        flow = Conditioned(lambda *args: net(*args, flow=True), (s,))
        cloning = TrainingBatch(field=flow, x=self.data(batch), mask=self.action_mask(batch))
        imitation = self.objective.loss(cloning, draw.imitation)
        with torch.no_grad():
            flow_action = euler(flow, draw.noise, steps=self.flow_steps).clamp(-1, 1)
        action = sample(Conditioned(net, (s,)), draw.noise)
        distillation = (action - flow_action).square().mean()
        value, scale = self.actor_value(s, action.clamp(-1, 1), draw.critic_index, q_scale)
        loss = imitation.per_sample.mean() + self.alpha * distillation - value / scale
        logs = {"actor_loss": loss, "q_policy": value, "distillation": distillation}
        return loss, {k: v.detach() for k, v in logs.items()} | imitation.logs

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
            action: Actions of the student on [-1, 1].
            critic_index: Unused.
            q_scale: Unused.

        Returns:
            The value, and the scale that divides it; see :func:`mean_value`.
        """
        value, scale = mean_value(self.critic(s, action), self.normalize_q)
        return value, self.whole_mean(scale) if self.normalize_q else scale


def mean_value(
    q: Float[Tensor, "m b"], normalize: bool
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean over critics and batch, and its scale: 1, or ``E|mean over critics|``."""
    q = q.mean(0)
    return q.mean(), q.detach().abs().mean() if normalize else q.new_ones(())
