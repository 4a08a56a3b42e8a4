"""The base of all actor-critic algorithms: a generative policy and an ensemble of Q functions.

This module is plain PyTorch: losses, gradients, draws and action selection. The training step is in
:mod:`oneleap.domains.rl.algorithms.training`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call, grad_and_value

from oneleap.core.errors import InputError, require_positive
from oneleap.core.training.ema import PowerEMA, frozen_copy
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import Conditioned, Objective
from oneleap.domains.rl.algorithms.compiled_step import StepDraw, Weights
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.algorithms.processes import mean_weights, process_mean
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.nets.critics import Critic
from oneleap.domains.rl.spec import Spec

if TYPE_CHECKING:
    import lightning as L


class ActorCritic(Policy):
    """Actor loss ``alpha L_imitation - eta E[Q1(s, a)] / E|Q2|``; clipped double Q-learning.

    The class itself is Diffusion-QL's scheme (arXiv 2208.06193) for any objective of the core. An
    algorithm overrides the term in which it differs: :meth:`generate`, :meth:`target_value`,
    :meth:`actor_value`, :meth:`actor_loss` or :meth:`critic_loss`.

    Network evaluations per step: those of the objective, those of one generated action for the
    actor, and those of one for the target (``backup_actions`` with the max-Q backup).

    Deviation of all algorithms: the gradients of actor and critics are taken at the same weights,
    so that one compiled graph contains the whole step. Their authors update the critics first.

    With chunks (``chunk`` of the data), the action is a chunk of h actions, and ``r`` and
    ``discount`` are the discounted rewards of its steps and ``gamma^h``. Chunks that cross the end
    of an episode have no weight in the critic's loss, and the imitation loss ignores their actions
    beyond it (Q-chunking, Li et al. 2025, arXiv 2507.07969).

    Args:
        spec: Sizes, ranges and statistics of the data.
        objective: Imitation objective.
        eta: Weight of the value against imitation.
        critic_warmup: Gradient steps of pure imitation, while the critics learn the values of the
            data. An actor that maximizes untrained critics stays where their first guess leads it,
            if one action changes the value little (PointMaze) and ``eta`` must be large.
        critic_config: Hyper-parameters of the critics.
        network: Sizes of actor and critics.
        residual: Whether the actor predicts a change of ``z``, see :class:`Policy`.
        ema_every: Gradient steps between two updates of the policy's moving average, which acts and
            proposes next actions.
        ema_start: Gradient step at which averaging starts. Before it, the average is a copy.
        temperature: Softmax temperature over Q when one of several actions is selected; 0 selects
            the best.
        recipe: Settings of training; its optimizer is that of the actor.
    """

    alpha: float = 1.0
    """Weight of imitation."""

    policy_delay: int = 1
    """Updates of the critics per update of the actor and of all averages, as in TD3."""

    processes: int = 1
    """Number of processes that train together; the training module sets it."""

    def __init__(
        self,
        spec: Spec,
        objective: Objective,
        *,
        eta: float = 0.1,
        critic_warmup: int = 0,
        critic_config: CriticConfig = CriticConfig(),  # noqa: B008  (frozen)
        network: NetworkConfig = NetworkConfig(),  # noqa: B008  (frozen)
        residual: bool = False,
        ema_every: int = 5,
        ema_start: int = 1000,
        temperature: float = 1.0,
        recipe: Recipe = Recipe(ema=0.995, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        super().__init__(spec, objective, network=network, residual=residual, recipe=recipe)
        require_positive(ema_every=ema_every)
        if isinstance(recipe.ema, PowerEMA):
            raise InputError(f"recipe.ema: {type(self).__name__} takes a decay, not a schedule")
        self.ema_decay: float = recipe.ema
        self.eta, self.critic_warmup, self.critic_config = eta, critic_warmup, critic_config
        self.ema_every, self.ema_start = ema_every, ema_start
        self.temperature = temperature
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed + 1)
            self.critic = self.build_critic()
        self.target_critic = frozen_copy(self.critic)

    def lightning_module(self) -> "L.LightningModule":
        """See :meth:`oneleap.core.Trainable.lightning_module`."""
        from oneleap.domains.rl.algorithms.training import ActorCriticModule

        return ActorCriticModule(self)

    def build_critic(self) -> Critic:
        """Build the critics."""
        return Critic(
            self.spec.obs_dim,
            self.spec.chunk_dim,
            self.network.width,
            self.network.depth,
            self.critic_config.members,
            layer_norm=self.critic_config.layer_norm,
            frequencies=self.critic_config.frequencies,
        )

    def critic_loss(
        self, critic: Weights, batch: Transitions, draw: StepDraw
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "m b"]]:
        """Loss of the critics, ``sum_i E (Q_i(s, a) - [r + discount V(s')])^2``.

        Args:
            critic: Weights of the critics.
            batch: Transitions.
            draw: Randomness of the step.

        Returns:
            The loss, and ``Q_i(s, a)`` without gradient.
        """
        with torch.no_grad():
            target = batch.reward + batch.discount * self.target_value(batch, draw)
        s, a = self.normalize_obs(batch.obs), self.data(batch)
        q = functional_call(self.critic, critic, (s, a))
        return self.squared_error(q, target, batch), q.detach()

    def squared_error(
        self, q: Float[Tensor, "m b"], target: Float[Tensor, "b"], batch: Transitions
    ) -> Float[Tensor, ""]:
        """Squared error of all critics; chunks that cross the end of an episode count 0.

        Args:
            q: Values, one row per critic.
            target: Their target.
            batch: Transitions.

        Returns:
            The sum over critics of the mean over the whole batch.
        """
        error = (q - target).square()
        return (error if batch.valid is None else error * batch.valid[:, -1]).mean(1).sum()

    def target_value(self, batch: Transitions, draw: StepDraw) -> Float[Tensor, "b"]:
        """Value ``V(s')`` that the target adds to the reward."""
        return self.next_value(self.normalize_obs(batch.next_obs), draw.next_noise)

    def next_value(
        self, s2: Float[Tensor, "b o"], noise: Float[Tensor, "*n kb a"]
    ) -> Float[Tensor, "b"]:
        """Value of states by the target critics, for actions of the average policy.

        Args:
            s2: Normalized observations.
            noise: Noise of their actions; ``backup_actions`` per state with the max-Q backup.

        Returns:
            The aggregate over critics of the value, or of the best value of the actions.
        """
        config = self.critic_config
        k = config.backup_actions if config.max_q_backup else 1
        s2 = s2.repeat_interleave(k, dim=0) if k > 1 else s2
        a2 = self.generate(Conditioned(self.average, (s2,)), noise)
        q: Tensor = self.target_critic(s2, a2)
        return self.aggregate_q(rearrange(q, "m (b k) -> m b k", k=k).amax(2))

    def best_next_value(
        self,
        s2: Float[Tensor, "b o"],
        noise: Float[Tensor, "*n kb a"],
        k: int,
        judge: Critic | None = None,
    ) -> Float[Tensor, "b"]:
        """Value of states by the target critics, for the best of ``k`` actions of the policy.

        Args:
            s2: Normalized observations.
            noise: Noise of their actions, ``k`` per state in a row.
            k: Number of actions.
            judge: Critics by whose aggregate the best is chosen; by default the target critics.

        Returns:
            The aggregate of the target critics.
        """
        repeated = s2.repeat_interleave(k, dim=0) if k > 1 else s2
        a2 = self.generate(Conditioned(self.average, (repeated,)), noise)
        if k == 1:
            return self.aggregate_q(self.target_critic(s2, a2))
        q = self.aggregate_q((judge or self.target_critic)(repeated, a2))
        best = rearrange(q, "(b k) -> b k", k=k).argmax(1)
        a2 = take_rows(rearrange(a2, "(b k) a -> b k a", k=k), best.unsqueeze(1)).squeeze(1)
        return self.aggregate_q(self.target_critic(s2, a2))

    def aggregate_q(self, q: Float[Tensor, "m b"]) -> Float[Tensor, "b"]:
        """Reduce the values of all critics to one: the least, or ``mean - rho std``."""
        return self.critic_config.aggregate(q)

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, q_scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Loss of the actor: imitation minus the scaled value of its own actions.

        Args:
            actor: Weights of the actor.
            batch: Transitions.
            draw: Randomness of the step.
            q_scale: ``E|Q2(s, a)|`` over the data, for algorithms that scale the value by it.

        Returns:
            The loss, and figures to log.
        """
        bound = self.bind(batch, self.net_with(actor))
        imitation = self.objective.loss(bound, draw.imitation)
        action = self.generate(bound.field, draw.noise)
        s = self.normalize_obs(batch.obs)
        value, scale = self.actor_value(s, action, draw.critic_index, q_scale)
        loss = self.alpha * imitation.per_sample.mean() - draw.eta * value / scale
        logs = {"actor_loss": loss.detach(), "q_policy": value.detach(), **imitation.logs}
        return loss, logs

    def actor_value(
        self,
        s: Float[Tensor, "b o"],
        action: Float[Tensor, "b a"],
        critic_index: Int[Tensor, "1"],
        q_scale: Float[Tensor, ""],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Value that the actor maximizes.

        Args:
            s: Normalized observations.
            action: Actions of the actor on [-1, 1].
            critic_index: Index of the critic that this step maximizes.
            q_scale: ``E|Q2(s, a)|`` over the data.

        Returns:
            The value, and the scale that divides it.
        """
        return self.critic(s, action, critic_index).mean(), self.whole_mean(q_scale)

    def other_critic(self, index: Int[Tensor, "1"]) -> Int[Tensor, "1"]:
        """Index of the critic whose magnitude divides the value of the critic ``index``."""
        return (index + 1) % self.critic_config.members

    def whole_mean(self, mean: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Mean over the batches of all processes, from that over the batch of this one.

        A scale that divides the value is not linear in the batch, so that a mean of gradients needs
        it to be equal on all processes.

        Args:
            mean: Mean over this batch, without gradient.

        Returns:
            The mean, without gradient.
        """
        return process_mean(mean) if self.processes > 1 else mean

    def net_with(self, actor: Weights) -> Callable[..., Tensor]:
        """The actor's network with other weights, called as ``net(z, r, t, s)``."""

        def net(*args: Tensor, **kwargs: Any) -> Tensor:
            out: Tensor = functional_call(self.net, actor, args, kwargs)
            return out

        return net

    def gradients(
        self, batch: Transitions, draw: StepDraw, update_actor: bool = True
    ) -> tuple[Weights, Weights, dict[str, Tensor]]:
        """Gradients of both losses at the present weights, over the batches of all processes.

        Args:
            batch: Transitions.
            draw: Randomness of the step.
            update_actor: Whether to compute those of the actor too.

        Returns:
            Gradients of the actor (empty without ``update_actor``), gradients of the critics, and
            figures to log.
        """
        actor: Weights = dict(self.net.named_parameters())
        critic: Weights = dict(self.critic.named_parameters())
        dcritic, (loss, q) = grad_and_value(self.critic_loss, has_aux=True)(critic, batch, draw)
        logs = {"critic_loss": loss.detach(), "q": q.mean()}
        if not update_actor:
            dactor: Weights = {}
            return *self._over_processes(dactor, dcritic), logs
        q_scale = q.index_select(0, self.other_critic(draw.critic_index)).abs().mean()
        actor_gradients = grad_and_value(self.actor_loss, has_aux=True)
        dactor, (_, more) = actor_gradients(actor, batch, draw, q_scale)
        return *self._over_processes(dactor, dcritic), {**more, **logs}

    def _over_processes(self, dactor: Weights, dcritic: Weights) -> tuple[Weights, Weights]:
        """Average gradients over the processes."""
        if self.processes == 1:
            return dactor, dcritic
        dactor, dcritic = mean_weights(dactor, dcritic)
        return dactor, dcritic

    def draw(
        self,
        batch: Transitions,
        generator: torch.Generator,
        gradient_step: int = 0,
        progress: float = 0.0,
    ) -> StepDraw:
        """Draw the randomness of one step.

        Args:
            batch: Transitions.
            generator: Source of all draws.
            gradient_step: Gradient steps before this one, for ``critic_warmup``.
            progress: Share of the training run that is done, for the objective.

        Returns:
            The draw.
        """
        config = self.critic_config
        n, k = len(batch.act), config.backup_actions if config.max_q_backup else 1
        return StepDraw(
            self.objective.draw(batch.act, generator, progress),
            self.noise(n * k, generator),
            self.noise(n, generator),
            torch.randint(config.members, (1,), generator=generator, device=batch.act.device),
            torch.tensor(self.eta if gradient_step >= self.critic_warmup else 0.0),
        )

    def after_step(self, logs: dict[str, Tensor], gradient_step: int, progress: float) -> None:
        """Adapt settings that change during training; by default none do.

        Args:
            logs: Figures of the step.
            gradient_step: Number of gradient steps that are done, this one included.
            progress: Share of the training run that is done.
        """

    def select_action(
        self,
        s: Float[Tensor, "nk o"],
        a: Float[Tensor, "nk a"],
        num_action_samples: int,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "n a"]:
        """Select one action of each observation with probability softmax(Q / temperature).

        Args:
            s: Normalized observations, each repeated ``num_action_samples`` times.
            a: Sampled actions on [-1, 1].
            num_action_samples: Actions sampled for each observation.
            generator: Source of the selection.

        Returns:
            The selected actions.
        """
        k = num_action_samples
        q = rearrange(self.aggregate_q(self.target_critic(s, a)), "(n k) -> n k", k=k)
        if self.temperature > 0:
            index = torch.multinomial((q / self.temperature).softmax(1), 1, generator=generator)
        else:
            index = q.argmax(1, keepdim=True)
        return take_rows(rearrange(a, "(n k) a -> n k a", k=k), index).squeeze(1)

    def refuse_max_q_backup(self) -> None:
        """Refuse ``critic_config.max_q_backup``, in algorithms that have none.

        Raises:
            InputError: It is set.
        """
        if self.critic_config.max_q_backup:
            name = type(self).__name__
            raise InputError(f"critic_config.max_q_backup: {name} has no max-Q backup")


def take_rows(x: Float[Tensor, "b k a"], index: Int[Tensor, "b j"]) -> Float[Tensor, "b j a"]:
    """Take ``j`` of the ``k`` rows of each element of a batch."""
    return x.take_along_dim(index.unsqueeze(2), 1)
