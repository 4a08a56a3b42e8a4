"""A generative policy: one network call from noise to an action, numpy in and numpy out."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from oneleap.core.errors import InputError, positive
from oneleap.core.nets.mlp import MLP, AtFixedTimes
from oneleap.core.nets.residual import Residual
from oneleap.core.sampling.ode import sample
from oneleap.core.training.ema import PowerEMA
from oneleap.core.training.module import GenerativeModule
from oneleap.core.training.optim import AdamConfig
from oneleap.core.types import Conditioned, Field, Objective, TrainingBatch
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Spec


class FlowMapSampler:
    """A network folded to one leap, and the weights that were folded, in the state they had."""

    def __init__(self, net: AtFixedTimes, *folded: Tensor) -> None:
        self.net, self.folded = net, folded
        self.state = self.now()

    def now(self) -> list[tuple[int, int]]:
        """Where the weights lie, and how often they were written."""
        return [(w.data_ptr(), w._version) for w in self.folded]

    def stands(self) -> bool:
        """Whether the weights are as they were."""
        return self.state == self.now()


class Policy(GenerativeModule):
    """Behaviour cloning by any objective of the core: actions generated given observations.

    With ``FlowMatching`` this is the multi-step clone, with ``MeanFlow`` or ``SplitMeanFlow`` the
    one-step one. Algorithms that also learn a value build on it.

    Args:
        spec: Sizes, ranges and statistics of the data.
        objective: How the policy imitates.
        width: Units per hidden layer.
        depth: Hidden layers.
        time_dim: Size of each set of time features.
        residual: The network gives what is added to ``z``, see
            :class:`oneleap.core.nets.residual.Residual`.
        optimizer: Optimiser, schedule and gradient clip.
        ema: Decay of the moving average that acts, or a schedule.
        steps: Network calls from noise to action, where :meth:`act` is not told otherwise.
        seed: Of initial weights and of all draws of training.
        compile_loss: Run the loss through ``torch.compile``.
        teacher: Model folder of a policy to distil, by an objective that does so.
        from_teacher: Start from the teacher's weights.
    """

    candidates: int = 1
    """Actions proposed for each observation, likewise."""

    def __init__(
        self,
        spec: Spec,
        objective: Objective,
        *,
        width: int = 256,
        depth: int = 3,
        time_dim: int = 64,
        residual: bool = False,
        optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        ema: float | PowerEMA = 0.995,
        steps: int = 1,
        seed: int = 0,
        compile_loss: bool = True,
        teacher: str | None = None,
        from_teacher: bool = False,
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = self.build(spec, width, depth, time_dim)
        net = Residual(net) if residual else net
        super().__init__(
            net,
            objective,
            optimizer=optimizer,
            ema=ema,
            seed=seed,
            compile_loss=compile_loss,
            teacher=teacher,
            from_teacher=from_teacher,
        )
        positive(steps=steps)
        self.spec, self.width, self.depth, self.time_dim = spec, width, depth, time_dim
        self.steps, self.residual = steps, residual
        self.obs_shift: Tensor
        self.obs_scale: Tensor
        self.act_centre: Tensor
        self.act_half: Tensor
        mean, std = torch.tensor(spec.obs_mean), torch.tensor(spec.obs_std)
        low, high = torch.tensor(spec.act_low), torch.tensor(spec.act_high)
        self.register_buffer("obs_shift", -mean / std, persistent=False)
        self.register_buffer("obs_scale", 1 / std, persistent=False)
        self.register_buffer("act_centre", (low + high) / 2, persistent=False)
        self.register_buffer("act_half", (high - low) / 2, persistent=False)
        self._leap: FlowMapSampler | None = None

    @staticmethod
    def build(spec: Spec, width: int, depth: int, time_dim: int) -> nn.Module:
        """The network, a field of actions given observations."""
        return MLP(spec.act_dim, spec.obs_dim, width, depth, time_dim)

    def observe(self, obs: Float[Tensor, "b o"]) -> Float[Tensor, "b o"]:
        """Normalise observations."""
        return torch.addcmul(self.obs_shift, obs, self.obs_scale)

    def data(self, batch: Transitions) -> Float[Tensor, "b a"]:
        """Actions of the data on [-1, 1]."""
        scaled: Tensor = (batch.act - self.act_centre) / self.act_half
        return scaled

    def bind(self, batch: Transitions, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Actions given observations."""
        cond = (self.observe(batch.obs),)
        return TrainingBatch(
            field=Conditioned(net or self.net, cond),
            x=self.data(batch),
            target=Conditioned(self.average, cond),
            teacher=self.teacher_field(batch),
        )

    def load_teacher(self) -> GenerativeModule:
        """See :meth:`GenerativeModule.load_teacher`.

        Raises:
            InputError: If it is no policy for the same observations and actions.
        """
        model = super().load_teacher()
        spec = getattr(model, "spec", None)
        for name in ("obs_dim", "act_dim", "act_low", "act_high"):
            theirs, ours = (getattr(s, name, None) for s in (spec, self.spec))
            if theirs != ours:
                raise InputError(f"teacher: {self.teacher} has {name} {theirs}, the data {ours}")
        return model

    def noise(
        self, n: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "*k n_actions a"]:
        """What :meth:`generate` makes ``n`` actions of."""
        return torch.randn((n, self.spec.act_dim), generator=generator, device=self.device)

    def generate(
        self, field: Field, noise: Float[Tensor, "*k b a"], steps: int | None = None
    ) -> Float[Tensor, "b a"]:
        """Actions on [-1, 1], differentiable in the field."""
        return sample(field, noise, steps=self.steps if steps is None else steps).clamp(-1, 1)

    @torch.inference_mode()
    def act(
        self,
        obs: NDArray[Any],
        *,
        steps: int | None = None,
        candidates: int | None = None,
        noise_scale: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> NDArray[np.float32]:
        """Actions for one observation (o,) or a batch (n, o), in the environment's range.

        Args:
            obs: As the environment gives them.
            steps: Network calls from noise to action; by default the policy's own number.
            candidates: Actions proposed for each observation, of which :meth:`choose` keeps one;
                by default the policy's own number.
            noise_scale: Factor on the noise that actions are made of. Below 1 they keep nearer to
                the middle of what the policy does; by 0 they are always the same.
            generator: Of noise and choice.
        """
        seen = torch.as_tensor(obs, dtype=torch.float32, device=self.device)
        s = self.observe(seen if seen.ndim == 2 else seen.unsqueeze(0))
        candidates = self.candidates if candidates is None else candidates
        if candidates > 1:
            s = s.repeat_interleave(candidates, dim=0)
        noise = noise_scale * self.noise(len(s), generator)
        steps = self.steps if steps is None else steps
        net = self.leap() if steps == 1 else self.average
        a = self.generate(Conditioned(net, (s,)), noise, steps)
        if candidates > 1:
            a = self.choose(s, a, candidates, generator)
        a = torch.addcmul(self.act_centre, a, self.act_half)
        return (a if seen.ndim == 2 else a[0]).cpu().numpy()

    def leap(self) -> Callable[..., Tensor]:
        """The average from noise to action in one call, its first layer folded while it stays."""
        if self._leap is not None and self._leap.stands():
            return self._leap.net
        net = self.average.net if isinstance(self.average, Residual) else self.average
        if not isinstance(net, MLP):
            return self.average
        weight, bias, *_ = net.layers.parameters()
        self._leap = FlowMapSampler(replace(net.at(0.0, 1.0), residual=self.residual), weight, bias)
        return self._leap.net

    def choose(
        self,
        s: Float[Tensor, "nk o"],
        a: Float[Tensor, "nk a"],
        candidates: int,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "n a"]:
        """One of each observation's candidates; a clone without a value takes the first."""
        return a[::candidates]
