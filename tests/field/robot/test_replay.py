"""Files whose actions are poses: env_args decide, and a replay that fails is told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("robosuite")
pytest.importorskip("h5py")

from oneleap.domains.robot.commands import attempts
from oneleap.domains.robot.data.datamodule import DemonstrationData
from oneleap.domains.robot.data.replay import replay_note
from oneleap.domains.robot.data.robomimic_write import Demonstration, write_demos
from oneleap.domains.robot.envs.panda import panda_env_args
from oneleap.domains.robot.envs.robosuite import RobotEnv, disable_opengl
from oneleap.domains.robot.envs.task import ROBOSUITE_NAMES, Task

disable_opengl()
OBS = ("robot0_eef_pos", "object")
BASE = np.array([-0.56, 0.0, 0.912])
"""Place of the Panda's base in Lift, meters; it is not turned."""


@pytest.fixture(scope="module")
def demos() -> list[Demonstration]:
    env = RobotEnv(Task(panda_env_args("Lift")))
    found = list[Demonstration]()
    seed = 0
    while len(found) < 2:
        demo = attempts.demonstrate(env, seed, np.random.default_rng(seed))
        found += [] if demo is None else [demo]
        seed += 1
    return found


def controller(args: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = args["env_kwargs"]["controller_configs"]["body_parts"]["right"]
    return part


def write(
    path: Path, demos: list[Demonstration], args: dict[str, Any], key: str = "actions"
) -> DemonstrationData:
    """Write a file whose ``actions`` are those under a key of the demonstrations."""
    h5py = pytest.importorskip("h5py")
    write_demos(path, json.dumps(args), demos)
    with h5py.File(path, "r+") as file:
        for k, demo in enumerate(demos):
            del file[f"data/demo_{k}/actions"], file[f"data/demo_{k}/actions_abs"]
            file[f"data/demo_{k}/actions"] = getattr(demo, key)
    return DemonstrationData(str(path), obs=OBS)


def note(data: DemonstrationData) -> str | None:
    assert data.task is not None
    return replay_note(data.path, data.loaded, data.task)


def old_form(control: dict[str, Any]) -> dict[str, Any]:
    """Args of robosuite 1.4: a flat controller that has poses of the world's frame."""
    args = json.loads(panda_env_args("Lift"))
    flat = {k: v for k, v in controller(args).items() if k not in ("input_type", "gripper")}
    del flat["input_ref_frame"]
    args["env_kwargs"]["controller_configs"] = flat | control
    return args


def test_offsets_replay(tmp_path: Path, demos: list[Demonstration]) -> None:
    data = write(tmp_path / "a.hdf5", demos, json.loads(panda_env_args("Lift")))
    assert not data.spec.absolute
    assert note(data) is None


@pytest.mark.parametrize("form", ["input_type", "control_delta"])
def test_poses_replay_as_env_args_say(
    form: str, tmp_path: Path, demos: list[Demonstration]
) -> None:
    if form == "control_delta":
        args = old_form({"control_delta": False})
    else:
        args = json.loads(panda_env_args("Lift"))
        controller(args).update(input_type="absolute", input_ref_frame="world")
    data = write(tmp_path / "a.hdf5", demos, args, "actions_abs")
    assert data.spec.absolute
    assert data.spec.act_dim == 10
    assert note(data) is None


@pytest.mark.filterwarnings("ignore:.*reaches")
def test_poses_that_env_args_call_offsets_are_told_with_the_mend(
    tmp_path: Path, demos: list[Demonstration]
) -> None:
    args = json.loads(panda_env_args("Lift"))
    data = write(tmp_path / "a.hdf5", demos, args, "actions_abs")
    found = note(data)
    assert found is not None
    assert "demo_0: replayed in robosuite, actions as offsets do not solve Lift" in found
    assert found.endswith("with --data.absolute true they do")
    assert note(DemonstrationData(data.path, obs=OBS, absolute=True)) is None


def test_poses_in_the_frame_of_the_base(tmp_path: Path, demos: list[Demonstration]) -> None:
    """robomimic's own conversion writes them."""
    for demo in demos:
        demo.actions_abs[:, :3] -= BASE
    try:
        args = json.loads(panda_env_args("Lift"))
        data = write(tmp_path / "a.hdf5", demos, args, "actions_abs")
        told = note(DemonstrationData(data.path, obs=OBS, absolute=True))
        assert told is not None
        assert told.endswith("with --data.absolute true --data.pose_frame base they do")
        base = DemonstrationData(data.path, obs=OBS, absolute=True, pose_frame="base")
        assert note(base) is None
    finally:
        for demo in demos:
            demo.actions_abs[:, :3] += BASE


def test_names_of_environments_are_robosuites() -> None:
    import robosuite

    assert set(ROBOSUITE_NAMES) == set(robosuite.environments.base.REGISTERED_ENVS)
