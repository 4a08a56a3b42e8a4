"""Files of real robots and of other simulators, and machines without robosuite."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from support.tiny_robot import KEYS, robot_file, spec

from oneleap.core.errors import InputError, Notice
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.objectives import MeanFlow
from oneleap.domains.main import main
from oneleap.domains.robot.data.chunks import cut_chunks
from oneleap.domains.robot.data.datamodule import DemonstrationData
from oneleap.domains.robot.envs.robosuite import RobotEnv
from oneleap.domains.robot.envs.task import Task
from oneleap.domains.robot.evaluation import rollouts
from oneleap.domains.robot.evaluation.offline import action_errors
from oneleap.domains.robot.evaluation.report import find_task
from oneleap.domains.robot.evaluation.rollouts import EpisodePlayer, check_fit
from oneleap.domains.robot.models.nets import MLPHead
from oneleap.domains.robot.models.policy import RobotPolicy

pytest.importorskip("h5py")
Capture = pytest.CaptureFixture[str]

KINDS: dict[str, tuple[object, str]] = {
    "no env_args": (None, "env_args is missing"),
    "empty": ("{}", "env_args names no environment"),
    "gym": (json.dumps({"env_name": "Hopper-v2", "type": 2, "env_kwargs": {}}), "the type 2"),
    "IsaacLab": (json.dumps({"env_name": "Isaac-Stack-Cube-v0", "type": 2}), "the type 2"),
    "real robot": (json.dumps({"env_name": "franka", "type": 4, "env_kwargs": None}), "the type 4"),
}
"""Descriptions of environments that are not robosuite's, and what is said of them."""

FIT = """
model:
  class_path: oneleap.domains.robot.RobotPolicy
  init_args:
    objective: {class_path: oneleap.core.MeanFlow}
    head: {class_path: oneleap.domains.robot.MLPHead, init_args: {width: 16}}
    recipe: {compile: false}
data:
  class_path: oneleap.domains.robot.DemonstrationData
  init_args: {path: demos.hdf5, obs: [hand, object], horizon: 4, batch_size: 16}
trainer: {max_steps: 4, log_every_n_steps: 1, val_check_interval: 2, accelerator: cpu}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def data(**given: object) -> DemonstrationData:
    fields: dict[str, object] = {"obs": KEYS, "horizon": 4, "batch_size": 8, **given}
    return DemonstrationData("demos.hdf5", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_data_of_any_robot_are_read_and_a_notice_says_what_follows(kind: str) -> None:
    env_args, reason = KINDS[kind]
    robot_file(Path("demos.hdf5"), env_args)
    module = data()
    with pytest.warns(Notice, match=f"{reason}.*trains without an environment.*--data.env none"):
        assert module.spec.task is None
    assert module.spec.act_dim == 3
    assert data(env="none").spec.task is None  # without a notice


@pytest.mark.filterwarnings("ignore::oneleap.core.errors.Notice")
def test_it_trains_validates_and_evaluates(capsys: Capture) -> None:
    robot_file(Path("demos.hdf5"), KINDS["real robot"][0], lengths=(12, 9, 15, 11))
    Path("robot.yaml").write_text(FIT)
    assert main(["fit", "--config", "robot.yaml", "--run", "run"]) == 0
    assert "val/action_error" in Path("run/metrics.csv").read_text()
    capsys.readouterr()
    assert main(["evaluate", "run"]) == 0
    assert "action error" in capsys.readouterr().out
    found = json.loads(Path("run/evaluation.json").read_text())
    assert found["chunks"] == 8  # of the last demonstration, which was held out
    module, policy = data(env="none"), load_pretrained("run/model")
    assert isinstance(policy, RobotPolicy)
    assert module.loaded.demos.names == ("demo_0", "demo_1", "demo_2")
    assert module.held_out is not None
    assert module.held_out.demos.names == ("demo_3",)
    assert main(["evaluate", "run", "--validation_data", "demos.hdf5"]) == 0
    assert json.loads(Path("run/evaluation.json").read_text())["chunks"] == 47 - 4 * 3


@pytest.mark.filterwarnings("ignore::oneleap.core.errors.Notice")
def test_the_action_error_is_that_of_what_the_policy_does() -> None:
    """A policy whose scale is 0 always does the mean action: the error is known."""
    robot_file(Path("demos.hdf5"))
    module = data(env="none", validation=0.0)
    fields = {"act_dim": 3, "act_shift": (0.25,) * 3, "act_scale": (0.0,) * 3, "task": None}
    policy = RobotPolicy(spec(**fields), MeanFlow(), head=MLPHead(8))
    chunks = cut_chunks(module.loaded.demos, 1, 4)
    act = chunks.batch(torch.arange(len(chunks))).act
    found = action_errors(policy, chunks)
    assert found["action_error"] == pytest.approx(float((act - 0.25).abs().mean()), rel=1e-5)
    assert found["action_rmse"] == pytest.approx(float((act - 0.25).square().mean() ** 0.5))


def test_which_demonstrations_are_held_out() -> None:
    lift = json.dumps({"env_name": "Lift", "type": 1, "env_version": "1.5.2"})
    robot_file(Path("demos.hdf5"), lift, lengths=(6,) * 10)
    assert data().held_out is None  # it is evaluated in robosuite
    assert len(data(validation=0.2).loaded.held_out) == 2
    assert data(env="none").loaded.held_out == ("demo_9",)
    with pytest.raises(InputError, match=r"validation: 1\.5 is not a share"):
        _ = data(validation=1.5).loaded
    with pytest.raises(InputError, match="no filter key 'vaild'"):
        _ = data(validation="vaild").loaded
    with pytest.raises(InputError, match="no demonstrations are held out"):
        data().val_dataloader()
    (batch,) = data(validation=0.2, batch_size=64).val_dataloader()
    assert len(batch.obs) == 2 * 3


NAMES = {"Stack_D0": "did you mean 'Stack'", "Libero_Kitchen_Tabletop": "it has Door, Lift"}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_robosuite_lacks_are_told_before_training(name: str) -> None:
    robot_file(Path("demos.hdf5"), json.dumps({"env_name": name, "type": 1, "env_kwargs": {}}))
    module = data()
    with pytest.warns(Notice, match=rf"robosuite has no environment '{name}'.*{NAMES[name]}"):
        task = module.spec.task
    assert task is not None
    assert module.held_out is not None
    assert task.name == name  # the package that registers it may be imported elsewhere
    assert data(env="none").spec.task is None
    chosen = data(env="Stack").spec.task
    assert chosen is not None
    assert chosen.name == "Stack"


def test_names_count_that_an_imported_package_has_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    robot_file(Path("demos.hdf5"), json.dumps({"env_name": "Stack_D0", "type": 1}))
    base = ModuleType("robosuite.environments.base")
    base.__dict__["REGISTERED_ENVS"] = {"Stack_D0": object}
    monkeypatch.setitem(sys.modules, base.__name__, base)
    assert data().spec.task is not None  # without a notice
    assert data().held_out is None
    assert find_task(spec(task=None), "Stack_D0", 9) is not None


def test_a_name_that_the_user_misspells_is_refused() -> None:
    robot_file(Path("demos.hdf5"))
    with pytest.raises(InputError, match=r"data.env: .*'Lfit'; did you mean 'Lift'\?; none trains"):
        _ = data(env="Lfit").spec


def test_no_module_that_a_file_names_is_imported(here: Path) -> None:
    Path("evil.py").write_text("raise SystemExit('imported')")
    sys.path.insert(0, str(here))
    try:
        for name in ("evil:Lift", "evil", "evil.Lift-v0"):
            robot_file(Path("demos.hdf5"), json.dumps({"env_name": name, "type": 1}))
            with pytest.warns(Notice, match="has no environment"):
                assert data().spec.task is not None
            with pytest.raises(InputError, match=r"evil|robosuite"):
                RobotEnv(Task(json.dumps({"env_name": name, "type": 1})))
    finally:
        sys.path.remove(str(here))
    assert "evil" not in sys.modules


def policy_without_environment(**given: object) -> RobotPolicy:
    return RobotPolicy(spec(task=None, **given), MeanFlow(), head=MLPHead(8))


def test_without_robosuite_evaluation_is_refused_before_workers_start(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from oneleap.domains.robot.envs import robosuite

    def none_starts(*_: object) -> object:
        raise AssertionError("a worker started")

    monkeypatch.setattr(robosuite, "find_spec", lambda name: None)
    monkeypatch.setattr(rollouts, "run_jobs", none_starts)
    RobotPolicy(spec(), MeanFlow(), head=MLPHead(8)).save_pretrained("model")
    assert main(["evaluate", "model", "--rollouts", "2"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "Lift is an environment of robosuite, which is not installed" in lines[0]
    assert "pip install 'oneleap[robot]'" in lines[0]
    assert not Path("model/evaluation.json").exists()


def test_a_policy_without_environment_is_played_where_the_user_says(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from oneleap.domains.robot.envs import robosuite

    players = list[EpisodePlayer]()

    def play(player: EpisodePlayer, numbers: object, workers: int) -> object:
        players.append(player)
        return iter([(0, rollouts.Rollout(True, 3, (1.0,), (1.0,)))])

    monkeypatch.setattr(robosuite, "find_spec", lambda name: name)
    monkeypatch.setattr("oneleap.domains.robot.envs.panda.find_spec", lambda name: None)
    monkeypatch.setattr(rollouts, "run_jobs", play)
    policy_without_environment().save_pretrained("model")
    one = ["evaluate", "model", "--rollouts", "1", "--video", "false"]
    assert main([*one, "--env", "Lift", "--horizon", "30"]) == 0
    assert (players[0].task.name, players[0].max_steps) == ("Lift", 30)
    assert main([*one, "--env", "Lfit"]) == 2
    assert "robosuite has no environment 'Lfit'; did you mean 'Lift'?" in capsys.readouterr().err
    with pytest.warns(Notice, match="horizon: episodes have 1000 steps"):
        task = find_task(policy_without_environment().spec, "Lift", None)
    assert task is not None
    assert task.max_episode_steps == 1000


def test_the_horizon_is_the_users_or_the_datas() -> None:
    args = {"env_name": "Lift", "type": 1, "env_version": "1.5.2", "env_kwargs": {"horizon": 70}}
    steps = []
    for kwargs, lengths in (({"horizon": 70}, (9, 9)), ({}, (9, 9)), ({}, (9, 350))):
        robot_file(Path("demos.hdf5"), json.dumps({**args, "env_kwargs": kwargs}), lengths)
        task = data().task
        assert task is not None
        steps.append(task.max_episode_steps)
    assert steps == [70, 400, 700]
    found = find_task(spec(), None, None)
    assert found is not None
    assert found.max_episode_steps == 20
    shorter = find_task(spec(), None, 7)
    assert shorter is not None
    assert shorter.max_episode_steps == 7
    with pytest.raises(InputError, match="horizon: 0 is not positive"):
        find_task(spec(), None, 0)
    assert find_task(spec(), "none", None) is None


class Fixed(RobotEnv):
    """Replaces the simulator: observations of fixed sizes."""

    def __init__(self, **obs: int) -> None:
        self.sizes, self.act_dim = obs, 7
        self.task = Task('{"env_name": "Lift"}')

    def observe(self, render: bool = True) -> dict[str, np.ndarray]:
        return {key: np.zeros(n) for key, n in self.sizes.items()}


def test_an_environment_that_does_not_fit_the_policy_is_one_line() -> None:
    check_fit(Fixed(hand=3, object=2), spec())
    with pytest.raises(InputError, match="Lift does not observe hand; did you mean 'hands'"):
        check_fit(Fixed(hands=3, object=2), spec())
    with pytest.raises(InputError, match="Lift: hand has 4 numbers, the policy's 3"):
        check_fit(Fixed(hand=4, object=2), spec())
    with pytest.raises(InputError, match="takes 7 numbers as an action, the policy has 3"):
        check_fit(Fixed(hand=3, object=2), spec(act_dim=3))
    check_fit(Fixed(hand=3, object=2), spec(act_dim=10, absolute=True))
