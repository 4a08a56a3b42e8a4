"""FQL, Flow Q-Learning (Park, Li, Levine 2025, arXiv 2502.02538): a flow clones, a student acts."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.ode import euler, sample
from oneleap.core.training.optim import AdamConfig
from oneleap.core.types import Conditioned, TrainingBatch
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic, StepDraw, Weights
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Spec


class StudentAndFlow(nn.Module):
    """The field of the one-step policy, which is what a call means, and the flow it is taught by.

    Args:
        student: Its one-step sample ``e - u(e, 0, 1; s)`` is the policy.
        flow: Velocity of the flow that clones the data.
    """

    def __init__(self, student: MLP, flow: MLP) -> None:
        super().__init__()
        self.student, self.flow = student, flow

    def forward(self, *args: Tensor, flow: bool = False) -> Tensor:
        """Mean velocity of the student, or of the flow, at ``(z, r, t, s)``."""
        u: Tensor = (self.flow if flow else self.student)(*args)
        return u


class FQL(ActorCritic):
    """Losses ``L_flow(v) + alpha E||mu(e; s) - ODE(v, e; s)||^2 - E[Q(s, mu(e; s))]``.

    The flow ``v`` learns from data alone, the one-step policy ``mu`` from the flow, solved by
    ``flow_steps`` of Euler's method without gradient, and from the value (Algorithm 1). Critics
    back up the latest one-step policy, pooled over the ensemble by ``q_agg``; the actor climbs
    their mean. Network evaluations per step: 1 of the flow and ``flow_steps`` without
    gradient, 2 of the student.

    Deviations: that of :class:`ActorCritic`; ``mu`` is ``e - u(e, 0, 1; s)`` of a field, a network
    with a skip from the noise; Mish for GELU; layer norm without learnt scale, before the
    activation. The authors have no MuJoCo tasks; OFQL's have, with ``normalize_q`` and ``alpha``
    from 0.03 to 10.

    Args:
        spec: Sizes, ranges and statistics of the data.
        alpha: Weight of distillation against the value.
        flow_steps: Euler steps of the flow.
        q_agg: What the critics are made one value by when they are backed up; the authors take
            ``min`` on the larger mazes and Adroit.
        normalize_q: Measure the value in units of its magnitude over the policy's actions.
        tau: Rate of the target critics, every step.
        width: Units per hidden layer, of actor and critics.
        depth: Hidden layers.
        time_dim: Size of each set of time features.
        optimizer: Of flow and student.
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
        flow_steps: int = 10,
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
        self.alpha, self.flow_steps = alpha, flow_steps
        self.q_agg, self.normalize_q = q_agg, normalize_q

    @staticmethod
    def build(spec: Spec, width: int, depth: int, time_dim: int) -> StudentAndFlow:
        """Two networks of the same shape."""
        nets = (MLP(spec.act_dim, spec.obs_dim, width, depth, time_dim) for _ in range(2))
        return StudentAndFlow(*nets)

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Flow matching, plus distillation, minus the value."""
        net, s = self.net_of(actor), self.observe(batch.obs)
        flow = Conditioned(lambda *args: net(*args, flow=True), (s,))
        imitation = self.objective.loss(
            TrainingBatch(field=flow, x=self.data(batch)), draw.imitation
        )
        with torch.no_grad():
            teacher_field = euler(flow, draw.noise, steps=self.flow_steps).clamp(-1, 1)
        action = sample(Conditioned(net, (s,)), draw.noise)
        distillation = (action - teacher_field).square().mean()
        value, unit = self.climbed(s, action.clamp(-1, 1), draw.judge, scale)
        loss = imitation.per_sample.mean() + self.alpha * distillation - value / unit
        logs = {"actor_loss": loss, "q_policy": value, "distillation": distillation}
        return loss, {k: v.detach() for k, v in logs.items()} | imitation.logs

    def climbed(
        self,
        s: Float[Tensor, "b o"],
        action: Float[Tensor, "b a"],
        judge: Int[Tensor, "1"],
        scale: Float[Tensor, ""],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The mean over critics, as it is or in units of its own magnitude."""
        return mean_value(self.critic(s, action), self.normalize_q)


def mean_value(
    q: Float[Tensor, "m b"], normalize: bool
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean over critics and batch, and its unit: 1, or ``E|mean over critics|``."""
    q = q.mean(0)
    return q.mean(), q.detach().abs().mean() if normalize else q.new_ones(())
