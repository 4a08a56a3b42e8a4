"""Episodes of a policy in its environment, each played whole in one process."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from oneleap.core.sampling.samplers import Sampler
from oneleap.domains.robot.envs.robosuite import Observation, RobotEnv, with_gl, without_gl
from oneleap.domains.robot.envs.task import Spec

PICTURE = (128, 128)
"""Of films: height and width in pixels, and one in so many steps."""
EVERY = 4


@runtime_checkable
class Act(Protocol):
    """Chunks of actions (1, n, a) for observations (1, steps, o), and images of as many steps."""

    def __call__(
        self, obs: NDArray[np.float32], images: NDArray[np.uint8] | None
    ) -> NDArray[np.float64]:
        """Act."""


class History:
    """The last observations, in the form a policy takes them.

    Args:
        spec: Keys and how many steps.
        first: The first observation, which stands for those before it.
    """

    def __init__(self, spec: Spec, first: Observation) -> None:
        self.spec = spec
        self.seen: deque[Observation] = deque([first] * spec.obs_steps, maxlen=spec.obs_steps)

    def append(self, obs: Observation) -> None:
        """Another step."""
        self.seen.append(obs)

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
        """Observations (1, steps, o) and images (1, cameras, steps, 3, h, w)."""
        keys, cameras = self.spec.obs_keys, self.spec.cameras
        rows = [np.concatenate([np.ravel(o[k]) for k in keys]) for o in self.seen]
        obs = np.stack(rows)[None].astype(np.float32)
        if not cameras:
            return obs, None
        images = np.stack([np.stack([o[c] for o in self.seen]) for c in cameras])
        return obs, np.ascontiguousarray(images.transpose(0, 1, 4, 2, 3))[None]


@dataclass(frozen=True, eq=False)
class Rollout:
    """What one episode gave.

    Attributes:
        success: Whether the task was ever solved.
        length: Steps, up to success.
        net_ms: Time of each call of the policy, the first left out if there are others.
        loop_ms: Time of each control step: simulating, observing and acting.
        frames: Of a film, if one was asked for, (n, h, w, 3).
    """

    success: bool
    length: int
    net_ms: tuple[float, ...]
    loop_ms: tuple[float, ...]
    frames: NDArray[np.uint8] | None = None


def play(
    env: RobotEnv, spec: Spec, act: Act, seed: int, horizon: int, camera: str | None = None
) -> Rollout:
    """Play one episode by receding horizon: act on a chunk's actions, then look again.

    Args:
        env: Where.
        spec: Of the policy.
        act: The policy; as many actions are executed as it returns.
        seed: Of the episode.
        horizon: Steps after which it has failed.
        camera: Film by this camera.
    """
    obs = env.reset(seed)
    history = History(spec, obs)
    queue: deque[NDArray[np.float64]] = deque()
    net_ms, loop_ms, frames = list[float](), list[float](), list[NDArray[np.uint8]]()
    success = False
    while not success and env.steps < horizon:
        if camera is not None and env.steps % EVERY == 0:
            frames.append(env.picture(camera, PICTURE))
        begin = time.perf_counter()
        if not queue:
            arrays = history.arrays()
            before = time.perf_counter()
            queue.extend(act(*arrays)[0])
            net_ms.append(1e3 * (time.perf_counter() - before))
        action = queue.popleft()
        obs, success = env.step(action, pictures=len(queue) < spec.obs_steps)
        history.append(obs)
        loop_ms.append(1e3 * (time.perf_counter() - begin))
    if camera is not None:
        frames.append(env.picture(camera, PICTURE))
    return Rollout(
        success,
        env.steps,
        tuple(net_ms[1:] or net_ms),
        tuple(loop_ms[1:] or loop_ms),
        np.stack(frames) if frames else None,
    )


@dataclass(frozen=True)
class Episodes:
    """What a process does: play episodes of a saved policy.

    Attributes:
        model: Folder of the policy.
        execute: Actions of each chunk, in place of the policy's own number.
        horizon: Steps after which an episode has failed.
        seed: With the episode's number, of everything.
        filmed: Numbers of the episodes that are filmed.
        camera: By which camera.
        sampler: How the policy acts, in place of its own.
        temperature: Of its noise, in place of its own.
    """

    model: Path
    execute: int | None
    horizon: int
    seed: int
    filmed: frozenset[int] = field(default_factory=frozenset)
    camera: str = "agentview"
    sampler: Sampler | None = None
    temperature: float | None = None

    def __call__(self) -> Callable[[int], Rollout]:
        """Load policy and simulation."""
        policy: Any
        drawn = self.filmed or _cameras(self.model)
        if drawn:
            with_gl()
        else:
            without_gl()
        import torch

        from oneleap.core.hub.pretrained import load_pretrained
        from oneleap.core.training.seed import step_generator

        torch.set_num_threads(1)
        policy = load_pretrained(self.model)
        policy.sampler = self.sampler or policy.sampler
        if self.temperature is not None:
            policy.temperature = self.temperature
        spec: Spec = policy.spec
        assert spec.task is not None
        env = RobotEnv(
            spec.task, cameras=spec.cameras, image_size=spec.image_size, absolute=spec.absolute
        )

        def job(number: int) -> Rollout:
            generator = step_generator(self.seed, number, stream=2)

            def act(
                obs: NDArray[np.float32], images: NDArray[np.uint8] | None
            ) -> NDArray[np.float64]:
                chunk: NDArray[np.float64] = policy.act(
                    obs, images, execute=self.execute, generator=generator
                )
                return chunk

            camera = self.camera if number in self.filmed else None
            return play(env, spec, act, episode_seed(self.seed, number), self.horizon, camera)

        return job


def _cameras(model: Path) -> Sequence[str]:
    """Keys of the images a policy needs, read without building it."""
    from oneleap.core.hub.pretrained import read_config

    cameras: Sequence[str] = read_config(model)["init_args"]["spec"]["init_args"]["cameras"]
    return cameras


def episode_seed(seed: int, number: int) -> int:
    """Seed of one episode; those of collection are drawn otherwise, from two words each."""
    return int(np.random.SeedSequence((seed, number, 7)).generate_state(1)[0])
