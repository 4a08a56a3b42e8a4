"""Scripted demonstrations: they succeed, differ in manner, and continue after an interruption."""

import json
from pathlib import Path

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.robot.commands import attempts, collect
from oneleap.domains.robot.data.datamodule import LOW_DIM_KEYS
from oneleap.domains.robot.data.robomimic import ReadOptions, read_demos
from oneleap.domains.robot.demonstrators.phases import Demonstrator
from oneleap.domains.robot.demonstrators.scripted import PLANS
from oneleap.domains.robot.envs.panda import panda_env_args
from oneleap.domains.robot.envs.robosuite import RobotEnv, enable_opengl
from oneleap.domains.robot.envs.task import Task

h5py = pytest.importorskip("h5py")
pytest.importorskip("robosuite")

enable_opengl()
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def env() -> RobotEnv:
    return RobotEnv(Task(panda_env_args("Lift")))


def test_a_demonstration_is_a_function_of_its_seeds_and_succeeds(env: RobotEnv) -> None:
    one, same, other = (
        attempts.demonstrate(env, 1, np.random.default_rng(manner)) for manner in (0, 0, 1)
    )
    assert one is not None
    assert same is not None
    assert other is not None
    np.testing.assert_array_equal(one.actions, same.actions)
    assert len(one.actions) != len(other.actions) or not np.allclose(one.actions, other.actions)
    assert one.rewards[-1] == 1
    assert one.rewards[: -attempts.STEPS_AFTER_SUCCESS - 2].sum() == 0
    assert {len(a) for a in (one.states, one.actions_abs, one.rewards)} == {len(one.actions)}
    assert {len(a) for a in one.obs.values()} == {len(one.actions) + 1}
    assert np.abs(one.actions).max() <= 1
    assert set(one.actions[:, 6]) == {-1.0, 1.0}
    np.testing.assert_array_equal(one.actions[:, 6], one.actions_abs[:, 6])


def test_states_and_poses_replay_the_demonstration(env: RobotEnv) -> None:
    demo = attempts.demonstrate(env, 2, np.random.default_rng(0))
    assert demo is not None
    seen = env.reset_to(demo.states[9])
    wanted = demo.obs["robot0_eef_pos"]  # robosuite observes 2 ms before the step's end
    np.testing.assert_allclose(seen["robot0_eef_pos"], wanted[9], atol=1e-3)
    poses = RobotEnv(env.task, absolute=True)
    poses.reset(2)
    for pose, wanted in zip(demo.actions_abs, demo.obs["robot0_eef_pos"][1:], strict=True):
        np.testing.assert_allclose(poses.step(pose)[0]["robot0_eef_pos"], wanted, atol=1e-6)
    assert poses.is_success()


def test_there_are_several_manners(env: RobotEnv) -> None:
    obs = env.reset(0)
    yaws = {round(PLANS["Lift"](obs, np.random.default_rng(k))[0].yaw, 6) for k in range(20)}
    assert len(yaws) == 2
    assert max(yaws) - min(yaws) == pytest.approx(np.pi / 2, abs=1e-5)
    sides = []
    for k in range(40):
        target = PLANS["Lift"](obs, np.random.default_rng(k))[0].target(obs, np.zeros(3))
        sides.append(np.arctan2(*(target - obs["cube_pos"])[1::-1]))
    quarter = np.round(np.array(sides) / (np.pi / 2)) % 4
    assert len(set(quarter.tolist())) == 4


@pytest.mark.slow
@pytest.mark.parametrize("task", PLANS)
def test_most_attempts_succeed(task: str) -> None:
    env = RobotEnv(Task(panda_env_args(task)))
    found = [attempts.demonstrate(env, k, np.random.default_rng(k)) for k in range(12)]
    assert sum(demo is not None for demo in found) >= 10


def test_half_of_the_demonstrations_begin_after_a_mistake(env: RobotEnv) -> None:
    start = env.reset(3)["robot0_eef_pos"]
    starts = []
    for k in range(8):
        demo = attempts.demonstrate(env, 3, np.random.default_rng(k))
        assert demo is not None
        starts.append(np.linalg.norm(demo.obs["robot0_eef_pos"][0] - start))
    mistakes = [np.random.default_rng(k).random() < attempts.MISTAKE_PROBABILITY for k in range(8)]
    assert [away > 1e-3 for away in starts] == mistakes
    assert 0 < sum(mistakes) < 8


def test_the_demonstrator_ends(env: RobotEnv) -> None:
    obs, rng = env.reset(0), np.random.default_rng(0)
    demonstrator = Demonstrator(PLANS["Lift"](obs, rng), obs, rng)
    for _ in range(400):
        action = demonstrator.act(obs)  # nothing moves: every phase runs out of time
        assert action.shape == (7,)
        assert np.abs(action).max() <= 1
    assert demonstrator.done


def test_the_command_continues_after_an_interruption(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole.hdf5", tmp_path / "interrupted.hdf5"
    collect.robosuite("Lift", demos=3, out=whole, workers=1)
    assert "3 demonstrations of" in capsys.readouterr().out

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(attempts, "write_demos", interrupt)
        with pytest.raises(KeyboardInterrupt):
            collect.robosuite("Lift", demos=2, out=parts, workers=2)
    kept = sorted(path.name for path in parts.with_suffix(".parts").glob("*.npz"))
    assert len(kept) >= 2
    assert not parts.exists()
    with pytest.raises(InputError, match="attempts of another collection: delete it"):
        collect.robosuite("Lift", demos=3, out=parts, workers=1, seed=1)
    collect.robosuite("Lift", demos=3, out=parts, workers=1)
    assert "continuing from" in capsys.readouterr().err
    assert not parts.with_suffix(".parts").exists()
    ours, theirs = (
        read_demos(str(path), ReadOptions(LOW_DIM_KEYS)).demos for path in (whole, parts)
    )
    assert ours.names == ("demo_0", "demo_1", "demo_2")
    assert ours.bounds.tolist() == theirs.bounds.tolist()
    assert (ours.act == theirs.act).all()
    assert (ours.obs == theirs.obs).all()
    with pytest.raises(InputError, match="exists"):
        collect.robosuite("Lift", demos=3, out=whole)


def test_images_are_stored_as_observed(tmp_path: Path) -> None:
    collect.robosuite("Lift", demos=1, images=True, image_size=16, out=tmp_path / "eye.hdf5")
    with h5py.File(tmp_path / "eye.hdf5") as file:
        assert json.loads(file["data"].attrs["env_args"])["env_kwargs"]["camera_heights"] == 16
        demo = file["data/demo_0"]
        assert set(collect.CAMERAS) <= set(demo["obs"])
        images = demo["obs/agentview_image"][()]
        assert images.shape == (demo.attrs["num_samples"], 16, 16, 3)
        assert (images[0] != images[-1]).any()
        assert (images[1:] == demo["next_obs/agentview_image"][:-1]).all()
    wanted = ReadOptions(("robot0_eef_pos",), ("agentview_image",))
    frames = read_demos(str(tmp_path / "eye.hdf5"), wanted).demos.images["agentview_image"]
    assert (frames.batch([3])[0].permute(1, 2, 0).numpy() == images[3]).all()


def test_numbers_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="demos: 0 is not positive"):
        collect.robosuite("Lift", demos=0, out=tmp_path / "none.hdf5")
