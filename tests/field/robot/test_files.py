"""Files as people have them: names, attributes, lengths, cameras and actions."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from support.tiny_robot import ENV_ARGS, EYE, KEYS, demonstrations, robot_file

from oneleap.core.errors import InputError, Notice
from oneleap.domains.robot.data.datamodule import DemonstrationData
from oneleap.domains.robot.data.robomimic import PAGE, ReadOptions, read_demos

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "demos.hdf5"


def data(path: Path, **given: object) -> DemonstrationData:
    fields: dict[str, object] = {"obs": KEYS, "horizon": 4, "batch_size": 8, **given}
    return DemonstrationData(str(path), **fields)  # type: ignore[arg-type]


def args_of(**controller: object) -> str:
    """Description of Lift with a pose controller, in the form of robosuite 1.4."""
    kwargs = {"controller_configs": {"type": "OSC_POSE", "input_max": 1, **controller}}
    return json.dumps({"env_name": "Lift", "type": 1, "env_version": "1.5.2", "env_kwargs": kwargs})


@pytest.mark.parametrize("name", ["a.HDF5", "a.hdf", "a.h5", "a"])
def test_the_name_of_a_file_is_free(name: str, tmp_path: Path) -> None:
    robot_file(tmp_path / name, ENV_ARGS)
    assert len(read_demos(str(tmp_path / name), ReadOptions(KEYS)).demos) == 36


def test_a_tilde_is_the_home_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    robot_file(path, ENV_ARGS)
    monkeypatch.setenv("HOME", str(path.parent))
    assert len(read_demos("~/demos.hdf5", ReadOptions(KEYS)).demos) == 36


@pytest.mark.parametrize(
    "stored", [np.bytes_(ENV_ARGS), np.array([ENV_ARGS.encode()]), np.array([ENV_ARGS], object)]
)
def test_attributes_are_text_bytes_or_arrays_of_them(stored: Any, path: Path) -> None:
    robot_file(path, stored)
    with h5py.File(path, "r+") as file:
        file["data/demo_0"].attrs["num_samples"] = np.array([12])
    task = data(path).spec.task
    assert task is not None
    assert task.parsed() == json.loads(ENV_ARGS)
    assert task.name == "Lift"


def test_every_refusal_names_the_page(path: Path) -> None:
    def refused(**given: object) -> str:
        with pytest.raises(InputError) as error:
            _ = data(path, **given).spec
        assert "\n" not in str(error.value)
        return str(error.value)

    assert (ROOT / PAGE).is_file()
    assert PAGE in refused()  # there is no file
    robot_file(path, ENV_ARGS)
    assert PAGE in refused(obs=("hnad",))
    assert PAGE in refused(action_key="action")
    assert "did you mean 'actions'" in refused(action_key="action")
    assert PAGE in refused(filter_key="valid")
    assert PAGE in refused(absolute=True)
    with pytest.raises(InputError, match=f"is a folder.*{PAGE}"):
        read_demos(str(path.parent), ReadOptions(KEYS))


def test_short_demonstrations_are_padded_and_empty_ones_left_out_and_both_counted(
    path: Path,
) -> None:
    robot_file(path, ENV_ARGS, lengths=(12, 3, 0, 2))
    module = data(path)
    with pytest.warns(Notice) as told:
        chunks = module.chunks
    messages = [str(warning.message) for warning in told]
    assert any("1 of 4 demonstrations have no steps: left out" in m for m in messages)
    assert any("2 of 3 demonstrations are shorter than the horizon 4" in m for m in messages)
    assert len(chunks) == 9 + 3 + 2
    act = module.loaded.demos.act
    batch = chunks.batch(torch.tensor([9]))
    assert torch.equal(batch.act[0].T, act[[12, 13, 14, 14]])
    robot_file(path, ENV_ARGS, lengths=(0, 0))
    with pytest.raises(InputError, match="none of 2 demonstrations has a step"):
        _ = data(path).spec


def test_two_cameras_of_different_sizes_are_one_clear_line(path: Path) -> None:
    demonstrations(path, images=(16, 12))
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            demo["obs/wrist_image"] = np.zeros((len(demo["actions"]), 8, 12, 3), np.uint8)
    message = r"obs/eye_image is 16 x 12 pixels, obs/wrist_image 8 x 12.*--data.cameras"
    with pytest.raises(InputError, match=message):
        read_demos(str(path), ReadOptions(KEYS, (EYE, "wrist_image")))
    assert len(read_demos(str(path), ReadOptions(KEYS, ("wrist_image",))).demos) == 36


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
def test_discrete_actions_are_refused(dtype: type, path: Path) -> None:
    robot_file(path, ENV_ARGS, actions={"actions": lambda n: np.ones((n, 2), dtype)})
    with pytest.raises(InputError, match=r"demo_0: actions holds .*no discrete actions"):
        read_demos(str(path), ReadOptions(KEYS))


def test_discrete_actions_stored_as_floats_are_refused(path: Path) -> None:
    robot_file(path, ENV_ARGS, actions={"actions": lambda n: np.arange(n) % 4.0})
    with pytest.raises(InputError, match="whole numbers 0 to 3"):
        read_demos(str(path), ReadOptions(KEYS))
    robot_file(path, ENV_ARGS, actions={"actions": lambda n: np.arange(n) / 4.0})
    assert read_demos(str(path), ReadOptions(KEYS)).demos.act.shape == (36, 1)


def poses(n: int) -> np.ndarray:
    turn = np.tile([3.0, 0.2, 0.1], (n, 1))
    return np.concatenate([np.full((n, 3), 1.2), turn, np.ones((n, 1))], axis=1)


def offsets(n: int) -> np.ndarray:
    return np.random.default_rng(n).uniform(-1, 1, (n, 7))


@pytest.mark.parametrize("said", [{"control_delta": False}, {"input_type": "absolute"}])
def test_env_args_say_whether_actions_are_poses(said: dict[str, object], path: Path) -> None:
    robot_file(path, args_of(**said), actions={"actions": poses})
    spec = data(path).spec
    assert spec.absolute
    assert spec.act_dim == 10
    assert spec.task is not None
    assert spec.task.absolute
    also = data(path, env="none").spec  # what actions are does not depend on the evaluation
    assert also.absolute


def test_two_arms_have_ten_numbers_each(path: Path) -> None:
    from oneleap.domains.robot.envs.rotation import pose_from_network

    def both(n: int) -> np.ndarray:
        return np.concatenate([poses(n), poses(n)], axis=1)

    robot_file(path, args_of(input_type="absolute"), actions={"actions": both})
    act = data(path).loaded.demos.act
    assert act.shape == (36, 20)
    np.testing.assert_allclose(pose_from_network(act[:3].double().numpy()), both(3), atol=1e-5)


def test_poses_beside_offsets(path: Path) -> None:
    robot_file(path, args_of(), actions={"actions": offsets, "actions_abs": poses})
    default = data(path).spec
    assert (default.absolute, default.act_dim) == (False, 7)
    for given in ({"absolute": True}, {"action_key": "actions_abs"}):
        module = data(path, **given)
        assert module.loaded.form == ("actions_abs", True)
        assert module.spec.task is not None
        assert module.spec.task.absolute  # it is evaluated with the controller of its actions
    robot_file(path, args_of(), actions={"actions_abs": poses})
    assert data(path).loaded.form == ("actions_abs", True)


def test_actions_of_another_name(path: Path) -> None:
    robot_file(path, args_of(), actions={"actions": poses, "delta": offsets})
    module = data(path, action_key="delta")
    assert module.spec.act_dim == 7
    assert torch.equal(module.loaded.demos.act[:12], torch.from_numpy(offsets(12)).float())
    robot_file(path, args_of(input_type="absolute"), actions={"actions": poses, "delta": offsets})
    task = data(path, action_key="delta", absolute=False).spec.task
    assert task is not None
    assert not task.absolute


def test_poses_that_env_args_call_offsets_are_noticed_without_a_simulator(path: Path) -> None:
    robot_file(path, args_of(), actions={"actions": poses})
    with pytest.warns(Notice, match=r"actions reaches 3 in column 3.*--data.absolute true"):
        assert not data(path).spec.absolute
    spec = data(path, absolute=True).spec  # without a notice
    assert spec.act_dim == 10


def test_joint_angles_stay_what_they_are(path: Path) -> None:
    joints = {"type": "JOINT_POSITION", "input_type": "absolute"}
    robot_file(path, args_of(**joints), actions={"actions": offsets})
    assert not data(path).spec.absolute


def test_an_environment_that_is_damaged_is_refused_with_the_mend(path: Path) -> None:
    robot_file(path, "{")
    with pytest.raises(InputError, match=r"not valid JSON.*--data.env none"):
        _ = data(path).spec
    assert data(path, env="none").spec.task is None


def test_only_offsets_have_a_range() -> None:
    from oneleap.domains.robot.envs.control import has_range

    joints = {"type": "JOINT_POSITION", "input_type": "absolute", "gripper": {"type": "GRIP"}}
    for parts, wanted in (
        (joints, False),
        ({"type": "BASIC", "body_parts": {"arms": {"right": joints}}}, False),
        ([{"type": "OSC_POSITION", "control_delta": False}], False),
        ({"type": "BASIC", "body_parts": {"right": {"type": "OSC_POSE"}}}, True),
        (None, True),
    ):
        assert has_range({"env_kwargs": {"controller_configs": parts}}) is wanted
