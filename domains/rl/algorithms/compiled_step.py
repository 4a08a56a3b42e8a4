"""What a training step does to the weights, as one compiled graph."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adamw import adamw

from oneleap.core.training.compile import compiled
from oneleap.core.training.optim import AdamConfig
from oneleap.domains.rl.data.transitions import Transitions

if TYPE_CHECKING:
    from oneleap.domains.rl.algorithms.actor_critic import ActorCritic, StepDraw, Weights

LONG = 10
"""Steps of a chain of actions beyond which its compiled graph is called from Python."""


class Part(NamedTuple):
    """The weights of actor or critics, and what the optimiser remembers of each."""

    weights: "dict[str, nn.Parameter]"
    moments: tuple[list[Tensor], list[Tensor]]
    steps: list[Tensor]
    adam: AdamConfig
    eps: float

    def descend(self, gradients: "Weights", lr: Float[Tensor, ""]) -> None:
        """Clip the gradients' norm, then one step of AdamW, as ``optimizer.step()`` would."""
        adamw(
            list(self.weights.values()),
            self.adam.clipped([gradients[name] for name in self.weights]),
            *self.moments,
            [],
            self.steps,
            foreach=False,
            amsgrad=False,
            beta1=self.adam.betas[0],
            beta2=self.adam.betas[1],
            lr=lr,
            weight_decay=self.adam.weight_decay,
            eps=self.eps,
            maximize=False,
        )


class StepGraph:
    """Gradients, clipping, AdamW and target critics, in place and with no Python in between.

    For networks this small an optimiser's walk over its parameters is a tenth of a step. torch's
    own functional AdamW is compiled together with the gradients, on the state of the optimiser
    itself, which is saved and resumed as ever.

    Args:
        policy: Its losses, networks and clips.
        optimizer: The actor's parameters in its first group, the critics' in its second; it has
            taken a step of each already.
    """

    @classmethod
    def of(cls, policy: "ActorCritic", optimizer: Optimizer) -> "StepGraph | None":
        """The graph of a step, unless the optimiser has yet to begin: it makes its own state."""
        begun = len(optimizer.state) == sum(len(g["params"]) for g in optimizer.param_groups)
        return cls(policy, optimizer) if begun else None

    def __init__(self, policy: "ActorCritic", optimizer: Optimizer) -> None:
        self.policy, self.optimizer = policy, optimizer
        networks = (policy.net, policy.optimizer), (policy.critic, policy.critic_optimizer)
        self.parts = []
        for (module, adam), group in zip(networks, optimizer.param_groups, strict=True):
            weights = dict(module.named_parameters())
            states = [optimizer.state[p] for p in weights.values()]
            moments = [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states]
            steps = [s["step"] for s in states]
            self.parts.append(Part(weights, moments, steps, adam, group["eps"]))
        self.targets = list(policy.target_critic.parameters())
        self.followed = list(policy.critic.parameters())
        self._run = compiled(self.run, native=policy.steps <= LONG, fixed=True)

    def __call__(self, batch: Transitions, draw: "StepDraw", whole: bool) -> dict[str, Tensor]:
        """One step at the optimiser's present learning rates; figures worth logging.

        Not ``whole``: of the critics alone, and no average moves.
        """
        lr = torch.tensor([group["lr"] for group in self.optimizer.param_groups])
        logs = self._run(batch, draw, lr, whole)
        # Lightning counts steps by calls of its optimisers, of which there was none.
        loop = self.policy.trainer.fit_loop.epoch_loop.manual_optimization
        loop.optim_step_progress.increment_ready()
        loop.optim_step_progress.increment_completed()
        return logs

    def run(
        self, batch: Transitions, draw: "StepDraw", lr: Float[Tensor, "2"], whole: bool
    ) -> dict[str, Tensor]:
        """See :meth:`__call__`; to be compiled."""
        *found, logs = self.policy.gradients(batch, draw, whole)
        for part, gradients, rate in zip(self.parts, found, lr.unbind(), strict=True):
            if gradients:
                part.descend(gradients, rate)
        if whole:
            for target, weight in zip(self.targets, self.followed, strict=True):
                target.lerp_(weight, self.policy.tau)
        return logs
