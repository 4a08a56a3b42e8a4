"""A thin wrapper of robosuite's environments: seeded resets, success, images, states.

robomimic 0.3 has a wrapper of its own, but that one imports the abandoned ``mujoco_py``.
"""

import inspect
import logging
import os
import warnings
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.robot.envs.control import POSE_DIM, has_range, pose_controllers, set_control
from oneleap.domains.robot.envs.rotation import matrix_to_rotvec
from oneleap.domains.robot.envs.task import Task, unknown_name

Observation = dict[str, NDArray[Any]]
"""Arrays by robomimic's keys; images are uint8 (h, w, 3), upright."""

GL_PACKAGES = "libegl1 libgl1 libosmesa6 libgles2"
"""Debian packages with OpenGL libraries that render without a screen."""

RENAMED_KEYS = {"object": "object-state"}
"""robomimic's keys of observations to robosuite's, where they differ."""


class RobotEnv:
    """One environment, in which each episode is a function of its seed.

    Models are loaded once (``hard_reset=False``): a reset then takes no time, otherwise 0.2 s.
    robosuite draws the size of Lift's cube when it loads a model, so all episodes share it. The
    draw has a fixed seed: it is the same in every process.

    Args:
        task: Environment to build.
        cameras: Keys of the images to observe, for example ``agentview_image``.
        image_size: Height and width of the images, pixels.
        absolute: Whether actions are poses instead of offsets, also if the task says offsets.

    Raises:
        InputError: robosuite is not installed, or has no such environment.
    """

    def __init__(
        self,
        task: Task,
        *,
        cameras: tuple[str, ...] = (),
        image_size: tuple[int, int] = (84, 84),
        absolute: bool = False,
    ) -> None:
        self.task, self.cameras, self.image_size = task, cameras, image_size
        self.absolute = absolute or task.absolute
        self._has_range = has_range(task.parsed())
        self.env = _make(task, self.absolute)
        self.act_dim = int(self.env.action_dim)
        self._context: Any = None
        self.steps = 0

    def reset(self, seed: int) -> Observation:
        """Start the episode of a seed and return its first observation."""
        # robosuite's parts share this generator. A new generator would not reach all of them.
        self.env.rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
        self.env.reset()
        self.steps = 0
        return self.observe()

    def step(
        self, action: NDArray[np.floating[Any]], render: bool = True
    ) -> tuple[Observation, bool]:
        """Act for 1/20 s. Offsets are clipped to their range.

        Args:
            action: Offset or pose, and gripper, (a,).
            render: Whether to render the cameras' images. While a chunk of actions is executed,
                only the observations before the next chunk need them.

        Returns:
            The observation after the step, and whether the task is solved in that state.

        Raises:
            InputError: The action is not finite, or has the wrong size.
        """
        action = np.array(action, np.float64)
        if action.shape != (self.act_dim,):
            raise InputError(
                f"{self.task.name}: expected an action of shape ({self.act_dim},), not "
                f"{action.shape}"
            )
        if not np.isfinite(action).all():
            raise InputError(f"{self.task.name}: the action is not finite: did training diverge?")
        if self.absolute:  # action_spec is the range of offsets: clip the grippers only
            action[POSE_DIM - 1 :: POSE_DIM] = np.clip(action[POSE_DIM - 1 :: POSE_DIM], -1, 1)
        elif self._has_range:
            action = np.clip(action, *self.env.action_spec)
        self.env.step(action)
        self.steps += 1
        return self.observe(render), self.is_success()

    def is_success(self) -> bool:
        """Whether the task is solved in the current state."""
        return bool(self.env._check_success())

    def observe(self, render: bool = True) -> Observation:
        """Return the current observation, with the cameras' images if ``render``."""
        # Without force_update, poses relative to the gripper are those of the call before.
        found = self.env._get_observations(force_update=True)
        obs = {key: np.asarray(value) for key, value in found.items()}
        obs |= {ours: obs[theirs] for ours, theirs in RENAMED_KEYS.items() if theirs in obs}
        for key in self.cameras if render else ():
            obs[key] = self.render(key.removesuffix("_image"), self.image_size)
        return obs

    def render(self, camera: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Render one camera's image.

        Args:
            camera: Name of the camera, for example ``agentview``.
            size: Height and width, pixels.

        Returns:
            Image, (h, w, 3).

        Raises:
            InputError: The camera does not exist, or OpenGL is missing.
        """
        if camera not in self.env.sim.model.camera_names:
            names = ", ".join(self.env.sim.model.camera_names)
            raise InputError(f"{self.task.name} has no camera '{camera}' (it has {names})")
        if self._context is None:
            self._context = _render_context(self.env.sim, fast=self.task.fast_rendering)
        flipped = self.env.sim.render(camera_name=camera, width=size[1], height=size[0])
        return np.ascontiguousarray(flipped[::-1])

    def state(self) -> NDArray[np.float64]:
        """Return time, positions and velocities of the whole simulation, (s,)."""
        flat: NDArray[np.float64] = self.env.sim.get_state().flatten()
        return flat

    def model_xml(self) -> str:
        """Return MuJoCo's description of the scene."""
        import mujoco

        with TemporaryDirectory() as folder:  # robosuite's own function leaves the file open
            path = Path(folder, "model.xml")
            mujoco.mj_saveLastXML(str(path), self.env.sim.model._model)
            return path.read_text(encoding="utf-8")

    def reset_to(self, state: NDArray[np.float64]) -> Observation:
        """Go to a state of the same scene, with the robot at rest, and return the observation.

        A state does not hold the gripper's last command, the controller's goal or its preferred
        posture. They are reset here: otherwise replayed actions drift from the recording.

        Raises:
            InputError: The state is of another scene.
        """
        if state.shape != self.state().shape:
            raise InputError(
                f"{self.task.name}: expected a state of {len(self.state())} numbers, not "
                f"{len(state)}"
            )
        self.env.sim.reset()  # otherwise the solver starts from the forces of the last state
        self.env.sim.set_state_from_flattened(state)
        self.env.sim.forward()
        for robot in self.env.robots:
            for gripper in robot.gripper.values():
                gripper.current_action = np.zeros(gripper.dof)
            robot.composite_controller.update_state()
            robot.composite_controller.reset()
            for arm in robot.arms:
                joints = robot.sim.data.qpos[robot._ref_arm_joint_pos_indexes]
                robot.part_controllers[arm].update_initial_joints(joints)
        self.steps = 0
        return self.observe()

    def controller_goal(self) -> NDArray[np.float64]:
        """Return the arm controller's target pose in the world frame.

        Returns:
            Position in meters and rotation vector in radians, (6,).
        """
        arm = self.env.robots[0].part_controllers["right"]
        position, rotation = arm.goal_pos, arm.goal_ori
        if arm.input_ref_frame == "base":
            position = arm.origin_pos + arm.origin_ori @ position
            rotation = arm.origin_ori @ rotation
        return np.concatenate([position, matrix_to_rotvec(rotation)])

    def close(self) -> None:
        """Free the simulation."""
        self.env.close()


def robosuite_version() -> str:
    """Return the version of the installed robosuite."""
    from importlib.metadata import version

    return version("robosuite")


def require_robosuite(task: Task) -> None:
    """Check that an environment can be built, without importing robosuite.

    Raises:
        InputError: robosuite is not installed.
    """
    if find_spec("robosuite") is None:
        raise InputError(
            f"{task.name} is an environment of robosuite, which is not installed: "
            "pip install 'oneleap[robot]'"
        )


def disable_opengl() -> None:
    """Let MuJoCo be imported on machines without OpenGL; call before its first import.

    robosuite's import sets the environment variable that selects EGL. Processes started later
    inherit it and then fail to import MuJoCo where EGL is missing.
    """
    os.environ["MUJOCO_GL"] = "disabled"


def enable_opengl() -> None:
    """Let MuJoCo render without a screen, by EGL or else OSMesa; call before its first import."""
    if os.environ.get("MUJOCO_GL", "disabled") == "disabled":
        os.environ["MUJOCO_GL"] = "egl" if find_library("EGL") else "osmesa"


def _import_robosuite() -> Any:
    """Import robosuite without its log messages and warnings."""
    logging.getLogger("robosuite_logs").disabled = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import robosuite
    return robosuite


def _make(task: Task, absolute: bool) -> Any:
    """Build the environment; arguments are converted to the installed robosuite's form.

    Names are looked up among what is registered; nothing that a file names is imported.
    """
    require_robosuite(task)
    robosuite, args = _import_robosuite(), task.parsed()
    known = robosuite.environments.base.REGISTERED_ENVS
    if task.name not in known:
        reason = unknown_name(task.name) or f"has no environment '{task.name}'"
        raise InputError(f"robosuite {robosuite_version()} {reason}")
    accepted = set[str]()
    for cls in known[task.name].__mro__:
        accepted |= set(inspect.signature(cls.__init__).parameters)
    given = {key: value for key, value in args.get("env_kwargs", {}).items() if key in accepted}
    given |= {
        "has_renderer": False,
        "has_offscreen_renderer": False,
        "use_camera_obs": False,
        "use_object_obs": True,
        "ignore_done": True,
        "hard_reset": False,
        "renderer": "mujoco",
        "seed": 0,
        "controller_configs": _controller_config(given, absolute),
    }
    if (task.version or "1.4") < "1.5":
        given["lite_physics"] = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            env = robosuite.make(env_name=task.name, **given)
        except (TypeError, ValueError, KeyError, AssertionError) as error:
            reason = " ".join(str(error).split())
            where = f"env_args of {task.name}: robosuite {robosuite_version()}"
            raise InputError(f"{where}: {reason}") from None
        env.reset()
    return env


def _controller_config(given: dict[str, Any], absolute: bool) -> Any:
    """Return controller settings in the form of robosuite 1.5; earlier forms are converted."""
    from robosuite.controllers import load_composite_controller_config
    from robosuite.controllers.composite.composite_controller_factory import (
        is_part_controller_config,
        refactor_composite_controller_config,
    )

    robots = given.get("robots", "Panda")
    robot = robots if isinstance(robots, str) else robots[0]
    config = given.get("controller_configs")
    config = config[0] if isinstance(config, list | tuple) else config
    if config is None:
        config = load_composite_controller_config(robot=robot)
    elif is_part_controller_config(config):
        old = {"input_ref_frame": "world", **config}
        config = refactor_composite_controller_config(old, robot, ["right"])
    for controller in pose_controllers({"env_kwargs": {"controller_configs": config}}):
        if absolute:
            set_control(controller, absolute=True)
    return config


def _render_context(sim: Any, fast: bool) -> Any:
    """Make MuJoCo's render context.

    Fast images have no reflections, coarse shadows and no multisampling. Without a GPU, an image of
    84 x 84 pixels then takes 18 ms of CPU time instead of 75 ms.

    Raises:
        InputError: OpenGL is missing.
    """
    enable_opengl()
    try:
        from robosuite.utils import binding_utils

        if fast:
            quality = sim.model._model.vis.quality
            quality.offsamples, quality.shadowsize = 0, 512
        context = binding_utils.MjRenderContextOffscreen(sim, device_id=-1)
    except Exception as error:  # OpenGL back ends raise anything
        reason = " ".join(str(error).split())[:100]
        raise InputError(
            f"images need OpenGL: install the Debian packages {GL_PACKAGES} ({reason})"
        ) from None
    context.vopt.geomgroup[0], context.vopt.geomgroup[1] = 0, 1
    if fast:
        from mujoco import mjtRndFlag

        context.scn.flags[mjtRndFlag.mjRND_REFLECTION] = 0
    return context
