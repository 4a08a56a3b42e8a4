"""A training step of an actor-critic as one compiled graph, and the randomness of a step."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adamw import adamw

from oneleap.core.training.compile import compiled
from oneleap.core.training.optim import AdamConfig
from oneleap.core.types import Draw
from oneleap.domains.rl.data.transitions import Transitions

Weights = dict[str, Tensor]
"""Parameters of a network, or their gradients, by name."""

LONG_CHAIN = 10
"""Number of denoising steps beyond which Python calls the kernels of the compiled graph.

A C++ wrapper around the graph of a long chain takes many minutes to compile.
"""


class StepDraw(NamedTuple):
    """The randomness of one training step.

    Attributes:
        imitation: Draw of the imitation objective.
        next_noise: Noise of the next actions, as ``Policy.generate`` takes it.
        noise: Noise of the policy's own actions.
        critic_index: Index of the critic that the actor maximizes. The other one scales its value.
        eta: Weight of the value at this step.
        alpha: Weight of imitation at this step, for algorithms that change it.
    """

    imitation: Draw
    next_noise: Float[Tensor, "*n kb a"]
    noise: Float[Tensor, "*n b a"]
    critic_index: Int[Tensor, "1"]
    eta: Float[Tensor, ""]
    alpha: Float[Tensor, ""] | None = None


@runtime_checkable
class StepModel(Protocol):
    """What a compiled step needs of an actor-critic."""

    @property
    def net(self) -> nn.Module:
        """Network of the actor."""

    @property
    def critic(self) -> nn.Module:
        """Critics."""

    @property
    def target_critic(self) -> nn.Module:
        """Target critics."""

    @property
    def steps(self) -> int:
        """Network calls per action."""

    def gradients(
        self, batch: Transitions, draw: StepDraw, update_actor: bool = True
    ) -> tuple[Weights, Weights, dict[str, Tensor]]:
        """Gradients of actor and critics, and figures to log."""


class OptimizedModule(NamedTuple):
    """Parameters of the actor or of the critics, with their optimizer state.

    Attributes:
        weights: Parameters by name.
        moments: First and second moments of the gradients.
        steps: Number of steps of each parameter.
        settings: Settings of the optimizer.
        eps: AdamW's epsilon.
    """

    weights: dict[str, nn.Parameter]
    moments: tuple[list[Tensor], list[Tensor]]
    steps: list[Tensor]
    settings: AdamConfig
    eps: float

    def update(self, gradients: Weights, lr: Float[Tensor, ""]) -> None:
        """Clip the gradients and take one step of AdamW, as ``optimizer.step()`` would."""
        adamw(
            list(self.weights.values()),
            self.settings.clipped([gradients[name] for name in self.weights]),
            *self.moments,
            [],
            self.steps,
            foreach=False,
            amsgrad=False,
            beta1=self.settings.betas[0],
            beta2=self.settings.betas[1],
            lr=lr,
            weight_decay=self.settings.weight_decay,
            eps=self.eps,
            maximize=False,
        )


class CompiledStep:
    """Computes gradients, clips them, and updates weights and target critics, in one graph.

    For networks this small, an optimizer that walks over its parameters in Python takes a tenth of
    a step. Here torch's functional AdamW is compiled together with the gradients. It works on the
    state of the optimizer itself, so checkpoints save and restore that state as usual.

    Args:
        model: The actor-critic.
        optimizer: AdamW with the parameters of the actor in its first group and those of the
            critics in its second. It must have taken a step, because it creates its own state.
        settings: Settings of the two groups.
        tau: Rate at which the target critics follow the critics.
    """

    def __init__(
        self, model: StepModel, optimizer: Optimizer, settings: Sequence[AdamConfig], tau: float
    ) -> None:
        self.model, self.optimizer, self.tau = model, optimizer, tau
        self.parts = []
        modules = zip((model.net, model.critic), settings, optimizer.param_groups, strict=True)
        for module, adam, group in modules:
            weights = dict(module.named_parameters())
            states = [optimizer.state[p] for p in weights.values()]
            moments = [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states]
            steps = [s["step"] for s in states]
            self.parts.append(OptimizedModule(weights, moments, steps, adam, group["eps"]))
        self.targets = list(model.target_critic.parameters())
        self.sources = list(model.critic.parameters())
        self._run = compiled(self.run, native=model.steps <= LONG_CHAIN, fixed=True)

    def __call__(self, batch: Transitions, draw: StepDraw, update_actor: bool) -> dict[str, Tensor]:
        """Take one step at the present learning rates of the optimizer.

        Args:
            batch: Transitions.
            draw: Randomness of the step.
            update_actor: Whether the actor and the target critics move too, or the critics alone.

        Returns:
            Figures to log.
        """
        lr = torch.tensor([group["lr"] for group in self.optimizer.param_groups])
        return self._run(batch, draw, lr, update_actor)

    def run(
        self, batch: Transitions, draw: StepDraw, lr: Float[Tensor, "2"], update_actor: bool
    ) -> dict[str, Tensor]:
        """Take one step; this is the function that is compiled.

        Args:
            batch: Transitions.
            draw: Randomness of the step.
            lr: Learning rates of actor and critics.
            update_actor: Whether the actor and the target critics move too, or the critics alone.

        Returns:
            Figures to log.
        """
        *both, logs = self.model.gradients(batch, draw, update_actor)
        for part, gradients, rate in zip(self.parts, both, lr.unbind(), strict=True):
            if gradients:
                part.update(gradients, rate)
        if update_actor:
            for target, source in zip(self.targets, self.sources, strict=True):
                target.lerp_(source, self.tau)
        return logs


def has_state(optimizer: Optimizer) -> bool:
    """Whether an optimizer has state for all its parameters: it has after its first step."""
    return len(optimizer.state) == sum(len(g["params"]) for g in optimizer.param_groups)
