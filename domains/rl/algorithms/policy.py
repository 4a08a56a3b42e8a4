"""A generative policy: one network call from noise to an action. It acts on numpy arrays."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor, nn

from oneleap.core.errors import InputError, require_positive
from oneleap.core.nets.mlp import MLP, AtFixedTimes
from oneleap.core.nets.residual import Residual
from oneleap.core.sampling.samplers import FlowMapSampler, Sampler, with_steps
from oneleap.core.training.model import GenerativeModel
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import Conditioned, Field, Objective, TrainingBatch
from oneleap.domains.rl.algorithms.chunks import ActionQueue
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import NetworkConfig
from oneleap.domains.rl.spec import Spec


class FoldedNet:
    """A network whose time features at (0, 1) are folded into its first bias.

    Args:
        net: The folded network.
        folded: Weights that went into it.
    """

    def __init__(self, net: AtFixedTimes, *folded: Tensor) -> None:
        self.net, self.folded = net, folded
        self.versions = self._current_versions()

    def _current_versions(self) -> list[tuple[int, int]]:
        """Address and number of writes of each folded weight."""
        return [(w.data_ptr(), w._version) for w in self.folded]

    def is_current(self) -> bool:
        """Whether the weights are still those that were folded."""
        return self.versions == self._current_versions()


class Policy(GenerativeModel):
    """Behavior cloning by any objective of the core: generates actions given observations.

    With ``FlowMatching`` this is the multi-step clone, with ``MeanFlow`` or ``SplitMeanFlow`` the
    one-step clone. Algorithms that also learn a value are subclasses.

    Args:
        spec: Sizes, ranges and statistics of the data.
        objective: Imitation objective.
        network: Sizes of the network.
        residual: Whether the network predicts the action as a change of ``z``, see
            :class:`oneleap.core.nets.residual.Residual`.
        sampler: Sampler from noise to actions.
        recipe: Settings of training.
    """

    num_action_samples: int = 1
    """Actions sampled for each observation; the policy takes the best of them by Q."""

    def __init__(
        self,
        spec: Spec,
        objective: Objective,
        *,
        network: NetworkConfig = NetworkConfig(),  # noqa: B008  (frozen)
        residual: bool = False,
        sampler: Sampler = FlowMapSampler(),  # noqa: B008  (frozen)
        recipe: Recipe = Recipe(ema=0.995, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        require_positive(steps=sampler.steps)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            net = self.build(spec, network)
        super().__init__(Residual(net) if residual else net, objective, recipe)
        self.spec, self.network = spec, network
        self.residual, self.sampler = residual, sampler
        self.obs_shift: Tensor
        self.obs_scale: Tensor
        self.act_center: Tensor
        self.act_half: Tensor
        mean, std = torch.tensor(spec.obs_mean), torch.tensor(spec.obs_std)
        low, high = (torch.tensor(limit * spec.chunk) for limit in (spec.act_low, spec.act_high))
        self.register_buffer("obs_shift", -mean / std, persistent=False)
        self.register_buffer("obs_scale", 1 / std, persistent=False)
        center, half = low / 2 + high / 2, high / 2 - low / 2
        bounded = half.isfinite() & center.isfinite()
        self.register_buffer("act_center", center.where(bounded, torch.zeros(())), persistent=False)
        self.register_buffer("act_half", half.where(bounded, torch.ones(())), persistent=False)
        self._folded: FoldedNet | None = None
        self._queue = ActionQueue(spec.chunk)

    @staticmethod
    def build(spec: Spec, network: NetworkConfig) -> nn.Module:
        """Build the network, a field of actions given observations."""
        return MLP(spec.chunk_dim, spec.obs_dim, network.width, network.depth, network.time_dim)

    def next_step(self, run: str) -> tuple[str, ...] | None:
        """See :meth:`oneleap.core.hub.pretrained.Pretrained.next_step`."""
        return None if self.spec.task is None else ("evaluate", run)

    @property
    def steps(self) -> int:
        """Steps of the sampler."""
        return self.sampler.steps

    def normalize_obs(self, obs: Float[Tensor, "b o"]) -> Float[Tensor, "b o"]:
        """Normalize observations."""
        return torch.addcmul(self.obs_shift, obs, self.obs_scale)

    def data(self, batch: Transitions) -> Float[Tensor, "b a"]:
        """Scale the actions of the data to [-1, 1]. A dimension with equal bounds becomes 0."""
        divisor = self.act_half.where(self.act_half > 0, torch.ones_like(self.act_half))
        scaled: Tensor = (batch.act - self.act_center) / divisor
        return scaled

    def action_mask(self, batch: Transitions) -> Bool[Tensor, "b a"] | None:
        """Which dimensions of the actions are data: False beyond the end of a chunk's episode."""
        return None if batch.valid is None else batch.valid.repeat_interleave(self.spec.act_dim, 1)

    def bind(self, batch: Transitions, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Condition the network on the observations of a batch.

        Args:
            batch: Transitions.
            net: Network in place of the policy's own, called as ``net(z, r, t, s)``.

        Returns:
            The batch as an objective sees it.
        """
        cond = (self.normalize_obs(batch.obs),)
        return TrainingBatch(
            field=Conditioned(net or self.net, cond),
            x=self.data(batch),
            mask=self.action_mask(batch),
            target=Conditioned(self.target_net, cond),
            teacher=self.teacher_field(batch),
        )

    def load_teacher(self) -> GenerativeModel:
        """See :meth:`oneleap.core.GenerativeModel.load_teacher`.

        Raises:
            InputError: The teacher has other observations or actions.
        """
        model = super().load_teacher()
        spec = getattr(model, "spec", None)
        for name in ("obs_dim", "act_dim", "act_low", "act_high", "obs_keys", "chunk"):
            theirs, ours = (getattr(s, name, None) for s in (spec, self.spec))
            if theirs != ours and not (name == "obs_keys" and not theirs):  # older ones name none
                raise InputError(
                    f"teacher: {self.recipe.teacher} has {name} {theirs}, the data have {ours}"
                )
        return model

    def noise(
        self, n: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "*k n_actions a"]:
        """Draw the noise from which :meth:`generate` makes ``n`` actions."""
        shape, device = (n, self.spec.chunk_dim), self.act_half.device
        return torch.randn(shape, generator=generator, device=device)

    def generate(
        self,
        field: Field,
        noise: Float[Tensor, "*k b a"],
        steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b a"]:
        """Generate actions on [-1, 1]; differentiable in the field.

        Args:
            field: Mean velocity given the observations.
            noise: Noise from :meth:`noise`.
            steps: Steps of the sampler; by default its own number.
            generator: Source of further noise, for samplers that draw any.

        Returns:
            The actions.
        """
        same = steps is None or steps == self.sampler.steps
        sampler = self.sampler if same else with_steps(self.sampler, steps)
        return sampler(field, noise, generator).clamp(-1, 1)

    def act(
        self,
        obs: NDArray[Any],
        *,
        steps: int | None = None,
        num_action_samples: int | None = None,
        noise_scale: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> NDArray[np.float32]:
        """Choose actions for one observation (o,) or a batch (n, o).

        A policy with chunks plans ``spec.chunk`` actions for an environment and then returns one
        after the other, whatever it observes. Call :meth:`reset` when an episode begins. Row i of
        ``obs`` is always environment i.

        Args:
            obs: Observations as the environment returns them.
            steps: Steps of the sampler; by default the policy's own number.
            num_action_samples: Actions sampled for each observation, of which
                :meth:`select_action` takes one; by default the policy's own number.
            noise_scale: Factor on the noise. Below 1, actions stay nearer to the center of the
                policy's distribution. At 0 they are deterministic.
            generator: Source of the noise and of the selection.

        Returns:
            Actions in the range of the environment, (a,) or (n, a).
        """

        def plan(obs: NDArray[Any]) -> NDArray[np.float32]:
            return self.plan(
                obs,
                steps=steps,
                num_action_samples=num_action_samples,
                noise_scale=noise_scale,
                generator=generator,
            )

        return plan(obs)[..., 0, :] if self.spec.chunk == 1 else self._queue.next(obs, plan)

    def reset(self, environments: Sequence[int] | None = None) -> None:
        """Forget planned actions, because an episode begins.

        Args:
            environments: Rows of the observations whose episode begins; by default all.
        """
        self._queue.clear(environments)

    @torch.inference_mode()
    def plan(
        self,
        obs: NDArray[Any],
        *,
        steps: int | None = None,
        num_action_samples: int | None = None,
        noise_scale: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> NDArray[np.float32]:
        """Choose the next ``spec.chunk`` actions for one observation (o,) or a batch (n, o).

        Args:
            obs: See :meth:`act`, as all that follow.
            steps: Steps of the sampler.
            num_action_samples: Chunks sampled for each observation.
            noise_scale: Factor on the noise.
            generator: Source of the noise and of the selection.

        Returns:
            Actions in the range of the environment, (h, a) or (n, h, a).
        """
        given = torch.as_tensor(obs, dtype=torch.float32, device=self.act_half.device)
        s = self.normalize_obs(given if given.ndim == 2 else given.unsqueeze(0))
        k = self.num_action_samples if num_action_samples is None else num_action_samples
        if k > 1:
            s = s.repeat_interleave(k, dim=0)
        noise = noise_scale * self.noise(len(s), generator)
        steps = self.steps if steps is None else steps
        a = self.generate(Conditioned(self.acting_net(steps), (s,)), noise, steps, generator)
        if k > 1:
            a = self.select_action(s, a, k, generator)
        a = torch.addcmul(self.act_center, a, self.act_half)
        a = a.view(len(a), self.spec.chunk, self.spec.act_dim)
        return (a if given.ndim == 2 else a[0]).cpu().numpy()

    def acting_net(self, steps: int) -> Callable[..., Tensor]:
        """The average, folded for the interval [0, 1] if the policy takes it in one jump.

        The folded network is kept for as long as the weights do not change.
        """
        if steps > 1 or not isinstance(self.sampler, FlowMapSampler):
            return self.average
        if self._folded is not None and self._folded.is_current():
            return self._folded.net
        net = self.average.net if isinstance(self.average, Residual) else self.average
        if not isinstance(net, MLP):
            return self.average
        weight, bias, *_ = net.layers.parameters()
        self._folded = FoldedNet(
            replace(net.at_times(0.0, 1.0), residual=self.residual), weight, bias
        )
        return self._folded.net

    def select_action(
        self,
        s: Float[Tensor, "nk o"],
        a: Float[Tensor, "nk a"],
        num_action_samples: int,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "n a"]:
        """Select one action for each observation. A clone has no Q and takes the first.

        Args:
            s: Normalized observations, each repeated ``num_action_samples`` times.
            a: Sampled actions on [-1, 1].
            num_action_samples: Actions sampled for each observation.
            generator: Source of the selection.

        Returns:
            The selected actions.
        """
        return a[::num_action_samples]
