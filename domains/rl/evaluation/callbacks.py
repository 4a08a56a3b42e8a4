"""Scores a policy in its environment while it trains."""

from typing import Any

import lightning as L
import torch

from oneleap.core.errors import InputError
from oneleap.core.training.checkpoints import report_score
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.evaluation.rollouts import evaluate


class EvaluatePolicy(L.Callback):
    """Logs ``eval/score`` and ``eval/return``, on the same episodes each time.

    Does nothing for data whose environment is unknown.

    Args:
        every: Gradient steps between two evaluations.
        episodes: Played each time.
        steps: Network calls per action; by default the policy's own number.
        candidates: Actions proposed for each observation, one chosen by value; by default the
            policy's own number, 1 for most.
        seed: Of the episodes and of the policy's noise.
    """

    def __init__(
        self,
        every: int = 50_000,
        episodes: int = 20,
        steps: int | None = None,
        num_action_samples: int | None = None,
        seed: int = 0,
    ) -> None:
        if every < 1 or episodes < 1:
            raise InputError("EvaluatePolicy: every and episodes must be positive")
        self.every, self.episodes, self.seed = every, episodes, seed
        self.steps, self.num_action_samples = steps, num_action_samples

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any
    ) -> None:
        """Evaluate when it is time."""
        step = trainer.global_step
        if step % self.every or not isinstance(pl_module, Policy) or pl_module.spec.task is None:
            return
        policy, noise = pl_module, torch.Generator(pl_module.device).manual_seed(self.seed)
        result = evaluate(
            lambda obs: policy.act(
                obs, steps=self.steps, num_action_samples=self.num_action_samples, generator=noise
            ),
            pl_module.spec.task,
            self.episodes,
            self.seed,
        )
        figures = {"eval/score": result.score, "eval/return": result.mean}
        report_score(trainer, figures)
        pl_module.log_dict(figures, logger=False)  # for the progress bar; logged once, below
        for logger in trainer.loggers:
            logger.log_metrics(figures, step)
