"""OFQL, One-Step Flow Q-Learning (arXiv 2508.13904): a mean-velocity policy and a double Q."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.func import functional_call, grad_and_value
from torch.optim.lr_scheduler import LRScheduler

from oneleap.core.compile import compiled
from oneleap.core.ema import ema_update, frozen_copy
from oneleap.core.optim import Adam, build_optimizer
from oneleap.core.sampling import sample
from oneleap.core.types import Conditioned, Draw, Objective
from oneleap.domains.rl.dataset import Transitions
from oneleap.domains.rl.nets import Critic
from oneleap.domains.rl.policy import Policy
from oneleap.domains.rl.task import Spec

Weights = dict[str, Tensor]


class StepDraw(NamedTuple):
    """The randomness of one OFQL step."""

    imitation: Draw
    next_noise: Float[Tensor, "kb a"]
    noise: Float[Tensor, "b a"]
    judge: Int[Tensor, "1"]
    """Which critic's value the actor climbs; the other's scales it."""
    eta: Float[Tensor, ""]
    """Weight of the value at this step."""


class OFQL(Policy):
    """Actor ``L_FBC - eta E[Q1(s, a)] / E|Q2(s, a)|``, critics by clipped double Q-learning.

    ``L_FBC`` is any objective of the core, MeanFlow in the paper (Eq. 8); ``a = e - u(e, 0, 1; s)``
    is one differentiable network call (Eq. 10). Network evaluations per step: the objective's, one
    for the actor's action, one (``backup_actions`` with the max-Q backup) for the target's.

    Deviations: actor and critic gradients are taken at the same weights, so that one compiled
    graph holds the step (Diffusion-QL updates the critic first). The normaliser ``E|Q|`` is the
    other critic's over dataset actions, as in the paper's formula, where Diffusion-QL's code has
    policy actions: those values are there already.

    Args:
        spec: Sizes, ranges and statistics of the data.
        objective: How the policy imitates.
        eta: Weight of the value against imitation; the paper's grid is 0.001 to 0.5, per task.
        critic_warmup: Gradient steps of imitation alone, while the critics learn the values of the
            data's behaviour. Where one action changes the value little (PointMaze) and ``eta`` must
            be large, an actor that climbs untrained critics settles where their first guess leads.
        tau: Rate of the target critics, every step.
        max_q_backup: Back up the best of ``backup_actions`` next actions (AntMaze).
        backup_actions: Next actions per state under the max-Q backup.
        width: Units per hidden layer, of actor and critics.
        depth: Hidden layers.
        time_dim: Size of each set of time features.
        optimizer: Of the actor.
        critic_optimizer: Of the critics.
        layer_norm: In the critics; not in the paper.
        ema: Decay of the policy's moving average, which acts and proposes next actions.
        ema_every: Gradient steps between its updates.
        ema_start: Until this step the average is a plain copy.
        temperature: Softmax temperature over Q when one of several candidates is chosen.
        seed: Of initial weights and of all draws of training.
        compile_loss: Run the step's gradients through ``torch.compile``.
        teacher: Model folder of a policy to distil, by an objective that does so.
    """

    def __init__(
        self,
        spec: Spec,
        objective: Objective,
        *,
        eta: float = 0.1,
        critic_warmup: int = 0,
        tau: float = 0.005,
        max_q_backup: bool = False,
        backup_actions: int = 10,
        width: int = 256,
        depth: int = 3,
        time_dim: int = 64,
        optimizer: Adam = Adam(),  # noqa: B008  (frozen)
        critic_optimizer: Adam = Adam(),  # noqa: B008  (frozen)
        layer_norm: bool = False,
        ema: float = 0.995,
        ema_every: int = 5,
        ema_start: int = 1000,
        temperature: float = 1.0,
        seed: int = 0,
        compile_loss: bool = True,
        teacher: str | None = None,
    ) -> None:
        super().__init__(
            spec,
            objective,
            width=width,
            depth=depth,
            time_dim=time_dim,
            optimizer=optimizer,
            ema=ema,
            seed=seed,
            compile_loss=compile_loss,
            teacher=teacher,
        )
        self.automatic_optimization = False
        self.eta, self.critic_warmup, self.tau = eta, critic_warmup, tau
        self.max_q_backup, self.backup_actions = max_q_backup, backup_actions
        self.critic_optimizer, self.temperature = critic_optimizer, temperature
        self.ema_every, self.ema_start = ema_every, ema_start
        self.layer_norm = layer_norm
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self.critic = Critic(spec.obs_dim, spec.act_dim, width, depth, layer_norm=layer_norm)
        self.target_critic = frozen_copy(self.critic)
        self._gradients: Callable[[Transitions, StepDraw], tuple[Any, ...]] = self.gradients

    def critic_loss(
        self, critic: Weights, batch: Transitions, draw: StepDraw
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "m b"]]:
        """``sum_i E (Q_i(s, a) - [r + discount min_j Q'_j(s', a')])^2``, and the ``Q_i(s, a)``."""
        with torch.no_grad():
            s2 = self.observe(batch.next_obs)
            value = self.next_value(s2, draw.next_noise)
            target = batch.reward + batch.discount * value
        s, a = self.observe(batch.obs), self.data(batch)
        q = functional_call(self.critic, critic, (s, a))
        return (q - target).square().mean(1).sum(), q.detach()

    def next_value(
        self, s2: Float[Tensor, "b o"], noise: Float[Tensor, "kb a"]
    ) -> Float[Tensor, "b"]:
        """``min_j`` over target critics of the value, or of the best value, of EMA actions."""
        k = self.backup_actions if self.max_q_backup else 1
        s2 = s2.repeat_interleave(k, dim=0) if k > 1 else s2
        a2 = sample(Conditioned(self.average, (s2,)), noise).clamp(-1, 1)
        q: Tensor = self.target_critic(s2, a2)
        return rearrange(q, "m (b k) -> m b k", k=k).amax(2).amin(0)

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Imitation minus the value of the policy's own action in units of ``scale``."""

        def net(z: Tensor, r: Tensor, t: Tensor, s: Tensor) -> Tensor:
            out: Tensor = functional_call(self.net, actor, (z, r, t, s))
            return out

        bound = self.bind(batch, net)
        imitation = self.objective.loss(bound, draw.imitation)
        action = sample(bound.field, draw.noise).clamp(-1, 1)
        value = self.critic(self.observe(batch.obs), action, draw.judge).mean()
        loss = imitation.per_sample.mean() - draw.eta * value / scale
        logs = {"actor_loss": loss.detach(), "q_policy": value.detach(), **imitation.logs}
        return loss, logs

    def gradients(
        self, batch: Transitions, draw: StepDraw
    ) -> tuple[Weights, Weights, dict[str, Tensor]]:
        """Gradients of both losses at the present weights, and figures worth logging."""
        actor: Weights = dict(self.net.named_parameters())
        critic: Weights = dict(self.critic.named_parameters())
        dcritic, (loss, q) = grad_and_value(self.critic_loss, has_aux=True)(critic, batch, draw)
        scale = q.index_select(0, 1 - draw.judge).abs().mean()
        dactor, (_, logs) = grad_and_value(self.actor_loss, has_aux=True)(actor, batch, draw, scale)
        return dactor, dcritic, {**logs, "critic_loss": loss.detach(), "q": q.mean()}

    def draw(self, batch: Transitions, generator: torch.Generator) -> StepDraw:
        """Draw the randomness of one step."""
        a, k = self.data(batch), self.backup_actions if self.max_q_backup else 1
        size, device = (len(a), a.shape[1]), a.device
        return StepDraw(
            self.objective.draw(a, generator, self.progress),
            torch.randn((size[0] * k, size[1]), generator=generator, device=device),
            torch.randn(size, generator=generator, device=device),
            torch.randint(2, (1,), generator=generator, device=device),
            torch.tensor(self.eta if self.global_step >= self.critic_warmup else 0.0),
        )

    def on_fit_start(self) -> None:
        """Compile both losses and their gradients as one graph."""
        super().on_fit_start()
        if self.compile_loss:
            self._gradients = compiled(self.gradients)

    def training_step(self, batch: Transitions, batch_idx: int) -> None:
        """One gradient step of actor and critics, then of their averages."""
        step = self.global_step
        with torch.no_grad():
            dactor, dcritic, logs = self._gradients(batch, self.draw(batch, self.generator()))
        for module, gradients in ((self.net, dactor), (self.critic, dcritic)):
            for name, parameter in module.named_parameters():
                parameter.grad = gradients[name]
        self.optimizer.clip_(self.net.parameters())
        self.critic_optimizer.clip_(self.critic.parameters())
        optimizer, scheduler = self.optimizers(), self.lr_schedulers()
        assert isinstance(optimizer, LightningOptimizer)
        assert isinstance(scheduler, LRScheduler)
        optimizer.step()
        scheduler.step()
        ema_update(self.target_critic, self.critic, 1 - self.tau)
        if step < self.ema_start:
            ema_update(self.average, self.net, 0.0)
        elif step % self.ema_every == 0:
            ema_update(self.average, self.net, self.ema)
        self.log_sometimes(logs)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """One optimiser: the actor's parameters in its first group, the critics' in its second."""
        return build_optimizer(
            (self.optimizer, self.net.parameters()),
            (self.critic_optimizer, self.critic.parameters()),
            total_steps=int(self.trainer.estimated_stepping_batches),
        )

    def choose(
        self,
        s: Float[Tensor, "nk o"],
        a: Float[Tensor, "nk a"],
        candidates: int,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "n a"]:
        """Draw one of each observation's candidates with probability softmax(Q / temperature)."""
        q = rearrange(self.target_critic(s, a).amin(0), "(n k) -> n k", k=candidates)
        kept = torch.multinomial((q / self.temperature).softmax(1), 1, generator=generator)
        offered = rearrange(a, "(n k) a -> n k a", k=candidates)
        return offered.take_along_dim(kept.unsqueeze(2), 1).squeeze(1)
