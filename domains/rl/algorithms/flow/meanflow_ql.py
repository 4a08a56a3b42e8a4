"""MeanFlowQL (Wang et al. 2025, arXiv 2511.13035): MeanFlow in residual form climbs Q directly."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import relu

from oneleap.core.errors import require_positive
from oneleap.core.fields.jvp import total_derivative
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.paths.base import LinearPath, expand
from oneleap.core.sampling.ode import sample
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import (
    Draw,
    Loss,
    Objective,
    TeacherUse,
    TrainingBatch,
    noise_like,
)
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.compiled_step import StepDraw, Weights
from oneleap.domains.rl.algorithms.flow.fql import mean_value
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.spec import Spec


@dataclass(frozen=True)
class ResidualMeanFlow(Objective):
    """MeanFlow over ``[0, t]`` for ``g(z, t) = z - u(z, 0, t)``, with a clipped target.

    The target is ``sg clip(z + (t - 1) v - t dg/dt, -clip, clip)``. Unclipped it is MeanFlow's
    identity at ``r = 0``. The error ``E``, a mean over dimensions, is weighted by
    ``sg (E + c)^-power``. The consistency term is ``|| a(t1) - sg a(t2) ||^2`` with
    ``a(t) = z_t - t (z_t - g(z_t, t))``, the action that the field predicts from ``z_t``.

    Cost: 1 forward and backward pass with a forward tangent, and 1 forward pass with consistency.

    Deviation: the consistency term takes noise and ``t1`` from the main term, which saves a pass.

    Attributes:
        grid: Number of times ``k / grid``; above 1000 times are uniform.
        clip: Largest magnitude of the target.
        power: Power of the weight; 0 for none.
        c: Constant of the weight.
        consistency: Weight of the consistency term; 0 in the authors' code.
    """

    teacher: ClassVar[TeacherUse] = "none"

    grid: int = 10_000
    clip: float = 5.0
    power: float = 0.2
    c: float = 1e-4
    consistency: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: One is not positive.
        """
        require_positive(grid=self.grid, clip=self.clip, c=self.c)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise, ``r = 0``, and two independent times ``t`` and ``s``.

        Args:
            x: Data; only shape, dtype and device are used.
            generator: Source of all draws.
            progress: Unused.

        Returns:
            The draw.
        """
        e = noise_like(x, generator)
        t, s = torch.rand(2, len(x), generator=generator, dtype=x.dtype, device=x.device)
        if self.grid <= 1000:
            t, s = (((c * self.grid).floor() + 1) / self.grid for c in (t, s))
        return Draw(e, torch.zeros_like(t), t, s=s)

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """Weighted squared error of ``g``, plus consistency."""
        assert draw.s is not None
        path, r, t, s = LinearPath(), draw.r, draw.t, draw.s
        z, v = path.point(batch.x, draw.e, t), path.velocity(batch.x, draw.e)
        u, dudt = total_derivative(batch.field, z, r, t, v)
        g, dgdt = z - u, v - dudt
        target = (z + expand(t - 1, z) * v - expand(t, z) * dgdt).clamp(-self.clip, self.clip)
        error = masked_mean((g - target.detach()).square(), batch.mask)
        loss = error * (error.detach() + self.c).pow(-self.power)
        logs = {"flow_loss": loss.detach().mean(), "meanflow_error": error.detach().mean()}
        if self.consistency > 0:
            with torch.no_grad():
                later = path.point(batch.x, draw.e, s)
                other = later - expand(s, z) * batch.field(later, r, s)
            gap = masked_mean((z - expand(t, z) * u - other).square(), batch.mask)
            loss = loss + self.consistency * gap
            logs["consistency"] = gap.detach().mean()
        return Loss(loss, logs)


@dataclass(frozen=True)
class AdaptiveAlpha:
    """Changes the weight of imitation when its loss leaves the range of its past.

    After every ``every`` steps the loss is compared with the mean of its last ``window`` values
    there: above ``threshold`` times the mean the weight grows by ``up``, below ``1 / threshold`` it
    shrinks by ``down``. It stays within [0.1, 10] times its first value, and unchanged in the first
    ``warmup`` of the run.

    Attributes:
        every: Gradient steps between two comparisons.
        threshold: Factor from the mean at which the weight changes.
        up: Factor of growth.
        down: Factor of shrinkage.
        window: Number of values in the mean.
        warmup: Share of the run without changes.
    """

    every: int = 2000
    threshold: float = 5.0
    up: float = 1.2
    down: float = 0.8
    window: int = 20
    warmup: float = 0.1

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: ``every`` or ``window`` is not positive.
        """
        require_positive(every=self.every, window=self.window)

    def next(
        self, alpha: Float[Tensor, ""], first: float, loss: Float[Tensor, ""], past: Tensor
    ) -> Float[Tensor, ""]:
        """Return the next weight.

        Args:
            alpha: Present weight.
            first: Weight at the start of the run.
            loss: Present loss of imitation.
            past: Its values at the last comparisons; at least two are needed for a change.

        Returns:
            The weight.
        """
        if len(past) < 2:
            return alpha
        mean = past.mean()
        alpha = torch.where(loss > mean * self.threshold, alpha * self.up, alpha)
        alpha = torch.where(loss < mean / self.threshold, alpha * self.down, alpha)
        return alpha.clamp(0.1 * first, 10 * first)


class MeanFlowQL(ActorCritic):
    """Actor loss ``-E[Q(s, clip a)] + E[relu(a - 1) + relu(-1 - a)] + alpha L_flow``.

    The action ``a = g(s, e, 1)`` is the output of the network itself: ``g = z - u``, and
    ``L_flow`` is :class:`ResidualMeanFlow`. There is no student: the field that clones is the one
    that climbs Q. ``alpha`` decays as a cosine to a tenth, or adapts, see :class:`AdaptiveAlpha`.
    The target takes the best of half as many actions as the policy acts by, by the target critics.

    Network evaluations per step: 1 with a tangent, 1 for the actor's action, and
    ``num_action_samples // 2`` for the target.

    Deviations: actor and critics are updated together, see :class:`ActorCritic`. A perceptron
    replaces the authors' transformer of action tokens. Their released code takes all N actions in
    the target, because it fails to halve their number; the paper has N / 2. A changed ``alpha``
    holds from the next step on. The learning rate decays to 0 where theirs ends at a tenth.

    Args:
        spec: Sizes, ranges and statistics of the data.
        objective: The imitation loss.
        alpha: Weight of imitation at the start, per task: 10 in the code's defaults, 2000 to 6000
            in its examples.
        schedule: ``adaptive`` or ``cosine``.
        adaptive: Settings of the former.
        normalize_q: Whether to divide the value by its magnitude over the policy's actions.
        num_action_samples: Actions sampled for each observation; the best by Q acts.
        critic_config: Hyper-parameters of the critics.
        network: Sizes of actor and critics.
        temperature: Softmax temperature over Q when an action is selected; 0 selects the best.
        recipe: Settings of training. The latest weights act, so ``ema`` has no effect.
    """

    def __init__(
        self,
        spec: Spec,
        objective: ResidualMeanFlow = ResidualMeanFlow(),
        *,
        alpha: float = 10.0,
        schedule: Literal["adaptive", "cosine"] = "adaptive",
        adaptive: AdaptiveAlpha = AdaptiveAlpha(),
        normalize_q: bool = False,
        num_action_samples: int = 5,
        critic_config: CriticConfig = CriticConfig(layer_norm=True, q_agg="mean"),  # noqa: B008
        network: NetworkConfig = NetworkConfig(width=512, depth=4),  # noqa: B008  (frozen)
        temperature: float = 0.0,
        recipe: Recipe = Recipe(ema=0.0, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        super().__init__(
            spec,
            objective,
            eta=1.0,
            critic_config=critic_config,
            network=network,
            residual=True,
            ema_every=1,
            ema_start=0,
            temperature=temperature,
            recipe=replace(recipe, ema=0.0),
        )
        self.refuse_max_q_backup()
        require_positive(num_action_samples=num_action_samples)
        self.alpha, self.schedule, self.adaptive = alpha, schedule, adaptive
        self.normalize_q, self.num_action_samples = normalize_q, num_action_samples
        self.now: Tensor
        self.past: Tensor
        self.known: Tensor
        self.register_buffer("now", torch.tensor(float(alpha)))
        self.register_buffer("past", torch.zeros(adaptive.window))
        self.register_buffer("known", torch.tensor(0))

    @property
    def backup_samples(self) -> int:
        """Number of next actions, of which the target takes the best."""
        return max(1, self.num_action_samples // 2)

    def draw(
        self,
        batch: Transitions,
        generator: torch.Generator,
        gradient_step: int = 0,
        progress: float = 0.0,
    ) -> StepDraw:
        """Draw the randomness of one step, and set the weight of imitation.

        Args:
            batch: Transitions.
            generator: Source of all draws.
            gradient_step: Gradient steps before this one.
            progress: Share of the training run that is done.

        Returns:
            The draw.
        """
        drawn = super().draw(batch, generator, gradient_step, progress)
        n = len(batch.act) * self.backup_samples
        cosine = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress))
        alpha = torch.tensor(self.alpha * cosine) if self.schedule == "cosine" else self.now.clone()
        return drawn._replace(next_noise=self.noise(n, generator), alpha=alpha)

    def after_step(self, logs: dict[str, Tensor], gradient_step: int, progress: float) -> None:
        """Adapt the weight of imitation; see :class:`AdaptiveAlpha`.

        Args:
            logs: Figures of the step.
            gradient_step: Number of gradient steps that are done.
            progress: Share of the training run that is done.
        """
        if self.schedule != "adaptive" or gradient_step % self.adaptive.every:
            return
        with torch.no_grad():
            loss = self.whole_mean(logs["flow_loss"])
            if progress >= self.adaptive.warmup:
                past = self.past[len(self.past) - int(self.known) :]
                self.now.copy_(self.adaptive.next(self.now, self.alpha, loss, past))
            self.past.copy_(torch.cat([self.past[1:], loss.reshape(1)]))
            self.known.add_(1).clamp_(max=self.adaptive.window)

    def target_value(self, batch: Transitions, draw: StepDraw) -> Float[Tensor, "b"]:
        """Value of the best of several next actions."""
        s2 = self.normalize_obs(batch.next_obs)
        return self.best_next_value(s2, draw.next_noise, self.backup_samples)

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, q_scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Imitation, minus the value, plus what leaves the range of actions.

        Args:
            actor: Weights of the actor.
            batch: Transitions.
            draw: Randomness of the step.
            q_scale: Unused.

        Returns:
            The loss, and figures to log.
        """
        assert draw.alpha is not None
        bound = self.bind(batch, self.net_with(actor))
        imitation = self.objective.loss(bound, draw.imitation)
        action, s = sample(bound.field, draw.noise), self.normalize_obs(batch.obs)
        outside = (relu(action - 1) + relu(-1 - action)).mean()
        value, scale = self.actor_value(s, action.clamp(-1, 1), draw.critic_index, q_scale)
        loss = draw.alpha * imitation.per_sample.mean() + outside - value / scale
        logs = {"actor_loss": loss, "q_policy": value, "outside": outside, "alpha": draw.alpha}
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
            action: Actions on [-1, 1].
            critic_index: Unused.
            q_scale: Unused.

        Returns:
            The value, and the scale that divides it, as in FQL.
        """
        value, scale = mean_value(self.critic(s, action), self.normalize_q)
        return value, self.whole_mean(scale) if self.normalize_q else scale
