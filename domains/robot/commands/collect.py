"""``oneleap collect robosuite``: scripted demonstrations, in robomimic's layout."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from oneleap.core.cli.configs import shipped
from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.robot.data.robomimic_write import Episode, write
from oneleap.domains.robot.envs.robosuite import RobotEnv, installed, with_gl, without_gl
from oneleap.domains.robot.envs.task import QUICK, ROBOSUITE, Task
from oneleap.domains.robot.evaluation.workers import each

KEYS = (
    "object",
    "robot0_eef_pos",
    "robot0_eef_quat",
    "robot0_gripper_qpos",
    "robot0_gripper_qvel",
    "robot0_joint_pos",
    "robot0_joint_vel",
)
CAMERAS = ("agentview_image", "robot0_eye_in_hand_image")

LONGEST = 300
"""Steps after which an attempt is given up."""

STUMBLES = 0.5
"""Share of the demonstrations that begin after a mistake, which is not recorded."""

AFTERWARDS = 8
"""Steps that are recorded after success, so that chunks of actions reach beyond it."""

Task_ = Literal["Lift", "PickPlaceCan", "NutAssemblySquare"]


@dataclass(frozen=True)
class Attempts:
    """What a process does: play one attempt, and keep it if it succeeds.

    Attributes:
        task: Where.
        folder: Attempts are kept there, one file each.
        seed: With the attempt's number, of everything.
        cameras: Keys of images.
        image_size: Their height and width, pixels.
    """

    task: Task
    folder: Path
    seed: int
    cameras: tuple[str, ...]
    image_size: tuple[int, int]

    def __call__(self) -> "Callable[[int], bool]":
        """Load the simulation."""
        if self.cameras:
            with_gl()
        else:
            without_gl()
        env = RobotEnv(self.task, cameras=self.cameras, image_size=self.image_size)

        def play(attempt: int) -> bool:
            seeds = np.random.SeedSequence((self.seed, attempt)).generate_state(2)
            episode = demonstrate(env, int(seeds[0]), np.random.default_rng(int(seeds[1])))
            keep(attempt_path(self.folder, attempt), episode)
            return episode is not None

        return play


def demonstrate(env: RobotEnv, seed: int, rng: np.random.Generator) -> Episode | None:
    """Play the demonstrator in the episode of a seed; ``None`` if it fails to show anything."""
    from oneleap.domains.robot.demonstrators.mistakes import stumble
    from oneleap.domains.robot.demonstrators.scripted import Demonstrator

    obs, task, phases = env.reset(seed), env.task.name, None
    if rng.random() < STUMBLES:
        mistake, recovery = stumble(task, obs, rng)
        who, solved = Demonstrator(task, obs, rng, mistake), False
        while not who.over and not solved:
            obs, solved = env.step(who.act(obs), pictures=False)
        if solved:  # what falls may fall into place
            return None
        obs = env.observe()
        phases = recovery(obs)
    who, model = Demonstrator(task, obs, rng, phases), env.model_xml()
    seen, rewards = [obs], list[float]()
    states, actions, poses = (list[NDArray[np.float64]]() for _ in range(3))
    left = None
    while len(actions) < LONGEST and left != 0 and not (who.over and left is None):
        action = who.act(obs)
        states.append(env.state())
        obs, success = env.step(action)
        actions.append(action)
        poses.append(np.append(env.goal(), action[6:]))
        seen.append(obs)
        rewards.append(float(success))
        if success and left is None:
            left = AFTERWARDS + 1
        left = None if left is None else left - 1
    if left is None or not rewards[-1]:
        return None
    keys = (*KEYS, *env.cameras)
    return Episode(
        states=np.stack(states),
        actions=np.stack(actions),
        actions_abs=np.stack(poses),
        rewards=np.array(rewards),
        obs={key: np.stack([obs[key] for obs in seen]) for key in keys},
        model=model,
    )


def attempt_path(folder: Path, attempt: int) -> Path:
    """Where an attempt is kept."""
    return folder / f"attempt_{attempt:05d}.npz"


def keep(path: Path, episode: Episode | None) -> None:
    """Write an attempt; a failed one is an empty file of the same kind."""
    arrays: dict[str, NDArray[Any]] = {}
    if episode is not None:
        named = {f.name: getattr(episode, f.name) for f in fields(Episode)}
        arrays = {f"obs/{key}": array for key, array in named.pop("obs").items()}
        arrays |= {name: np.asarray(value) for name, value in named.items()}
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def kept(path: Path) -> Episode | None:
    """Read an attempt; ``None`` if it failed."""
    with np.load(path, allow_pickle=False) as file:
        if not file.files:
            return None
        obs = {n.removeprefix("obs/"): file[n] for n in file.files if n.startswith("obs/")}
        rest = {name: file[name] for name in file.files if not name.startswith("obs/")}
    return Episode(obs=obs, **{**rest, "model": str(rest["model"])})


def robosuite(
    task: Task_ = "Lift",
    demos: int = 200,
    images: bool = False,
    seed: int = 0,
    out: Path | None = None,
    image_size: int = 84,
    workers: int = 2,
    overwrite: bool = False,
) -> None:
    """Collect demonstrations of a robosuite task by a script, in robomimic's layout.

    Only successes are kept. Attempts lie in OUT.parts until all are there: a collection that was
    broken off goes on from where it was. The data depend on the seed alone.

    Example: oneleap collect robosuite --task Lift --demos 200

    Args:
        task: What is demonstrated.
        demos: How many.
        images: Also store what two cameras see; takes minutes.
        seed: Of everything.
        out: HDF5 file to write, by default data/robot/TASK.hdf5, or TASK_image.hdf5.
        image_size: Height and width of images, pixels.
        workers: Processes.
        overwrite: Replace the file.

    Raises:
        InputError: The file exists, or attempts of another collection are beside it.
    """
    if demos < 1 or image_size < 1:
        raise InputError(f"demos {demos} and image_size {image_size} must be positive")
    if seed < 0:
        raise InputError(f"seed: {seed} is negative")
    path = out or Path("data/robot", f"{task}{'_image' if images else ''}.hdf5")
    if path.exists() and not overwrite:
        raise InputError(f"{path} is there already (--overwrite true replaces it)")
    cameras, size = (CAMERAS if images else ()), (image_size, image_size)
    where = Task(env_args(task, cameras, size))
    folder = path.with_suffix(".parts")
    _same_collection(folder, {"task": task, "seed": seed, "cameras": cameras, "size": image_size})
    attempts = Attempts(where, folder, seed, cameras, size)
    with Progress(console=Console(stderr=True)) as bar:
        advance = bar.add_task(f"collecting {task}", total=demos)
        chosen = _enough(attempts, demos, workers, lambda n: bar.update(advance, completed=n))
    parts = (kept(attempt_path(folder, k)) for k in chosen)
    episodes = (episode for episode in parts if episode is not None)
    total = write(path, where.env_args, episodes)
    for part in folder.iterdir():
        part.unlink()
    folder.rmdir()
    print(
        f"{path}: {demos} demonstrations of {total / demos:.0f} steps on average, "
        f"from {chosen[-1] + 1} attempts"
    )
    name = {"Lift": "lift", "PickPlaceCan": "can", "NutAssemblySquare": "square"}[task]
    suffix = "-image" if images else ""
    config = f"robot/dm1{suffix}_{name}"
    if config in shipped():
        print(f"next: oneleap fit --config {config} --data.path {path}")


def env_args(task: str, cameras: tuple[str, ...] = (), size: tuple[int, int] = (84, 84)) -> str:
    """A Panda with the controller ``OSC_POSE`` at 20 Hz, as robomimic describes environments."""
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
        "camera_heights": size[0],
        "camera_widths": size[1],
        "camera_depths": False,
        "ignore_done": True,
        "lite_physics": True,
    }
    args = {"env_name": task, "env_version": installed(), "type": ROBOSUITE, "env_kwargs": kwargs}
    return json.dumps({**args, QUICK: True})


def _enough(
    attempts: Attempts, demos: int, workers: int, progress: Callable[[int], None]
) -> list[int]:
    """Numbers of the first so many successful attempts, playing those that were not yet."""
    results: dict[int, bool] = {}
    for path in sorted(attempts.folder.glob("attempt_*.npz")):
        results[int(path.stem.removeprefix("attempt_"))] = kept(path) is not None

    def chosen() -> list[int]:
        found = list[int]()
        for k in count():
            if k not in results or len(found) == demos:
                return found
            found += [k] if results[k] else []
        return found

    jobs: Iterator[int] = (k for k in count() if k not in results)
    if len(chosen()) < demos:
        for attempt, success in each(attempts, jobs, workers):
            if success is None:
                keep(attempt_path(attempts.folder, attempt), None)
            results[attempt] = bool(success)
            progress(min(demos, sum(results.values())))
            if len(results) >= 20 and not any(results.values()):
                raise InputError(f"none of {len(results)} attempts succeeded: robosuite 1.5 is due")
            if len(chosen()) == demos:
                break
    return chosen()


def _same_collection(folder: Path, settings: dict[str, Any]) -> None:
    """Begin a folder of attempts, or make sure that it was begun with the same settings.

    Raises:
        InputError: It was not.
    """
    settings, file = json.loads(json.dumps(settings)), folder / "settings.json"
    if file.exists():
        if json.loads(file.read_text(encoding="utf-8")) != settings:
            raise InputError(f"{folder} holds attempts of another collection: delete it")
        print(f"going on from {folder}", file=sys.stderr)
        return
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(settings) + "\n", encoding="utf-8")
