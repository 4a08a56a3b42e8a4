"""robosuite's environments, thinly: seeded resets, success, pictures, states.

robomimic 0.3 has a wrapper of its own, which imports the dead ``mujoco_py``.
"""

import inspect
import logging
import os
import warnings
from ctypes.util import find_library
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.robot.envs.rotation import to_rotvec
from oneleap.domains.robot.envs.task import Task

Observation = dict[str, NDArray[Any]]
"""By key as robomimic names them; images are uint8 (h, w, 3), upright."""

GL_PACKAGES = "libegl1 libgl1 libosmesa6 libgles2"
RENAMED = {"object": "object-state"}
"""robomimic's names of robosuite's observations, where they differ."""


class RobotEnv:
    """One environment, in which every episode is a function of its seed.

    Models are loaded once (``hard_reset=False``: a reset takes no time, otherwise 0.2 s). What
    robosuite draws when it loads a model, the size of Lift's cube, is therefore the same in all
    episodes; it is drawn from a fixed seed, so that it does not depend on the process either.

    Args:
        task: Which environment.
        cameras: Keys of images to observe, ``agentview_image`` say.
        image_size: Their height and width, pixels.
        absolute: Actions are poses, not offsets.

    Raises:
        InputError: robosuite has no such environment, or there is no OpenGL for the cameras.
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
        self.absolute = absolute
        self.env = _make(task, absolute)
        self.act_dim = int(self.env.action_dim)
        self._context: Any = None
        self.steps = 0

    def reset(self, seed: int) -> Observation:
        """Begin the episode of a seed."""
        # Everything drawn shares this generator; a new one would not reach those who hold it.
        self.env.rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
        self.env.reset()
        self.steps = 0
        return self.observe()

    def step(
        self, action: NDArray[np.floating[Any]], pictures: bool = True
    ) -> tuple[Observation, bool]:
        """Act for 1/20 s; what is seen then, and success. Offsets are clipped to their range.

        Args:
            action: (a,).
            pictures: Whether the cameras look; who executes a chunk needs to look at its end only.

        Raises:
            InputError: If the action is not finite, or of the wrong size.
        """
        action = np.array(action, np.float64)
        if action.shape != (self.act_dim,):
            raise InputError(f"{self.task.name} takes {self.act_dim} actions, not {action.shape}")
        if not np.isfinite(action).all():
            raise InputError(f"{self.task.name}: the action is not finite: did the policy diverge?")
        if self.absolute:  # robosuite states the range of offsets for poses too
            action[6:] = np.clip(action[6:], -1, 1)
        else:
            action = np.clip(action, *self.env.action_spec)
        self.env.step(action)
        self.steps += 1
        return self.observe(pictures), self.success()

    def success(self) -> bool:
        """Whether the task is solved in this very state."""
        return bool(self.env._check_success())

    def observe(self, pictures: bool = True) -> Observation:
        """What is to be seen now, by the cameras too unless told otherwise."""
        # Once is not enough: poses relative to the gripper are of the call before, 0 at first.
        found = self.env._get_observations(force_update=True)
        obs = {key: np.asarray(value) for key, value in found.items()}
        obs |= {ours: obs[theirs] for ours, theirs in RENAMED.items() if theirs in obs}
        for key in self.cameras if pictures else ():
            obs[key] = self.picture(key.removesuffix("_image"), self.image_size)
        return obs

    def picture(self, camera: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        """What a camera sees, (h, w, 3).

        Raises:
            InputError: There is no such camera, or no OpenGL; Debian's packages are named.
        """
        if camera not in self.env.sim.model.camera_names:
            names = ", ".join(self.env.sim.model.camera_names)
            raise InputError(f"{self.task.name} has no camera '{camera}': it has {names}")
        if self._context is None:
            self._context = _context(self.env.sim, quick=self.task.quick_pictures)
        flipped = self.env.sim.render(camera_name=camera, width=size[1], height=size[0])
        return np.ascontiguousarray(flipped[::-1])

    def state(self) -> NDArray[np.float64]:
        """Time, positions and velocities of everything, flat."""
        flat: NDArray[np.float64] = self.env.sim.get_state().flatten()
        return flat

    def model_xml(self) -> str:
        """MuJoCo's description of the scene."""
        import mujoco

        with TemporaryDirectory() as folder:  # robosuite's own way leaves the file open
            path = Path(folder, "model.xml")
            mujoco.mj_saveLastXML(str(path), self.env.sim.model._model)
            return path.read_text(encoding="utf-8")

    def reset_to(self, state: NDArray[np.float64]) -> Observation:
        """Go to a state of the same scene, with the robot at rest there.

        What the gripper was told last, the controller's goal and the posture it prefers are no
        part of a state: left as they are, replayed actions drift away from what was recorded.

        Raises:
            InputError: If the state is of another scene.
        """
        if state.shape != self.state().shape:
            raise InputError(
                f"{self.task.name}: a state of {len(state)} numbers, {len(self.state())} are due"
            )
        self.env.sim.reset()  # forces of the last state would be the solver's first guess
        self.env.sim.set_state_from_flattened(state)
        self.env.sim.forward()
        for robot in self.env.robots:
            for gripper in robot.gripper.values():
                gripper.current_action = np.zeros(gripper.dof)
            robot.composite_controller.update_state()
            robot.composite_controller.reset()
            for arm in robot.arms:
                here = robot.sim.data.qpos[robot._ref_arm_joint_pos_indexes]
                robot.part_controllers[arm].update_initial_joints(here)
        self.steps = 0
        return self.observe()

    def goal(self) -> NDArray[np.float64]:
        """Pose the arm is led to, in the world: position in metres and rotation vector, (6,)."""
        arm = self.env.robots[0].part_controllers["right"]
        position, rotation = arm.goal_pos, arm.goal_ori
        if arm.input_ref_frame == "base":
            position = arm.origin_pos + arm.origin_ori @ position
            rotation = arm.origin_ori @ rotation
        return np.concatenate([position, to_rotvec(rotation)])

    def close(self) -> None:
        """Free the simulation."""
        self.env.close()


def installed() -> str:
    """Version of robosuite."""
    from importlib.metadata import version

    return version("robosuite")


def without_gl() -> None:
    """Let MuJoCo be imported where OpenGL is missing; before its first import.

    robosuite asks for EGL in the environment as it is imported, and a process started later would
    then fail to import MuJoCo on a machine without it.
    """
    os.environ["MUJOCO_GL"] = "disabled"


def with_gl() -> None:
    """Let MuJoCo draw without a screen, by EGL or else OSMesa; before its first import."""
    if os.environ.get("MUJOCO_GL", "disabled") == "disabled":
        os.environ["MUJOCO_GL"] = "egl" if find_library("EGL") else "osmesa"


def _robosuite() -> Any:
    """The library, without what it says as it is imported."""
    logging.getLogger("robosuite_logs").disabled = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import robosuite
    return robosuite


def _make(task: Task, absolute: bool) -> Any:
    """The environment, its arguments brought to the installed robosuite's form."""
    robosuite, args = _robosuite(), task.parsed()
    known = robosuite.environments.base.REGISTERED_ENVS
    if task.name not in known:
        raise InputError(f"robosuite {installed()} has no environment '{task.name}'")
    takes = set[str]()
    for cls in known[task.name].__mro__:
        takes |= set(inspect.signature(cls.__init__).parameters)
    given = {key: value for key, value in args.get("env_kwargs", {}).items() if key in takes}
    given |= {
        "has_renderer": False,
        "has_offscreen_renderer": False,
        "use_camera_obs": False,
        "use_object_obs": True,
        "ignore_done": True,
        "hard_reset": False,
        "renderer": "mujoco",
        "seed": 0,
        "controller_configs": _controllers(given, absolute),
    }
    if (task.version or "1.4") < "1.5":
        given["lite_physics"] = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            env = robosuite.make(env_name=task.name, **given)
        except (TypeError, ValueError, KeyError, AssertionError) as error:
            reason = " ".join(str(error).split())
            where = f"env_args of {task.name}: robosuite {installed()}"
            raise InputError(f"{where}: {reason}") from None
        env.reset()
    return env


def _controllers(given: dict[str, Any], absolute: bool) -> Any:
    """Controller settings in the form of robosuite 1.5, from it or from earlier ones."""
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
    if absolute:
        config["body_parts"]["right"] |= {"input_type": "absolute", "input_ref_frame": "world"}
    return config


def _context(sim: Any, quick: bool) -> Any:
    """What MuJoCo draws into, made when first needed.

    Quick pictures have no reflections, coarse shadows and no multisampling: without a GPU an
    image of 84 x 84 takes 18 ms of a processor's time in place of 75.

    Raises:
        InputError: If OpenGL is missing.
    """
    with_gl()
    try:
        from robosuite.utils import binding_utils

        if quick:
            quality = sim.model._model.vis.quality
            quality.offsamples, quality.shadowsize = 0, 512
        context = binding_utils.MjRenderContextOffscreen(sim, device_id=-1)
    except Exception as error:  # OpenGL back ends raise anything
        reason = " ".join(str(error).split())[:100]
        raise InputError(
            f"no pictures without OpenGL: install Debian's {GL_PACKAGES} ({reason})"
        ) from None
    context.vopt.geomgroup[0], context.vopt.geomgroup[1] = 0, 1
    if quick:
        from mujoco import mjtRndFlag

        context.scn.flags[mjtRndFlag.mjRND_REFLECTION] = 0
    return context
