"""Attempts of a collection: played in worker processes and stored until there are enough."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.robot.data.robomimic_write import Demonstration, write_demos
from oneleap.domains.robot.demonstrators.mistakes import sample_mistake
from oneleap.domains.robot.demonstrators.phases import Demonstrator
from oneleap.domains.robot.demonstrators.scripted import PLANS
from oneleap.domains.robot.envs.panda import panda_env_args
from oneleap.domains.robot.envs.robosuite import (
    Observation,
    RobotEnv,
    disable_opengl,
    enable_opengl,
)
from oneleap.domains.robot.envs.task import Task
from oneleap.domains.robot.evaluation.workers import run_jobs

OBS_KEYS = (
    "object",
    "robot0_eef_pos",
    "robot0_eef_quat",
    "robot0_gripper_qpos",
    "robot0_gripper_qvel",
    "robot0_joint_pos",
    "robot0_joint_vel",
)
"""Low-dimensional observations that are stored."""

MAX_STEPS = 300
"""Number of steps after which an attempt has failed."""

MISTAKE_PROBABILITY = 0.5
"""Probability that a demonstration begins after a mistake, which is not recorded."""

STEPS_AFTER_SUCCESS = 8
"""Number of steps recorded after success, so that chunks of actions can extend beyond it."""

MIN_ATTEMPTS = 20
"""Number of failed attempts after which the collection is given up."""


@dataclass(frozen=True)
class AttemptPlayer:
    """Settings of a collection; called in a worker process, it returns the function that plays.

    Attributes:
        task: Environment.
        folder: Folder in which each attempt is stored as one file.
        seed: Seed that, with the number of the attempt, determines all draws.
        cameras: Keys of images.
        image_size: Height and width of the images, pixels.
    """

    task: Task
    folder: Path
    seed: int
    cameras: tuple[str, ...]
    image_size: tuple[int, int]

    def __call__(self) -> "Callable[[int], bool]":
        """Load the simulation; the result plays and stores an attempt, and tells its success."""
        if self.cameras:
            enable_opengl()
        else:
            disable_opengl()
        env = RobotEnv(self.task, cameras=self.cameras, image_size=self.image_size)

        def play(attempt: int) -> bool:
            seeds = np.random.SeedSequence((self.seed, attempt)).generate_state(2)
            demo = demonstrate(env, int(seeds[0]), np.random.default_rng(int(seeds[1])))
            save_attempt(attempt_path(self.folder, attempt), demo)
            return demo is not None

        return play


def demonstrate(env: RobotEnv, seed: int, rng: np.random.Generator) -> Demonstration | None:
    """Demonstrate the task of an environment, sometimes after a mistake.

    Args:
        env: Environment.
        seed: Seed of the episode.
        rng: Generator of the demonstrator's manner, noise and mistakes.

    Returns:
        The demonstration; ``None`` if the task was not solved, or was solved by the mistake.
    """
    obs, task = env.reset(seed), env.task.name
    if rng.random() < MISTAKE_PROBABILITY:
        mistake, recovery = sample_mistake(task, obs, rng)
        demonstrator, solved = Demonstrator(mistake, obs, rng), False
        while not demonstrator.done and not solved:
            obs, solved = env.step(demonstrator.act(obs), render=False)
        if solved:  # for example, a dropped can fell into its compartment
            return None
        obs = env.observe()
        phases = recovery(obs)
    else:
        phases = PLANS[task](obs, rng)
    return _record(env, Demonstrator(phases, obs, rng), obs)


def _record(env: RobotEnv, demonstrator: Demonstrator, obs: Observation) -> Demonstration | None:
    """Record the demonstrator until some steps after success; ``None`` if it does not succeed.

    Args:
        env: Environment.
        demonstrator: Demonstrator.
        obs: Current observation.
    """
    model_xml = env.model_xml()
    observed, rewards = [obs], list[float]()
    states, actions, poses = (list[NDArray[np.float64]]() for _ in range(3))
    remaining: int | None = None  # number of steps to record, once the task is solved
    while len(actions) < MAX_STEPS and remaining != 0:
        if remaining is None and demonstrator.done:
            break
        action = demonstrator.act(obs)
        states.append(env.state())
        obs, success = env.step(action)
        actions.append(action)
        poses.append(np.append(env.controller_goal(), action[6:]))
        observed.append(obs)
        rewards.append(float(success))
        if remaining is not None:
            remaining -= 1
        elif success:
            remaining = STEPS_AFTER_SUCCESS
    if remaining is None or not rewards[-1]:
        return None
    keys = (*OBS_KEYS, *env.cameras)
    return Demonstration(
        states=np.stack(states),
        actions=np.stack(actions),
        actions_abs=np.stack(poses),
        rewards=np.array(rewards),
        obs={key: np.stack([obs[key] for obs in observed]) for key in keys},
        model_xml=model_xml,
    )


def attempt_path(folder: Path, attempt: int) -> Path:
    """Return the file of an attempt."""
    return folder / f"attempt_{attempt:05d}.npz"


def save_attempt(path: Path, demo: Demonstration | None) -> None:
    """Write an attempt; a failed one is a file without arrays."""
    arrays: dict[str, Any] = {}
    if demo is not None:
        arrays = {f"obs/{key}": array for key, array in demo.obs.items()} | {
            "states": demo.states,
            "actions": demo.actions,
            "actions_abs": demo.actions_abs,
            "rewards": demo.rewards,
            "model": np.asarray(demo.model_xml),
        }
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def load_attempt(path: Path) -> Demonstration | None:
    """Read an attempt; ``None`` if it failed."""
    with np.load(path, allow_pickle=False) as file:
        if not file.files:
            return None
        obs = {n.removeprefix("obs/"): file[n] for n in file.files if n.startswith("obs/")}
        return Demonstration(
            states=file["states"],
            actions=file["actions"],
            actions_abs=file["actions_abs"],
            rewards=file["rewards"],
            obs=obs,
            model_xml=str(file["model"]),
        )


def collect_demos(
    task: str,
    path: Path,
    demos: int,
    seed: int,
    cameras: tuple[str, ...],
    image_size: int,
    workers: int,
) -> tuple[int, int]:
    """Collect demonstrations into a file; attempts are stored beside it until there are enough.

    Args:
        task: Name of the environment.
        path: HDF5 file to write.
        demos: Number of demonstrations.
        seed: Seed of all draws.
        cameras: Keys of images.
        image_size: Height and width of the images, pixels.
        workers: Number of processes.

    Returns:
        Number of steps written, and number of attempts needed.

    Raises:
        InputError: Attempts of another collection are beside the file, or no attempt succeeds.
    """
    size = (image_size, image_size)
    env_task = Task(panda_env_args(task, cameras, size))
    folder = path.with_suffix(".parts")
    _check_settings(folder, {"task": task, "seed": seed, "cameras": cameras, "size": image_size})
    player = AttemptPlayer(env_task, folder, seed, cameras, size)
    with Progress(console=Console(stderr=True)) as bar:
        progress = bar.add_task(f"collecting {task}", total=demos)
        chosen = _play_attempts(player, demos, workers, lambda n: bar.update(progress, completed=n))
    attempts = (load_attempt(attempt_path(folder, k)) for k in chosen)
    steps = write_demos(path, env_task.env_args, (demo for demo in attempts if demo is not None))
    for part in folder.iterdir():
        part.unlink()
    folder.rmdir()
    return steps, chosen[-1] + 1


def _play_attempts(
    player: AttemptPlayer, demos: int, workers: int, progress: Callable[[int], None]
) -> list[int]:
    """Play attempts until there are enough successes; attempts stored before count.

    Args:
        player: Settings.
        demos: Number of successes needed.
        workers: Number of processes.
        progress: Called with the number of successes so far.

    Returns:
        Numbers of the first successful attempts.

    Raises:
        InputError: The first :data:`MIN_ATTEMPTS` attempts fail.
    """
    results: dict[int, bool] = {}
    for path in sorted(player.folder.glob("attempt_*.npz")):
        results[int(path.stem.removeprefix("attempt_"))] = load_attempt(path) is not None

    def first_successes() -> list[int]:
        """List successes up to the first attempt that is not played yet."""
        found = list[int]()
        for k in count():
            if k not in results or len(found) == demos:
                return found
            found += [k] if results[k] else []
        return found

    jobs: Iterator[int] = (k for k in count() if k not in results)
    if len(first_successes()) < demos:
        for attempt, success in run_jobs(player, jobs, workers):
            if success is None:
                save_attempt(attempt_path(player.folder, attempt), None)
            results[attempt] = bool(success)
            progress(min(demos, sum(results.values())))
            if len(results) >= MIN_ATTEMPTS and not any(results.values()):
                raise InputError(
                    f"none of {len(results)} attempts succeeded: robosuite 1.5 is needed"
                )
            if len(first_successes()) == demos:
                break
    return first_successes()


def _check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Start a folder of attempts, or check that it was started with the same settings.

    Raises:
        InputError: The settings differ.
    """
    settings, file = json.loads(json.dumps(settings)), folder / "settings.json"
    if file.exists():
        if json.loads(file.read_text(encoding="utf-8")) != settings:
            raise InputError(f"{folder} holds attempts of another collection: delete it")
        print(f"continuing from {folder}", file=sys.stderr)
        return
    with atomic_write(file) as temporary:
        temporary.write_text(json.dumps(settings) + "\n", encoding="utf-8")
