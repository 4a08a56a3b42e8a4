"""A callback that evaluates a policy in its environment during training."""

from typing import Any

import lightning as L
import torch

from oneleap.core.errors import require_positive
from oneleap.core.training.checkpoints import report_score
from oneleap.core.training.module import trained_model
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.evaluation.rollouts import evaluate_policy


class EvaluatePolicy(L.Callback):
    """Logs ``eval/score`` and ``eval/return``, on the same episodes every time.

    It does nothing if the environment of the data is unknown.

    Args:
        every: Gradient steps between two evaluations.
        episodes: Episodes of each evaluation.
        steps: Network calls per action; by default the policy's own number.
        num_action_samples: Actions sampled for each observation, of which the best by Q is taken;
            by default the policy's own number.
        seed: Seed of the episodes and of the policy's noise.
    """

    def __init__(
        self,
        every: int = 50_000,
        episodes: int = 20,
        steps: int | None = None,
        num_action_samples: int | None = None,
        seed: int = 0,
    ) -> None:
        require_positive(every=every, episodes=episodes)
        self.every, self.episodes, self.seed = every, episodes, seed
        self.steps, self.num_action_samples = steps, num_action_samples

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any
    ) -> None:
        """Evaluate if this gradient step is a multiple of ``every``."""
        step, policy = trainer.global_step, trained_model(pl_module)
        if step % self.every or not isinstance(policy, Policy) or policy.spec.task is None:
            return
        figures = self._evaluate(policy) if trainer.is_global_zero else None
        figures = trainer.strategy.broadcast(figures)
        assert figures is not None
        report_score(trainer, figures)
        pl_module.log_dict(figures, logger=False)  # for the progress bar; the loggers get it below
        for logger in trainer.loggers:
            logger.log_metrics(figures, step)

    def _evaluate(self, policy: Policy) -> dict[str, float]:
        """Evaluate the policy; with several processes, the first does it and the others wait."""
        assert policy.spec.task is not None
        noise = torch.Generator(policy.device).manual_seed(self.seed)
        result = evaluate_policy(
            lambda obs: policy.act(
                obs,
                steps=self.steps,
                num_action_samples=self.num_action_samples,
                generator=noise,
            ),
            policy.spec.task,
            self.episodes,
            self.seed,
        )
        return {"eval/score": result.score, "eval/return": result.mean}
