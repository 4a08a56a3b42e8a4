"""What actor-critic algorithms share: a generative policy, an ensemble of Q, one compiled step."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.func import functional_call, grad_and_value
from torch.optim.lr_scheduler import LRScheduler

from oneleap.core.errors import positive
from oneleap.core.training.ema import ema_update, frozen_copy
from oneleap.core.training.optim import AdamConfig, build_optimizer
from oneleap.core.types import Conditioned, Draw, Objective
from oneleap.domains.rl.algorithms.compiled_step import StepGraph
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Spec
from oneleap.domains.rl.nets.critics import Critic

Weights = dict[str, Tensor]


class StepDraw(NamedTuple):
    """The randomness of one step; noise is what :meth:`Policy.generate` takes."""

    imitation: Draw
    next_noise: Float[Tensor, "*n kb a"]
    noise: Float[Tensor, "*n b a"]
    judge: Int[Tensor, "1"]
    """Which critic's value the actor climbs; the other's scales it."""
    eta: Float[Tensor, ""]
    """Weight of the value at this step."""


class ActorCritic(Policy):
    """Actor ``alpha L_imitation - eta E[Q1(s, a)] / E|Q2|``, critics by clipped double Q-learning.

    As it stands, Diffusion-QL's scheme (arXiv 2208.06193) for any objective of the core; algorithms
    override the term in which they differ: how an action is generated, what is backed up, what the
    actor climbs. Network evaluations per step: the objective's, and a generated action's for the
    actor and for the target (``backup_actions`` times that with the max-Q backup).

    Deviation, in all of them: the gradients of actor and critics are taken at the same weights, so
    that one compiled graph holds the step, where their authors update the critics first.

    Args:
        spec: Sizes, ranges and statistics of the data.
        objective: How the policy imitates.
        eta: Weight of the value against imitation.
        critic_warmup: Gradient steps of imitation alone, while the critics learn the data's values.
            Where one action changes the value little (PointMaze) and ``eta`` must be large, an
            actor that climbs untrained critics settles where their first guess leads.
        tau: Rate of the target critics, every step.
        max_q_backup: Back up the best of ``backup_actions`` next actions (AntMaze).
        backup_actions: Next actions per state under the max-Q backup.
        width: Units per hidden layer, of actor and critics.
        depth: Hidden layers.
        time_dim: Size of each set of time features.
        residual: Of the actor, see :class:`Policy`.
        optimizer: Of the actor.
        critic_optimizer: Of the critics.
        layer_norm: In the critics.
        frequencies: Of the critics, see :class:`oneleap.domains.rl.nets.critics.Critic`; for mazes.
        ema: Decay of the policy's moving average, which acts and proposes next actions.
        ema_every: Gradient steps between its updates.
        ema_start: Until this step the average is a plain copy.
        temperature: Of the softmax over Q that chooses a candidate; 0 takes the best.
        seed: Of initial weights and of all draws of training.
        compile_loss: Run steps through ``torch.compile``, see :class:`StepGraph`.
        teacher: Model folder of a policy to distil, by an objective that does so.
        from_teacher: Start from the teacher's weights.
    """

    alpha: float = 1.0
    """Weight of imitation."""

    q_agg: Literal["min", "mean"] = "min"
    """What the critics of an ensemble are made one value by."""

    actor_every: int = 1
    """Steps of the critics to one of the actor and of all averages, TD3's delay."""

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
        residual: bool = False,
        optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        critic_optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        layer_norm: bool = False,
        frequencies: int = 0,
        ema: float = 0.995,
        ema_every: int = 5,
        ema_start: int = 1000,
        temperature: float = 1.0,
        seed: int = 0,
        compile_loss: bool = True,
        teacher: str | None = None,
        from_teacher: bool = False,
    ) -> None:
        super().__init__(
            spec,
            objective,
            width=width,
            depth=depth,
            time_dim=time_dim,
            residual=residual,
            optimizer=optimizer,
            ema=ema,
            seed=seed,
            compile_loss=compile_loss,
            teacher=teacher,
            from_teacher=from_teacher,
        )
        positive(tau=tau, backup_actions=backup_actions, ema_every=ema_every)
        self.automatic_optimization = False
        self.eta, self.critic_warmup, self.tau = eta, critic_warmup, tau
        self.max_q_backup, self.backup_actions = max_q_backup, backup_actions
        self.critic_optimizer, self.temperature = critic_optimizer, temperature
        self.ema_every, self.ema_start = ema_every, ema_start
        self.layer_norm, self.frequencies = layer_norm, frequencies
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self.critic = self.build_critic()
        self.target_critic = frozen_copy(self.critic)
        self._graph: StepGraph | None = None

    def build_critic(self) -> Critic:
        """The critics."""
        sizes = self.spec.obs_dim, self.spec.act_dim, self.width, self.depth
        return Critic(*sizes, layer_norm=self.layer_norm, frequencies=self.frequencies)

    def critic_loss(
        self, critic: Weights, batch: Transitions, draw: StepDraw
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "m b"]]:
        """``sum_i E (Q_i(s, a) - [r + discount V(s')])^2``, and the ``Q_i(s, a)``."""
        with torch.no_grad():
            target = batch.reward + batch.discount * self.backup(batch, draw)
        s, a = self.observe(batch.obs), self.data(batch)
        q = functional_call(self.critic, critic, (s, a))
        return (q - target).square().mean(1).sum(), q.detach()

    def backup(self, batch: Transitions, draw: StepDraw) -> Float[Tensor, "b"]:
        """Value of what comes after the step."""
        return self.next_value(self.observe(batch.next_obs), draw.next_noise)

    def next_value(
        self, s2: Float[Tensor, "b o"], noise: Float[Tensor, "*n kb a"]
    ) -> Float[Tensor, "b"]:
        """``min_j`` over target critics of the value, or of the best value, of EMA actions."""
        k = self.backup_actions if self.max_q_backup else 1
        s2 = s2.repeat_interleave(k, dim=0) if k > 1 else s2
        a2 = self.generate(Conditioned(self.average, (s2,)), noise)
        q: Tensor = self.target_critic(s2, a2)
        return self.pooled(rearrange(q, "m (b k) -> m b k", k=k).amax(2))

    def pooled(self, q: Float[Tensor, "m b"]) -> Float[Tensor, "b"]:
        """One value of those of all critics."""
        return q.amin(0) if self.q_agg == "min" else q.mean(0)

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Imitation minus the value of the policy's own action in its unit.

        ``scale`` is ``E|Q2(s, a)|`` over the data, for algorithms that take it as the unit.
        """
        bound = self.bind(batch, self.net_of(actor))
        imitation = self.objective.loss(bound, draw.imitation)
        action = self.generate(bound.field, draw.noise)
        value, unit = self.climbed(self.observe(batch.obs), action, draw.judge, scale)
        loss = self.alpha * imitation.per_sample.mean() - draw.eta * value / unit
        logs = {"actor_loss": loss.detach(), "q_policy": value.detach(), **imitation.logs}
        return loss, logs

    def climbed(
        self,
        s: Float[Tensor, "b o"],
        action: Float[Tensor, "b a"],
        judge: Int[Tensor, "1"],
        scale: Float[Tensor, ""],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The value that the actor climbs, and the unit it is measured in."""
        return self.critic(s, action, judge).mean(), scale

    def net_of(self, actor: Weights) -> Callable[..., Tensor]:
        """The network with other weights, ``net(z, r, t, s)``."""

        def net(*args: Tensor, **kwargs: Any) -> Tensor:
            out: Tensor = functional_call(self.net, actor, args, kwargs)
            return out

        return net

    def gradients(
        self, batch: Transitions, draw: StepDraw, whole: bool = True
    ) -> tuple[Weights, Weights, dict[str, Tensor]]:
        """Gradients of both losses at the present weights, and figures worth logging.

        Not ``whole``: of the critics alone, and none of the actor.
        """
        actor: Weights = dict(self.net.named_parameters())
        critic: Weights = dict(self.critic.named_parameters())
        dcritic, (loss, q) = grad_and_value(self.critic_loss, has_aux=True)(critic, batch, draw)
        logs = {"critic_loss": loss.detach(), "q": q.mean()}
        if not whole:
            return {}, dcritic, logs
        scale = q.index_select(0, 1 - draw.judge).abs().mean()
        dactor, (_, more) = grad_and_value(self.actor_loss, has_aux=True)(actor, batch, draw, scale)
        return dactor, dcritic, {**more, **logs}

    def draw(self, batch: Transitions, generator: torch.Generator) -> StepDraw:
        """Draw the randomness of one step."""
        n, k = len(batch.act), self.backup_actions if self.max_q_backup else 1
        return StepDraw(
            self.objective.draw(batch.act, generator, self.progress),
            self.noise(n * k, generator),
            self.noise(n, generator),
            torch.randint(2, (1,), generator=generator, device=batch.act.device),
            torch.tensor(self.eta if self.global_step >= self.critic_warmup else 0.0),
        )

    def on_fit_start(self) -> None:
        """Compile anew."""
        super().on_fit_start()
        self._graph = None

    def training_step(self, batch: Transitions, batch_idx: int) -> None:
        """One gradient step of actor and critics, then of their averages."""
        step = self.global_step
        whole = (step + 1) % self.actor_every == 0
        optimizer, scheduler = self.optimizers(), self.lr_schedulers()
        assert isinstance(optimizer, LightningOptimizer)
        assert isinstance(scheduler, LRScheduler)
        if self._graph is None and self.compile_loss:
            self._graph = StepGraph.of(self, optimizer.optimizer)
        with torch.no_grad():
            draw = self.draw(batch, self.generator())
            if self._graph is None:
                logs = self.plain_step(optimizer, batch, draw, whole)
            else:
                logs = self._graph(batch, draw, whole)
        scheduler.step()
        if whole and (step < self.ema_start or step % self.ema_every == 0):
            ema_update(self.average, self.net, self.ema if step >= self.ema_start else 0.0)
        self.log_sometimes(logs)

    def plain_step(
        self, optimizer: LightningOptimizer, batch: Transitions, draw: StepDraw, whole: bool
    ) -> dict[str, Tensor]:
        """What :class:`StepGraph` does, uncompiled; the first step of a run, and all if need be."""
        dactor, dcritic, logs = self.gradients(batch, draw, whole)
        parts = (self.net, self.optimizer, dactor), (self.critic, self.critic_optimizer, dcritic)
        for module, adam, gradients in parts:
            for name, parameter in module.named_parameters():
                parameter.grad = gradients.get(name)
            adam.clip_(module.parameters())
        optimizer.step()
        optimizer.zero_grad()
        if whole:
            ema_update(self.target_critic, self.critic, 1 - self.tau)
        return logs

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
        q = rearrange(self.pooled(self.target_critic(s, a)), "(n k) -> n k", k=candidates)
        if self.temperature > 0:
            kept = torch.multinomial((q / self.temperature).softmax(1), 1, generator=generator)
        else:
            kept = q.argmax(1, keepdim=True)
        offered = rearrange(a, "(n k) a -> n k a", k=candidates)
        return offered.take_along_dim(kept.unsqueeze(2), 1).squeeze(1)
