"""Description of the environments in which ``oneleap collect robosuite`` demonstrates."""

import json
from importlib.util import find_spec

from oneleap.domains.robot.envs.robosuite import robosuite_version
from oneleap.domains.robot.envs.task import FAST_RENDERING, ROBOSUITE_TYPE

FORMAT_VERSION = "1.5.2"
"""Version of robosuite in whose form environments are described."""


def panda_env_args(
    task: str, cameras: tuple[str, ...] = (), image_size: tuple[int, int] = (84, 84)
) -> str:
    """Describe a task for a Panda arm with the controller ``OSC_POSE`` at 20 Hz.

    Args:
        task: Name of the environment, for example ``Lift``.
        cameras: Keys of the images, for example ``agentview_image``.
        image_size: Height and width of the images, pixels.

    Returns:
        JSON as in robomimic's files, see :class:`oneleap.domains.robot.envs.task.Task`.
    """
    limit = [0.05, 0.05, 0.05, 0.5, 0.5, 0.5]
    arm = {
        "type": "OSC_POSE",
        "input_max": 1,
        "input_min": -1,
        "output_max": limit,
        "output_min": [-x for x in limit],
        "kp": 150,
        "damping_ratio": 1,
        "impedance_mode": "fixed",
        "kp_limits": [0, 300],
        "damping_ratio_limits": [0, 10],
        "position_limits": None,
        "orientation_limits": None,
        "uncouple_pos_ori": True,
        "input_type": "delta",
        "input_ref_frame": "base",
        "interpolation": None,
        "ramp_ratio": 0.2,
        "gripper": {"type": "GRIP"},
    }
    kwargs = {
        "robots": ["Panda"],
        "controller_configs": {"type": "BASIC", "body_parts": {"right": arm}},
        "control_freq": 20,
        "reward_shaping": False,
        "has_renderer": False,
        "has_offscreen_renderer": bool(cameras),
        "use_object_obs": True,
        "use_camera_obs": bool(cameras),
        "camera_names": [camera.removesuffix("_image") for camera in cameras],
        "camera_heights": image_size[0],
        "camera_widths": image_size[1],
        "camera_depths": False,
        "ignore_done": True,
        "lite_physics": True,
    }
    args = {
        "env_name": task,
        "env_version": robosuite_version() if find_spec("robosuite") else FORMAT_VERSION,
        "type": ROBOSUITE_TYPE,
        "env_kwargs": kwargs,
        FAST_RENDERING: True,
    }
    return json.dumps(args)
