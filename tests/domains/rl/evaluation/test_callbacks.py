"""Evaluation during training: when held-out data are compared."""

import lightning as L
import pytest
from support.tiny_rl import TINY, fields, trainer

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
