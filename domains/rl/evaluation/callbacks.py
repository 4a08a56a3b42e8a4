"""A callback that evaluates a policy during training: in its environment, or on held-out data."""

from typing import Any

import lightning as L
import torch

from oneleap.core.errors import require_positive
from oneleap.core.training.checkpoints import report_score
from oneleap.core.training.module import trained_model
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation.offline import action_error
from oneleap.domains.rl.evaluation.rollouts import Evaluation, evaluate_policy


class EvaluatePolicy(L.Callback):
    """Logs ``eval/score``, ``eval/return`` and, where known, ``eval/success``.

    The episodes are the same every time.

    If the data have no environment, it logs ``val/action_error`` on the held-out episodes instead,
    see :func:`oneleap.domains.rl.evaluation.offline.action_error`, and also after the last step. If
    there are none, it does nothing.

    Args:
        every: Gradient steps between two evaluations.
        episodes: Episodes of each evaluation.
        steps: Network calls per action; by default the policy's own number.
        num_action_samples: Actions sampled for each observation, of which the best by Q is taken;
            by default the policy's own number.
        seed: Seed of the episodes and of the policy's noise.
        horizon: Largest number of steps of an episode; by default that of the registered
            environment, or 1000 if it has none.
    """

    def __init__(
        self,
        every: int = 50_000,
        episodes: int = 20,
        steps: int | None = None,
        num_action_samples: int | None = None,
        seed: int = 0,
        horizon: int | None = None,
    ) -> None:
        require_positive(every=every, episodes=episodes, horizon=1 if horizon is None else horizon)
        self.every, self.episodes, self.seed = every, episodes, seed
        self.steps, self.num_action_samples = steps, num_action_samples
        self.horizon = horizon
        self._logged: int | None = None

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any
    ) -> None:
        """Evaluate if this gradient step is a multiple of ``every``."""
        step, policy = trainer.global_step, trained_model(pl_module)
        if step % self.every or not isinstance(policy, Policy):
            return
        figures = self._evaluated(trainer, policy)
        if figures is None:
            return
        if "eval/score" in figures:
            report_score(trainer, figures)
        pl_module.log_dict(figures, logger=False)  # for the progress bar; the loggers got it

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Without an environment, evaluate after the last step, unless that was done."""
        policy = trained_model(pl_module)
        if not isinstance(policy, Policy) or policy.spec.task is not None:
            return
        if self._logged != trainer.global_step:
            self._evaluated(trainer, policy)

    def _evaluated(self, trainer: L.Trainer, policy: Policy) -> dict[str, float] | None:
        """Return the figures of a policy once the loggers have them; ``None`` if there are none.

        With several processes, the first evaluates and the others wait.
        """
        found = self._figures(trainer, policy) if trainer.is_global_zero else None
        figures = trainer.strategy.broadcast(found)
        self._logged = trainer.global_step
        if figures is not None:
            for logger in trainer.loggers:
                logger.log_metrics(figures, trainer.global_step)
        return figures

    def _figures(self, trainer: L.Trainer, policy: Policy) -> dict[str, float] | None:
        """Return the figures of a policy, or ``None`` if there is nothing to evaluate it on."""
        if policy.spec.task is not None:
            result = self._evaluate(policy, policy.spec.task)
            figures = {"eval/score": result.score, "eval/return": result.mean}
            if result.successes is not None:
                figures["eval/success"] = float(result.successes.mean())
            return figures
        data = getattr(trainer, "datamodule", None)
        held_out = data.held_out if isinstance(data, OfflineData) else None
        if held_out is None:
            return None
        return {"val/action_error": action_error(policy, held_out, self.seed)}

    def _evaluate(self, policy: Policy, task: Task) -> Evaluation:
        """Run the episodes."""
        noise = torch.Generator(policy.device).manual_seed(self.seed)
        return evaluate_policy(
            lambda obs: policy.act(
                obs,
                steps=self.steps,
                num_action_samples=self.num_action_samples,
                generator=noise,
            ),
            task.limited(self.horizon),
            self.episodes,
            self.seed,
            reset=policy.reset,
        )
