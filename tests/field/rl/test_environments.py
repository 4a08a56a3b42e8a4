"""Environments that data name are checked before training; without one, held-out data validate."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from field.rl.situations import steps, write_hdf5
from lightning.pytorch.loggers import Logger
from support.tiny_rl import TINY, trainer

from oneleap.core.errors import InputError
from oneleap.core.objectives import MeanFlow
from oneleap.domains.main import main
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.minari import write_minari
from oneleap.domains.rl.demonstrators.episodes import collect_episodes
from oneleap.domains.rl.evaluation.callbacks import EvaluatePolicy
from oneleap.domains.rl.evaluation.offline import action_error

Capture = pytest.CaptureFixture[str]
OLD = pytest.mark.filterwarnings("ignore:.*out of date")  # gymnasium's about Hopper-v2


def fit(path: str, run: Path, *more: str) -> int:
    small = "--model.network.width 8 --model.recipe.compile false --trainer.max_steps 2"
    line = ["fit", "--config", "rl/ofql_d4rl", "--data.path", path, "--run", str(run)]
    return main([*line, *small.split(), "--trainer.accelerator", "cpu", *more])


@OLD
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Hopper-v2", "environment Hopper-v2: .*mujoco_py.*; Hopper-v5 or Hopper-v4 would do"),
        ("Hopper-v77", "environment Hopper-v77: not registered; Hopper-v5 or Hopper-v4 would do"),
        ("Missing-v0", "environment Missing-v0: not registered; --import PACKAGE imports"),
        ("nobody/Missing-v0", "environment nobody/Missing-v0: not registered; --import PACKAGE"),
        ("a b", "environment a b: not registered"),
    ],
)
def test_a_name_that_data_have_is_checked_before_training(
    tmp_path: Path, capsys: Capture, name: str, told: str
) -> None:
    path = write_hdf5(tmp_path / "mine.hdf5", steps(obs=11, act=3), env_id=name)
    with pytest.raises(InputError, match=told) as error:
        OfflineData(path).spec  # noqa: B018
    assert "\n" not in str(error.value)
    assert "--data.env none trains without evaluation" in str(error.value)
    assert fit(path, tmp_path / "run") == 2
    assert name in capsys.readouterr().err
    assert not (tmp_path / "run/model").exists()
    assert fit(path, tmp_path / "without", "--data.env", "none") == 0
    assert Policy.from_pretrained(tmp_path / "without/model").spec.task is None


@OLD
def test_a_name_in_minari_is_checked_too(tmp_path: Path) -> None:
    env = gymnasium.make("FieldLimited-v0")
    episodes = list(collect_episodes(env, lambda obs: np.zeros(2, np.float32), 14, 0))
    assert env.spec is not None
    for name, told in (("Hopper-v2", "mujoco_py"), ("Missing-v0", "not registered")):
        env.spec.id = name
        write_minari(tmp_path / name, "oneleap/it-v0", episodes, env, {})
        data = OfflineData(str(tmp_path / name))
        with pytest.raises(InputError, match=f"environment {name}: .*{told}"):
            data.spec  # noqa: B018
        assert OfflineData(str(tmp_path / name), env="none").spec.task is None


def test_an_environment_of_other_sizes_is_refused_before_training(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "mine.hdf5", steps(obs=4), env_id="FieldLimited-v0")
    with pytest.raises(InputError, match=r"observations \(3,\) .* the data have \(4,\) and \(2,\)"):
        OfflineData(path).spec  # noqa: B018


def test_an_environment_that_fails_in_its_own_way_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(**arguments: Any) -> None:
        raise LookupError

    monkeypatch.setattr(gymnasium.spec("FieldLimited-v0"), "entry_point", fail)
    with pytest.raises(InputError, match="environment FieldLimited-v0: LookupError"):
        OfflineData.from_arrays(steps(), env="FieldLimited-v0").spec  # noqa: B018


class Figures(Logger):
    """Keeps what is logged."""

    name, version = "figures", 0

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.rows.append(dict(metrics))

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        pass


def test_without_an_environment_held_out_episodes_validate() -> None:
    """Each of the 5 % is left out of training, and of the statistics."""
    data = OfflineData.from_arrays(steps(400), batch_size=8)
    assert data.held_out is not None
    assert (len(data.dataset), len(data.held_out)) == (380, 20)
    rows = {tuple(row) for row in data.dataset.obs.tolist()}
    assert not rows & {tuple(row) for row in data.held_out.obs.tolist()}
    assert data.held_out.bounds.tolist() == [0, 10, 20]
    assert data.spec.obs_mean == tuple(data.dataset.obs.double().mean(0).float().tolist())
    policy, figures = Policy(data.spec, MeanFlow(), **TINY), Figures()
    loop = trainer(2)
    loop.callbacks.append(EvaluatePolicy(2))
    loop.loggers = [figures]
    loop.fit(policy.lightning_module(), data)
    (error,) = (row["val/action_error"] for row in figures.rows if "val/action_error" in row)
    assert error == pytest.approx(action_error(policy, data.held_out))


def test_the_error_is_the_distance_on_the_scale_of_the_actions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields = steps(400)
    fields["actions"] *= np.float32([100, 0])  # the second is constant
    data = OfflineData.from_arrays(fields)
    policy = Policy(data.spec, MeanFlow(), **TINY)
    held_out = data.held_out
    assert held_out is not None
    half = policy.act_half[0]
    acted = held_out.act + half * torch.tensor([[0.5, 0.0]])
    by_obs = {tuple(o): a for o, a in zip(held_out.obs.tolist(), acted.numpy(), strict=True)}
    monkeypatch.setattr(
        Policy,
        "plan",
        lambda self, obs, **how: np.stack([by_obs[tuple(o)] for o in obs.tolist()])[:, None],
    )
    assert action_error(policy, held_out) == pytest.approx(0.5 / np.sqrt(2), rel=1e-5)


@pytest.mark.parametrize(
    ("n", "how", "held"),
    [
        (400, {"env": "FieldLimited-v0"}, 0),
        (400, {"validation": 0.0}, 0),
        (400, {"validation": 0.25}, 100),
        (400, {"env": "FieldLimited-v0", "validation": 0.25}, 100),
        (100, {}, 0),
        (10, {"validation": 0.5}, 0),
    ],
)
def test_the_share_that_is_held_out(n: int, how: dict[str, Any], held: int) -> None:
    data = OfflineData.from_arrays(steps(n), **how)
    assert len(data.dataset) == n - held
    assert (0 if data.held_out is None else len(data.held_out)) == held


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"validation: 1\.0 is not in \[0, 1\)"):
        OfflineData.from_arrays(steps(), validation=1.0)
