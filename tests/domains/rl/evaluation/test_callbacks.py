"""Evaluation during training: when held-out data are compared."""

from dataclasses import replace

import lightning as L
import pytest
from support.tiny_rl import TINY, fields, trainer
from support.tiny_rl_env import TASK

from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.evaluation.callbacks import EvaluatePolicy
from oneleap.domains.rl.evaluation.offline import action_error


class Rows(L.pytorch.loggers.Logger):
    """Keeps the rows that are logged."""

    name, version = "rows", 0

    def __init__(self):
        super().__init__()
        self.rows = []

    def log_metrics(self, metrics, step=None):
        self.rows += [(step, value) for key, value in metrics.items() if key == "val/action_error"]

    def log_hyperparams(self, *args, **kwargs):
        pass


class Figures(Rows):
    """Keeps all figures."""

    def log_metrics(self, metrics, step=None):
        self.rows += [dict(metrics)] if "eval/score" in metrics else []


def test_successes_are_logged_where_the_environment_reports_them():
    env = replace(TASK, env_kwargs={"succeeds": True}, by_success=True)
    logger = Figures()
    data = OfflineData.from_arrays(fields(120, obs=2, act=1), batch_size=8)
    policy = Policy(replace(data.spec, task=env), MeanFlow(), **TINY)
    loop = trainer(1)
    loop.loggers = [logger]
    loop.callbacks.append(EvaluatePolicy(1, episodes=6))
    loop.fit(policy.lightning_module(), data)
    (row,) = logger.rows
    assert row["eval/score"] == pytest.approx(100 * row["eval/success"])
    assert 0 < row["eval/success"] < 1


@pytest.mark.parametrize(("every", "steps"), [(50_000, [3]), (2, [2, 3]), (3, [3])])
def test_without_environment_the_action_error_is_logged_after_the_last_step(every, steps):
    data = OfflineData.from_arrays(fields(120), batch_size=8, validation=0.2)
    policy, logger = Policy(data.spec, MeanFlow(), **TINY), Rows()
    loop = trainer(3)
    loop.loggers = [logger]
    loop.callbacks.append(EvaluatePolicy(every))
    loop.fit(policy.lightning_module(), data)
    assert [step for step, _ in logger.rows] == steps
    assert logger.rows[-1][1] == pytest.approx(action_error(policy.eval(), data.held_out))
