"""The wrapper of robosuite: what a seed and a state determine."""

import json
import subprocess
import sys

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.robot.envs.task import Task, parse_env_args

pytest.importorskip("robosuite")

from oneleap.domains.robot.envs.panda import panda_env_args
from oneleap.domains.robot.envs.robosuite import RobotEnv, enable_opengl, robosuite_version

OLD = {  # as robomimic v0.1 describes it: a flat controller, no version, unknown keys
    "env_name": "Lift",
    "type": 1,
    "env_kwargs": {
        "robots": ["Panda"],
        "controller_configs": {
            "type": "OSC_POSE",
            "input_max": 1,
            "input_min": -1,
            "output_max": [0.05, 0.05, 0.05, 0.5, 0.5, 0.5],
            "output_min": [-0.05, -0.05, -0.05, -0.5, -0.5, -0.5],
            "kp": 150,
            "damping": 1,
            "impedance_mode": "fixed",
            "kp_limits": [0, 300],
            "damping_limits": [0, 10],
            "position_limits": None,
            "orientation_limits": None,
            "uncouple_pos_ori": True,
            "control_delta": True,
            "interpolation": None,
            "ramp_ratio": 0.2,
        },
        "control_freq": 20,
        "reward_shaping": False,
        "render_gpu_device_id": 0,
        "unknown": 3,
    },
}
enable_opengl()


@pytest.fixture(scope="module")
def env() -> RobotEnv:
    return RobotEnv(Task(panda_env_args("Lift")), image_size=(24, 32))


def walk(env: RobotEnv, actions: np.ndarray) -> np.ndarray:
    """Act; return the object's observation after each action."""
    return np.stack([env.step(action)[0]["object"] for action in actions])


def some_actions(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (n, 7))


def test_an_episode_is_a_function_of_its_seed_alone(env: RobotEnv) -> None:
    first, actions = env.reset(3), some_actions(12)
    way = walk(env, actions)
    other = env.reset(4)
    assert not np.allclose(other["object"], first["object"])
    walk(env, -np.abs(some_actions(9, 1)))
    again = env.reset(3)
    assert first.keys() == again.keys()
    for key, value in first.items():
        np.testing.assert_array_equal(value, again[key])
    np.testing.assert_array_equal(walk(env, actions), way)


def test_another_process_gives_the_same_episode(env: RobotEnv) -> None:
    code = (
        "from oneleap.domains.robot.envs.robosuite import *\n"
        "from oneleap.domains.robot.envs.panda import panda_env_args\n"
        "disable_opengl()\n"
        "env = RobotEnv(Task(panda_env_args('Lift')))\n"
        "print(env.reset(5)['object'].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == env.reset(5)["object"].tolist()


def test_the_first_observation_is_complete(env: RobotEnv) -> None:
    obs = env.reset(0)
    assert {"object", "robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos"} <= obs.keys()
    cube, to_cube = obs["cube_pos"], obs["gripper_to_cube_pos"]
    assert np.abs(to_cube).min() > 0
    assert np.linalg.norm(to_cube) == pytest.approx(np.linalg.norm(cube - obs["robot0_eef_pos"]))


def test_actions_are_clipped_and_checked(env: RobotEnv) -> None:
    env.reset(1)
    far = walk(env, np.full((3, 7), 9.0))
    env.reset(1)
    np.testing.assert_array_equal(walk(env, np.ones((3, 7))), far)
    with pytest.raises(InputError, match=r"Lift: expected an action of shape \(7,\), not \(6,\)"):
        env.step(np.zeros(6))
    with pytest.raises(InputError, match="not finite: did training diverge"):
        env.step(np.full(7, np.nan))


def test_replayed_actions_follow_what_was_recorded(env: RobotEnv) -> None:
    env.reset(2)
    walk(env, some_actions(6, 2))
    state, actions = env.state(), some_actions(5, 3)
    first = env.reset_to(state)
    np.testing.assert_array_equal(env.state(), state)
    way = walk(env, actions)
    env.reset(7)
    walk(env, np.ones((8, 7)))  # the gripper closed, the goal far away
    second = env.reset_to(state)
    np.testing.assert_array_equal(first["object"], second["object"])
    np.testing.assert_allclose(walk(env, actions), way, atol=1e-9)
    with pytest.raises(InputError, match="expected a state of 32 numbers, not 5"):
        env.reset_to(np.zeros(5))


def test_success_is_that_of_robosuite(env: RobotEnv) -> None:
    env.reset(0)
    assert not env.is_success()
    joint = env.env.cube.joints[0]
    pose = env.env.sim.data.get_joint_qpos(joint).copy()
    pose[2] += 0.2
    env.env.sim.data.set_joint_qpos(joint, pose)
    env.env.sim.forward()
    assert env.is_success()


def test_images_are_upright(env: RobotEnv) -> None:
    env.reset(0)
    image = env.render("agentview", (60, 80))
    assert image.shape == (60, 80, 3)
    assert image.dtype == np.uint8
    table, wall = image[40:].mean(), image[:8, :20].mean()
    assert table > wall + 40  # the white table is below, the grey wall above
    with pytest.raises(InputError, match=r"has no camera 'eye' \(it has frontview"):
        env.render("eye", (8, 8))


def test_images_are_observed_unless_rendering_is_off() -> None:
    env = RobotEnv(Task(panda_env_args("Lift")), cameras=("agentview_image",), image_size=(24, 32))
    assert env.reset(0)["agentview_image"].shape == (24, 32, 3)
    assert "agentview_image" not in env.step(np.zeros(7), render=False)[0]


def test_environments_described_by_older_files_are_built() -> None:
    env = RobotEnv(Task(json.dumps(OLD)))
    assert env.act_dim == 7
    assert env.env.lite_physics is False
    env.reset(0)
    before = env.observe()["robot0_eef_pos"]
    walk(env, np.tile([0, 0, 1, 0, 0, 0, -1], (5, 1)).astype(float))
    assert env.observe()["robot0_eef_pos"][2] > before[2] + 0.02


def test_absolute_actions_reach_their_pose() -> None:
    task = Task(panda_env_args("Lift"))
    offsets, poses = RobotEnv(task), RobotEnv(task, absolute=True)
    offsets.reset(0)
    start = poses.reset(0)["robot0_eef_pos"]
    action = np.array([0.3, -0.2, 0.4, 0.1, 0.0, 0.2, -1.0])
    for _ in range(6):
        wanted = offsets.step(action)[0]["robot0_eef_pos"]
        found = poses.step(np.append(offsets.controller_goal(), -1.0))[0]["robot0_eef_pos"]
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert np.linalg.norm(wanted - start) > 0.01


def test_unknown_environments_are_reported() -> None:
    with pytest.raises(
        InputError, match=f"robosuite {robosuite_version()} has no environment 'Fly'"
    ):
        RobotEnv(Task(json.dumps({"env_name": "Fly"})))
    wrong = {"env_name": "Lift", "env_kwargs": {"robots": "Nobody"}}
    with pytest.raises(InputError, match="env_args of Lift: robosuite"):
        RobotEnv(Task(json.dumps(wrong)))
    with pytest.raises(InputError, match="x: data: env_args is not valid JSON"):
        parse_env_args("{", "x: data: env_args")
