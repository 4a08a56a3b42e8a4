"""The Lightning module that trains an actor-critic."""

from dataclasses import replace

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from oneleap.core.errors import InputError
from oneleap.core.objectives.matching.base import Matching
from oneleap.core.objectives.pairing.coupled import Coupled
from oneleap.core.objectives.pairing.stored import StoredPairs
from oneleap.core.training.ema import ema_update
from oneleap.core.training.module import TrainingModule
from oneleap.core.training.optim import build_optimizer, run_length
from oneleap.core.training.seed import Step
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.compiled_step import CompiledStep, StepDraw, has_state
from oneleap.domains.rl.data.transitions import Transitions

SHARED = 9
"""Stream of the draws that all processes share."""


class ActorCriticModule(TrainingModule):
    """Trains an :class:`ActorCritic`: one gradient step of actor and critics per batch.

    Several processes take the step that one process would take with all their batches. Each draws
    its own rows and noise; the index of the critic, and scales that divide the value, are shared.

    The first step of a run is plain PyTorch. It creates the state of the optimizer, on which
    :class:`CompiledStep` then works.

    Args:
        model: The actor-critic; it is trained in place.
    """

    model: ActorCritic

    def __init__(self, model: ActorCritic) -> None:
        if isinstance(model.objective, Matching):
            name, kind = type(model.objective).__name__, type(model).__name__
            raise InputError(
                f"objective: {name} trains a second network, for which {kind} has no place beside "
                "its critics: use it with oneleap.domains.rl.Policy"
            )
        kind = type(model).__name__
        for name in ("rank", "log_variance"):
            if getattr(model.recipe, name):
                raise InputError(
                    f"recipe.{name}: {kind} does not support it: leave it out, or use "
                    "oneleap.domains.rl.Policy"
                )
        if isinstance(model.objective, Coupled):
            raise InputError(
                f"objective: Coupled pairs rows with equal conditions, and {kind} has a state for "
                "each row: name its inner objective"
            )
        if isinstance(model.objective, StoredPairs):
            raise InputError(
                f"objective: StoredPairs puts stored batches in place of the data, and {kind} "
                "learns from rewards, too: use it with oneleap.domains.rl.Policy"
            )
        super().__init__(model)
        self.automatic_optimization = False
        self.compiled_step: CompiledStep | None = None

    def on_fit_start(self) -> None:
        """Prepare a run; it compiles its step anew."""
        super().on_fit_start()
        self.compiled_step, self.model.processes = None, self.trainer.world_size

    def draw(self, batch: Transitions, step: Step) -> StepDraw:
        """Draw the randomness of one step.

        Args:
            batch: Transitions.
            step: Position of the run.

        Returns:
            The draw.
        """
        drawn = self.model.draw(batch, step.generator(), step.gradient_step, step.progress)
        if self.model.processes == 1:
            return drawn
        shared = replace(step, rank=0).generator(SHARED)
        members, device = self.model.critic_config.members, drawn.critic_index.device
        index = torch.randint(members, (1,), generator=shared, device=device)
        return drawn._replace(critic_index=index)

    def training_step(self, batch: Transitions, batch_idx: int) -> None:
        """Update the actor and the critics, then their averages."""
        model, step = self.model, self.step
        update_actor = (step.gradient_step + 1) % model.policy_delay == 0
        optimizer, scheduler = self.optimizers(), self.lr_schedulers()
        assert isinstance(optimizer, LightningOptimizer)
        assert isinstance(scheduler, LRScheduler)
        if self.compiled_step is None and model.recipe.compile and has_state(optimizer.optimizer):
            settings = model.recipe.optimizer, model.critic_config.optimizer
            tau = model.critic_config.tau
            self.compiled_step = CompiledStep(model, optimizer.optimizer, settings, tau)
        with torch.no_grad():
            draw = self.draw(batch, step)
            if self.compiled_step is None:
                logs = self.plain_step(optimizer, batch, draw, update_actor)
            else:
                logs = self.compiled_step(batch, draw, update_actor)
                optimizer.step()  # no gradients: it changes nothing, and Lightning counts the step
        names = ("critic_loss", "actor_loss")
        losses: dict[str, Tensor] = {name: logs[name] for name in names if name in logs}
        self.guard.watch(self, losses, step.gradient_step, step.batch)
        scheduler.step()
        self.update_average(step.gradient_step, update_actor)
        if update_actor:
            model.update_target(step.progress)
        model.after_step(logs, step.gradient_step + 1, step.progress)
        self.log_training(logs, step.gradient_step)

    def update_average(self, gradient_step: int, update_actor: bool) -> None:
        """Update the moving average of the policy, unless this gradient step skips it."""
        model, started = self.model, gradient_step >= self.model.ema_start
        if update_actor and (not started or gradient_step % model.ema_every == 0):
            ema_update(model.average, model.net, model.ema_decay if started else 0.0)

    def plain_step(
        self,
        optimizer: LightningOptimizer,
        batch: Transitions,
        draw: StepDraw,
        update_actor: bool,
    ) -> dict[str, Tensor]:
        """Do what :class:`CompiledStep` does, without compiling.

        Args:
            optimizer: Optimizer of actor and critics.
            batch: Transitions.
            draw: Randomness of the step.
            update_actor: Whether the actor and the target critics move too, or the critics alone.

        Returns:
            Figures to log.
        """
        model = self.model
        dactor, dcritic, logs = model.gradients(batch, draw, update_actor)
        parts = (
            (model.net, model.recipe.optimizer, dactor),
            (model.critic, model.critic_config.optimizer, dcritic),
        )
        for module, settings, gradients in parts:
            for name, parameter in module.named_parameters():
                parameter.grad = gradients.get(name)
            settings.clip_(module.parameters())
        optimizer.step()
        optimizer.zero_grad()
        if update_actor:
            ema_update(model.target_critic, model.critic, 1 - model.critic_config.tau)
        return logs

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Build one optimizer: the actor in its first group, the critics in its second."""
        return build_optimizer(
            (self.model.recipe.optimizer, self.model.net.parameters()),
            (self.model.critic_config.optimizer, self.model.critic.parameters()),
            total_steps=run_length(self.trainer),
        )
