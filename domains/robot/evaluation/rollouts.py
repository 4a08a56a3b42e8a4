"""Rollouts: episodes of a policy in its environment, in worker processes."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError, suggest
from oneleap.core.sampling.samplers import Sampler
from oneleap.core.training.seed import episode_seed, step_generator
from oneleap.domains.robot.envs.control import POSE_DIM
from oneleap.domains.robot.envs.robosuite import (
    Observation,
    RobotEnv,
    disable_opengl,
    enable_opengl,
)
from oneleap.domains.robot.envs.task import Task
from oneleap.domains.robot.evaluation.workers import run_jobs
from oneleap.domains.robot.spec import Spec

FRAME_SIZE = (128, 128)
"""Height and width of recorded frames, pixels."""

FRAME_INTERVAL = 4
"""Number of control steps from one recorded frame to the next."""


@runtime_checkable
class ActFunction(Protocol):
    """Generates a chunk of actions for the environment."""

    def __call__(
        self, obs: NDArray[np.float32], images: NDArray[np.uint8] | None
    ) -> NDArray[np.float64]:
        """Map observations (1, steps, o) and images (1, cameras, steps, 3, h, w) to (1, n, a)."""


class ObsHistory:
    """The last observations, in the form a policy takes them.

    Args:
        spec: Keys of the observations and their number of steps.
        first: First observation of the episode; it stands for those before it.
    """

    def __init__(self, spec: Spec, first: Observation) -> None:
        self.spec = spec
        self.recent: deque[Observation] = deque([first] * spec.n_obs_steps, maxlen=spec.n_obs_steps)

    def append(self, obs: Observation) -> None:
        """Add the observation of the next step."""
        self.recent.append(obs)

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
        """Return observations (1, steps, o) and images (1, cameras, steps, 3, h, w)."""
        keys, cameras = self.spec.obs_keys, self.spec.cameras
        rows = [np.concatenate([np.ravel(o[k]) for k in keys]) for o in self.recent]
        obs = np.stack(rows)[None].astype(np.float32)
        if not cameras:
            return obs, None
        images = np.stack([np.stack([o[c] for o in self.recent]) for c in cameras])
        return obs, np.ascontiguousarray(images.transpose(0, 1, 4, 2, 3))[None]


@dataclass(frozen=True, eq=False)
class Rollout:
    """Outcome of one episode.

    Attributes:
        success: Whether the task was solved.
        length: Number of steps, up to success.
        net_ms: Time of each call of the policy, milliseconds; the first is left out if there are
            others.
        loop_ms: Time of each control step (simulation, observation and action), milliseconds; the
            first is left out if there are others.
        frames: Recorded frames, (n, h, w, 3); ``None`` if the episode was not recorded.
    """

    success: bool
    length: int
    net_ms: tuple[float, ...]
    loop_ms: tuple[float, ...]
    frames: NDArray[np.uint8] | None = None


def play_episode(
    env: RobotEnv,
    spec: Spec,
    act: ActFunction,
    seed: int,
    max_steps: int,
    camera: str | None = None,
) -> Rollout:
    """Play one episode by receding horizon: execute a chunk's actions, then generate the next.

    Args:
        env: Environment.
        spec: Spec of the policy.
        act: Policy; all actions it returns are executed.
        seed: Seed of the episode.
        max_steps: Number of steps after which the episode has failed.
        camera: Camera that records frames; ``None`` records nothing.
    """
    obs = env.reset(seed)
    history = ObsHistory(spec, obs)
    queue: deque[NDArray[np.float64]] = deque()
    net_ms, loop_ms, frames = list[float](), list[float](), list[NDArray[np.uint8]]()
    success = False
    while not success and env.steps < max_steps:
        if camera is not None and env.steps % FRAME_INTERVAL == 0:
            frames.append(env.render(camera, FRAME_SIZE))
        loop_start = time.perf_counter()
        if not queue:
            arrays = history.arrays()
            net_start = time.perf_counter()
            queue.extend(act(*arrays)[0])
            net_ms.append(1e3 * (time.perf_counter() - net_start))
        action = queue.popleft()
        obs, success = env.step(action, render=len(queue) < spec.n_obs_steps)
        history.append(obs)
        loop_ms.append(1e3 * (time.perf_counter() - loop_start))
    if camera is not None:
        frames.append(env.render(camera, FRAME_SIZE))
    return Rollout(
        success,
        env.steps,
        tuple(net_ms[1:] or net_ms),
        tuple(loop_ms[1:] or loop_ms),
        np.stack(frames) if frames else None,
    )


@dataclass(frozen=True)
class EpisodePlayer:
    """Settings of evaluation; called in a worker process, it returns the function that plays.

    Attributes:
        model: Folder of the policy.
        task: Environment.
        n_action_steps: Number of actions of each chunk to execute.
        max_steps: Number of steps after which an episode has failed.
        sampler: Sampler that generates chunks.
        temperature: Standard deviation of the noise that chunks are generated from.
        seed: Seed that, with the number of the episode, determines all draws.
        recorded: Numbers of the episodes to record.
        camera: Camera that records.
    """

    model: Path
    task: Task
    n_action_steps: int
    max_steps: int
    sampler: Sampler
    temperature: float
    seed: int = 0
    recorded: frozenset[int] = field(default_factory=frozenset)
    camera: str = "agentview"

    def __call__(self) -> Callable[[int], Rollout]:
        """Load policy and simulation; the result plays the episode of a number.

        Raises:
            InputError: The environment cannot be built, or does not fit the policy.
        """
        policy: Any
        if self.recorded or _cameras(self.model):
            enable_opengl()
        else:
            disable_opengl()
        import torch

        from oneleap.core.hub.pretrained import load_pretrained

        torch.set_num_threads(1)
        policy = load_pretrained(self.model)
        policy.sampler, policy.temperature = self.sampler, self.temperature
        spec: Spec = policy.spec
        env = RobotEnv(
            self.task, cameras=spec.cameras, image_size=spec.image_size, absolute=spec.absolute
        )
        check_fit(env, spec)

        def play(number: int) -> Rollout:
            generator = step_generator(self.seed, number, stream=2)

            def act(
                obs: NDArray[np.float32], images: NDArray[np.uint8] | None
            ) -> NDArray[np.float64]:
                chunk: NDArray[np.float64] = policy.act(
                    obs, images, n_action_steps=self.n_action_steps, generator=generator
                )
                return chunk

            camera = self.camera if number in self.recorded else None
            seed = evaluation_seed(self.seed, number)
            return play_episode(env, spec, act, seed, self.max_steps, camera)

        return play

    def figures(self) -> dict[str, float]:
        """Return the settings that are written beside the results."""
        return {
            "steps": float(self.sampler.steps),
            "seed": float(self.seed),
            "n_action_steps": float(self.n_action_steps),
            "temperature": self.temperature,
        }


def check_fit(env: RobotEnv, spec: Spec) -> None:
    """Check that an environment observes what a policy sees, and takes its actions.

    Raises:
        InputError: An observation is missing or has another size, or the actions differ in size.
    """
    obs, name = env.observe(render=False), env.task.name
    for key, size in zip(spec.obs_keys, spec.obs_sizes, strict=True):
        if key not in obs:
            raise InputError(f"{name} does not observe {key}{suggest(key, obs)}")
        if obs[key].size != size:
            raise InputError(f"{name}: {key} has {obs[key].size} numbers, the policy's {size}")
    arms = spec.act_dim // 10
    act_dim = POSE_DIM * arms if spec.absolute else spec.act_dim
    if env.act_dim != act_dim:
        raise InputError(
            f"{name} takes {env.act_dim} numbers as an action, the policy has {act_dim}"
        )


def play_episodes(
    player: EpisodePlayer, numbers: Iterable[int], workers: int
) -> Iterator[tuple[int, Rollout]]:
    """Play episodes in worker processes; an episode whose worker dies has failed.

    Args:
        player: Settings.
        numbers: Numbers of the episodes.
        workers: Number of processes.

    Yields:
        The number of each episode and its outcome, in any order.
    """
    for number, rollout in run_jobs(player, numbers, workers):
        lost = Rollout(False, player.max_steps, (), ())
        yield number, lost if rollout is None else rollout


def _cameras(model: Path) -> Sequence[str]:
    """Read the keys of a policy's images without building the policy."""
    from oneleap.core.hub.pretrained import read_config

    cameras: Sequence[str] = read_config(model)["init_args"]["spec"]["init_args"]["cameras"]
    return cameras


def evaluation_seed(seed: int, number: int) -> int:
    """Return the seed of one episode; it differs from all seeds of collected demonstrations."""
    return episode_seed(seed, number, 7)
