"""DSRL (Wagenmaker et al. 2025, arXiv 2506.15799): reinforcement learning of a generator's noise.

The variant with noise aliasing, as the code of QAM (Li, Levine 2026, arXiv 2601.14234) has it.
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from oneleap.core.errors import InputError, require_positive
from oneleap.core.nets.activation import Mish
from oneleap.core.nets.mlp import MLP
from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.samplers import EulerSampler, Sampler
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import Conditioned, Field, Objective
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.compiled_step import StepDraw, Weights
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.nets.critics import NoiseCritic
from oneleap.domains.rl.spec import Spec

LOG_STD = -20.0, 2.0
"""Bounds of the logarithm of the noise policy's standard deviation."""


class NoisePolicy(nn.Module):
    """A Gaussian policy over noise, squashed by tanh to ``[-bound, bound]``.

    Args:
        dim: Size of the noise.
        cond_dim: Size of an observation.
        width: Units per hidden layer.
        depth: Number of hidden layers.
        bound: Largest magnitude of the noise.
    """

    def __init__(self, dim: int, cond_dim: int, width: int, depth: int, bound: float) -> None:
        super().__init__()
        self.dim, self.cond_dim, self.width = dim, cond_dim, width
        self.depth, self.bound = depth, bound
        layers: list[nn.Module] = []
        for k in range(depth):
            layers += [nn.Linear(width if k else cond_dim, width), Mish()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 2 * dim))

    def forward(
        self, eps: Float[Tensor, "b dim"], s: Float[Tensor, "b o"]
    ) -> Float[Tensor, "b dim1"]:
        """Noise for the generator, and in the last column the logarithm of its density.

        The density is that of ``tanh``, before the factor ``bound``.

        Args:
            eps: Standard normal noise.
            s: Normalized observations.

        Returns:
            Both, (b, dim + 1).
        """
        mean, log_std = self.layers(s).chunk(2, dim=1)
        log_std = log_std.clamp(*LOG_STD)
        x = mean + log_std.exp() * eps
        normal = -0.5 * eps.square() - log_std - 0.5 * math.log(2 * math.pi)
        slope = 2 * (math.log(2) - x - softplus(-2 * x))  # log (1 - tanh(x)^2)
        log_density = (normal - slope).sum(1, keepdim=True)
        return torch.cat([self.bound * x.tanh(), log_density], dim=1)


class SteeredFlow(nn.Module):
    """A generator, and the policy that chooses its noise. A call evaluates the former.

    Args:
        base: Field of the generator.
        steer: The noise policy.
    """

    def __init__(self, base: MLP, steer: NoisePolicy) -> None:
        super().__init__()
        self.base, self.steer = base, steer
        self.log_temperature = nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor, r: Tensor, t: Tensor, s: Tensor, *, steer: bool = False) -> Tensor:
        """Field of the generator at ``(z, r, t, s)``, or what the noise policy makes of ``z``."""
        out: Tensor = self.steer(z, s) if steer else self.base(z, r, t, s)
        return out


class DSRL(ActorCritic):
    """Soft actor-critic whose action is the noise ``w`` of a generator ``G(s, w)`` of actions.

    The critic ``Q`` learns the value of actions, ``y = r + discount Q'(s', G(s', w'))``. A critic
    of noise learns from it, ``E (Q_w(s, e) - sg Q(s, G(s, e)))^2`` with normal ``e``, so that no
    gradient runs through ``G``. The noise policy has the loss ``E[c log p(w|s) - Q_w(s, w)]``, and
    the temperature ``c`` holds the entropy at ``-entropy`` per dimension.

    ``G`` is trained beside them by ``objective``, and its average generates. Or it is frozen: with
    ``recipe.teacher`` and ``recipe.from_teacher`` its weights are those of a trained policy, such
    as a one-step clone with ``objective`` MeanFlow and ``sampler`` FlowMapSampler. Both work
    offline, and online as continuation of a run.

    Network evaluations per step: 1 (none if frozen), and twice the steps of the sampler.

    Deviations: actor and critics are updated together, see :class:`ActorCritic`. The average of the
    noise policy acts and proposes next noise, where the authors have the latest. The original
    samples ``w`` in [-1.5, 1.5] and takes 10 to 20 steps of the critics per step online.

    Args:
        spec: Sizes, ranges and statistics of the data.
        objective: How the generator imitates the data.
        sampler: Sampler of the generator.
        noise_bound: Largest magnitude of the noise; 0.4 to 1.4 per task.
        entropy: Entropy per dimension that the temperature holds, with opposite sign.
        critic_config: Hyper-parameters of both kinds of critics.
        network: Sizes of generator, noise policy and critics.
        num_action_samples: Actions sampled for each observation when acting.
        temperature: Softmax temperature over Q when one of several is selected; 0 selects the best.
        recipe: Settings of training. Averages follow ``critic_config.tau``, so ``ema`` has no
            effect.
    """

    net: SteeredFlow
    critic: NoiseCritic

    def __init__(
        self,
        spec: Spec,
        objective: Objective = FlowMatching(),  # noqa: B008  (frozen)
        *,
        sampler: Sampler = EulerSampler(10),  # noqa: B008  (frozen)
        noise_bound: float = 1.0,
        entropy: float = 0.5,
        critic_config: CriticConfig = CriticConfig(layer_norm=True, q_agg="mean"),  # noqa: B008
        network: NetworkConfig = NetworkConfig(width=512, depth=4),  # noqa: B008  (frozen)
        num_action_samples: int = 1,
        temperature: float = 0.0,
        recipe: Recipe = Recipe(ema=0.995, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        require_positive(noise_bound=noise_bound)
        if recipe.from_teacher and recipe.optimizer.weight_decay:
            raise InputError("recipe.optimizer.weight_decay: it would move the frozen generator")
        super().__init__(
            spec,
            objective,
            eta=1.0,
            critic_config=critic_config,
            network=network,
            ema_every=1,
            ema_start=0,
            temperature=temperature,
            recipe=replace(recipe, ema=1 - critic_config.tau),
        )
        self.refuse_max_q_backup()
        self.sampler, self.noise_bound, self.entropy = sampler, noise_bound, entropy
        self.num_action_samples = num_action_samples
        for net in (self.net, self.average):
            assert isinstance(net, SteeredFlow)
            net.steer.bound = noise_bound

    @staticmethod
    def build(spec: Spec, network: NetworkConfig) -> SteeredFlow:
        """Build the generator and the noise policy."""
        sizes = spec.chunk_dim, spec.obs_dim, network.width, network.depth
        return SteeredFlow(MLP(*sizes, network.time_dim), NoisePolicy(*sizes, bound=1.0))

    def build_critic(self) -> NoiseCritic:
        """Build the critics of actions, and those of noise."""
        config = self.critic_config
        return NoiseCritic(
            self.spec.obs_dim,
            self.spec.chunk_dim,
            self.network.width,
            self.network.depth,
            config.members,
            config.layer_norm,
            config.frequencies,
        )

    def start_from_teacher(self) -> None:
        """Take the generator's weights from the teacher; it stays frozen.

        Raises:
            InputError: The teacher's network has another shape.
        """
        if not self.recipe.from_teacher:
            return
        weights = self._teacher[0].average.state_dict()
        average = self.average
        assert isinstance(average, SteeredFlow)
        try:
            for net in (self.net, average):
                net.base.load_state_dict(weights)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise InputError(
                f"teacher: {self.recipe.teacher} has another network: {reason}"
            ) from None

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
            The draw; ``next_noise`` is that of the next action and that of the noise critic.
        """
        drawn = super().draw(batch, generator, gradient_step, progress)
        both = torch.stack([drawn.next_noise, self.noise(len(batch.act), generator)])
        return drawn._replace(next_noise=both)

    def generate(
        self,
        field: Field,
        noise: Float[Tensor, "b a"],
        steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b a"]:
        """Generate actions from the noise that the noise policy chooses.

        Args:
            field: Field of the generator given the observations.
            noise: Noise of the noise policy; at 0 it takes its median.
            steps: Steps of the sampler; by default its own number.
            generator: Source of further noise, for samplers that draw any.

        Returns:
            Actions on [-1, 1].
        """
        assert isinstance(field, Conditioned)
        at = noise.new_zeros(len(noise))
        steered = field.net(noise, at, at, *field.cond, steer=True)[:, :-1]
        return super().generate(field, steered, steps, generator)

    def target_value(self, batch: Transitions, draw: StepDraw) -> Float[Tensor, "b"]:
        """Value of the next action, from steered noise."""
        return self.next_value(self.normalize_obs(batch.next_obs), draw.next_noise[0])

    def critic_loss(
        self, critic: Weights, batch: Transitions, draw: StepDraw
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "m b"]]:
        """Loss of the critics of actions, plus that of the critics of noise.

        Args:
            critic: Weights of both.
            batch: Transitions.
            draw: Randomness of the step.

        Returns:
            The loss, and ``Q_i(s, a)`` without gradient.
        """
        loss, q = super().critic_loss(critic, batch, draw)
        s, e = self.normalize_obs(batch.obs), draw.next_noise[1]
        with torch.no_grad():
            action = super().generate(Conditioned(self.average, (s,)), e)
            target = self.critic(s, action)
        names = [name for name in critic if name.startswith("noise.")]
        weights = {name.removeprefix("noise."): critic[name] for name in names}
        q_noise = functional_call(self.critic.noise, weights, (s, e))
        return loss + (q_noise - target).square().mean(1).sum(), q

    def actor_loss(
        self, actor: Weights, batch: Transitions, draw: StepDraw, q_scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Imitation by the generator, the noise policy's loss, and that of the temperature.

        Args:
            actor: Weights of the generator, the noise policy and the temperature.
            batch: Transitions.
            draw: Randomness of the step.
            q_scale: Unused.

        Returns:
            The loss, and figures to log.
        """
        bound = self.bind(batch, self.net_with(actor))
        s, at = self.normalize_obs(batch.obs), draw.noise.new_zeros(len(draw.noise))
        out = self.net_with(actor)(draw.noise, at, at, s, steer=True)
        w, log_density = out[:, :-1], out[:, -1]
        temperature = actor["log_temperature"].exp()
        value = self.critic.noise(s, w).mean()
        loss = temperature.detach() * log_density.mean() - value
        least = -self.entropy * self.spec.chunk_dim
        loss = loss + temperature * (-log_density.detach().mean() - least)
        logs = {"q_policy": value, "entropy": -log_density.mean(), "temperature": temperature}
        if not self.recipe.from_teacher:
            imitation = self.objective.loss(bound, draw.imitation)
            loss = loss + imitation.per_sample.mean()
            logs |= imitation.logs
        return loss, {k: v.detach() for k, v in ({"actor_loss": loss} | logs).items()}
