"""Drifting policies: a map from noise to actions whose samples drift towards good actions.

Sources: drifting models (Deng et al. 2026), the Drift-Based Policy (arXiv 2604.03540), and the
Drifting Field Policy (Koo et al. 2026, arXiv 2605.07727), whose released code this follows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError, require_positive
from oneleap.core.sampling.ode import sample
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import Conditioned, Draw, Field, Loss, Objective, TeacherUse, TrainingBatch
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic, take_rows
from oneleap.domains.rl.algorithms.compiled_step import StepDraw, Weights
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.spec import Spec

SELF = 100.0
"""Distance of a sample from itself, so that it does not repel itself."""

LEAST = 1e-3
"""Smallest mean distance by which distances are divided."""


def drift(
    x: Float[Tensor, "b g d"],
    y: Float[Tensor, "b p d"],
    temperatures: tuple[float, ...],
    whole_mean: Callable[[Tensor], Tensor],
) -> tuple[Float[Tensor, "b g d"], Float[Tensor, ""]]:
    """Compute the force on samples: towards positives ``y``, away from each other.

    Let ``k_ij = exp(-|x_i - z_j| / (R m))`` for all ``z`` in samples and positives, with ``m`` the
    mean distance, and ``A = sqrt(k / k's row sum * k / k's column sum)``. With the sums ``P_i`` and
    ``N_i`` of ``A`` over positives and over other samples, the force of a temperature ``R`` is
    ``N_i sum_pos A_ij y_j - P_i sum_neg A_ij x_j``, which is ``N_i P_i`` times the difference of
    two mean shifts. It is divided by its root mean square over the batch. Forces of several
    temperatures add up.

    Args:
        x: Samples of the policy for each state.
        y: Actions that attract them.
        temperatures: Values of ``R``.
        whole_mean: Maps a mean over this process's batch to one over all processes.

    Returns:
        The force, and the unit of length in which it is measured. No gradient.
    """
    with torch.no_grad():
        x, g, d = x.detach(), x.shape[1], x.shape[2]
        z = torch.cat([x, y.detach()], 1)
        difference = x.unsqueeze(2) - z.unsqueeze(1)
        distance = difference.square().sum(3).clamp(min=1e-8).sqrt()
        mean = whole_mean(distance.mean())
        unit = (mean / math.sqrt(d)).clamp(min=LEAST)
        itself = torch.eye(g, z.shape[1], dtype=x.dtype, device=x.device)
        near = -(distance / mean.clamp(min=LEAST) + SELF * itself)
        force = torch.zeros_like(x)
        for temperature in temperatures:
            logits = near / temperature
            affinity = (logits.softmax(2) * logits.softmax(1)).clamp(min=1e-6).sqrt()
            repels, attracts = affinity[:, :, :g], affinity[:, :, g:]
            pull = attracts * repels.sum(2, keepdim=True)
            push = repels * attracts.sum(2, keepdim=True)
            one = torch.cat([-push, pull], 2) @ (z / unit)
            force += one / whole_mean(one.square().mean()).clamp(min=1e-8).sqrt()
        return force, unit


@dataclass(frozen=True)
class Drifting(Objective):
    """``|| x - sg(x + V(x)) ||^2`` for samples ``x = f(e, s)`` that drift to the data's action.

    ``V`` is the force of :func:`drift`. There are no times: ``f(e, s) = e - u(e, 0, 1; s)`` is the
    only use of the network. With :class:`oneleap.domains.rl.Policy` this is the Drift-Based Policy,
    a clone.

    Traps: ``V`` is divided by its own size, so the loss is about the squared number of temperatures
    throughout. Watch ``drift_unit``, the distance between samples and data, instead. Each state
    has one action of the data, and samples that begin at one point follow the mean of the data for
    thousands of steps. The network therefore adds to the noise (``residual`` of the policy is
    false), so that samples begin apart.

    Cost: ``samples`` forward and backward passes.

    Attributes:
        samples: Samples of the policy for each state.
        temperatures: Ranges of the kernel, in mean distances. The Drift-Based Policy has 0.02,
            0.05 and 0.2 with 4 samples.
        target_ema: Decay of the moving average that proposes actions to :class:`DFP`; ``None``
            takes them from the policy that acts.
    """

    teacher: ClassVar[TeacherUse] = "none"

    samples: int = 8
    temperatures: tuple[float, ...] = (0.1,)
    target_ema: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: One is not positive, or there are fewer than 2 samples.
        """
        if self.samples < 2 or not self.temperatures:
            raise InputError("Drifting needs 2 or more samples, and a temperature")
        require_positive(temperatures=min(self.temperatures))

    def target_decay(self, progress: float) -> float | None:
        """See :meth:`oneleap.core.types.Objective.target_decay`."""
        return self.target_ema

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw the noise of all samples, (b, samples, *d), and the interval [0, 1].

        Args:
            x: Data; only shape, dtype and device are used.
            generator: Source of the noise.
            progress: Unused.

        Returns:
            The draw.
        """
        shape = len(x), self.samples, *x.shape[1:]
        e = torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)
        return Draw(e, x.new_zeros(len(x)), x.new_ones(len(x)))

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """Drift to the data."""
        x = several(batch.field, draw.e)
        return self.towards(x, batch.x.unsqueeze(1), batch.mask, lambda mean: mean)

    def towards(
        self,
        x: Float[Tensor, "b g d"],
        y: Float[Tensor, "b p d"],
        mask: Tensor | None,
        whole_mean: Callable[[Tensor], Tensor],
    ) -> Loss:
        """Drift to the actions ``y``.

        Args:
            x: Samples.
            y: Actions that attract them.
            mask: Dimensions that are data, (b, d); the others neither attract nor repel.
            whole_mean: See :func:`drift`.

        Returns:
            The loss per state.
        """
        if mask is not None:
            x, y = x * mask.unsqueeze(1), y * mask.unsqueeze(1)
        force, unit = drift(x, y, self.temperatures, whole_mean)
        error = (x / unit - (x.detach() / unit + force)).square().mean((1, 2))
        return Loss(error, {"drift_unit": unit})


def several(field: Field, e: Float[Tensor, "b g d"]) -> Float[Tensor, "b g d"]:
    """Samples ``f(e, s)`` on [-1, 1], several for each state of a conditioned field."""
    assert isinstance(field, Conditioned)
    g = e.shape[1]
    repeated = Conditioned(field.net, tuple(c.repeat_interleave(g, 0) for c in field.cond))
    x = sample(repeated, rearrange(e, "b g d -> (b g) d")).clamp(-1, 1)
    return rearrange(x, "(b g) d -> b g d", g=g)


class DFP(ActorCritic):
    """Actor loss ``alpha L_drift(data) + improvement L_drift(best of its own actions)``.

    The positives of the second term are the ``positives`` best by Q of ``candidates`` actions of a
    slow average of the policy. No gradient of Q is needed. Both terms share the samples. The policy
    acts by the best of ``num_action_samples``, and the target takes the value of the best of as
    many, chosen by the latest critics and valued by the target critics.

    The authors train offline with ``improvement`` 0 and online with 0.5.

    Network evaluations per step: ``objective.samples``, ``num_action_samples`` for the target, and
    ``candidates`` with improvement.

    Deviations: actor and critics are updated together, see :class:`ActorCritic`. The target critics
    choose the action that is taken, where the authors have the latest ones. Mish replaces GELU.

    Args:
        spec: Sizes, ranges and statistics of the data.
        objective: Kernel and number of samples.
        alpha: Weight of the drift to the data.
        improvement: Weight of the drift to the best of the policy's own actions.
        candidates: Actions of the slow average for each state.
        positives: Number of the best of them that attract.
        num_action_samples: Actions sampled for each observation when acting and in the target.
        critic_config: Hyper-parameters of the critics.
        network: Sizes of actor and critics.
        temperature: Softmax temperature over Q when an action is selected; 0 selects the best.
        recipe: Settings of training. The latest weights act, so ``ema`` has no effect.
    """

    objective: Drifting

    def __init__(
        self,
        spec: Spec,
        objective: Drifting = Drifting(target_ema=0.9999),
        *,
        alpha: float = 1.0,
        improvement: float = 0.0,
        candidates: int = 16,
        positives: int = 4,
        num_action_samples: int = 16,
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
            ema_every=1,
            ema_start=0,
            temperature=temperature,
            recipe=replace(recipe, ema=0.0),
        )
        self.refuse_max_q_backup()
        require_positive(positives=positives, num_action_samples=num_action_samples)
        if positives > candidates:
            raise InputError(f"positives: {positives} of {candidates} candidates")
        self.alpha, self.improvement = alpha, improvement
        self.candidates, self.positives = candidates, positives
        self.num_action_samples = num_action_samples

    def generate(
        self,
        field: Field,
        noise: Float[Tensor, "b a"],
        steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b a"]:
        """Generate actions in one step; the map knows no times between.

        Args:
            field: Field given the observations.
            noise: Noise from :meth:`noise`.
            steps: Unused.
            generator: Unused.

        Returns:
            Actions on [-1, 1].
        """
        return super().generate(field, noise)

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
            gradient_step: Gradient steps before this one.
            progress: Share of the training run that is done.

        Returns:
            The draw; ``noise`` is that of the candidates, (candidates, b, a).
        """
        drawn, n = super().draw(batch, generator, gradient_step, progress), len(batch.act)
        drawn = drawn._replace(next_noise=self.noise(n * self.num_action_samples, generator))
        if self.improvement > 0:
            noise = self.noise(n * self.candidates, generator)
            drawn = drawn._replace(noise=rearrange(noise, "(k b) a -> k b a", b=n))
        return drawn

    def target_value(self, batch: Transitions, draw: StepDraw) -> Float[Tensor, "b"]:
        """Value of the best of several next actions, by the latest critics."""
        s2 = self.normalize_obs(batch.next_obs)
        return self.best_next_value(s2, draw.next_noise, self.num_action_samples, self.critic)

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, q_scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Drift to the data, and to the best of the policy's own actions.

        Args:
            actor: Weights of the actor.
            batch: Transitions.
            draw: Randomness of the step.
            q_scale: Unused.

        Returns:
            The loss, and figures to log.
        """
        bound = self.bind(batch, self.net_with(actor))
        x = several(bound.field, draw.imitation.e)
        data = bound.x.unsqueeze(1)
        imitation = self.objective.towards(x, data, bound.mask, self.whole_mean)
        loss = self.alpha * imitation.per_sample.mean()
        if self.improvement > 0:
            best = self.best_actions(bound, self.normalize_obs(batch.obs), draw.noise)
            better = self.objective.towards(x, best, None, self.whole_mean)
            loss = loss + self.improvement * better.per_sample.mean()
        return loss, {"actor_loss": loss.detach(), **imitation.logs}

    def best_actions(
        self, bound: TrainingBatch, s: Float[Tensor, "b o"], noise: Float[Tensor, "k b a"]
    ) -> Float[Tensor, "b p a"]:
        """The ``positives`` best by Q of the actions that the slow average makes of the noise."""
        assert bound.target is not None
        with torch.no_grad():
            actions = several(bound.target, rearrange(noise, "k b a -> b k a"))
            k = actions.shape[1]
            q = self.aggregate_q(
                self.critic(s.repeat_interleave(k, 0), rearrange(actions, "b k a -> (b k) a"))
            )
            return take_rows(
                actions, rearrange(q, "(b k) -> b k", k=k).topk(self.positives).indices
            )
