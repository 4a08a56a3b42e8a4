"""Returns, scores and latency of a policy in its environment; pictures of what it does."""

import functools
import time
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.hub import load_pretrained
from oneleap.core.seed import step_generator
from oneleap.domains.rl.actor_critic import ActorCritic
from oneleap.domains.rl.pictures import Act, draw, film, vector
from oneleap.domains.rl.pointmaze import ENV_ID
from oneleap.domains.rl.policy import Policy
from oneleap.domains.rl.task import Spec, Task

WAVE = 200
"""Episodes played at once; the rest wait. Fixed, so that results do not depend on the machine."""

TRAILS = 12
"""Episodes whose observations are kept, for drawing."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What n episodes gave.

    Attributes:
        task: Played.
        returns: Undiscounted, (n,).
        lengths: Steps, (n,).
        successes: Whether ``info["success"]`` was ever true, (n,); ``None`` if never reported.
        act_ms: Mean time of one call of the policy, the first left out, in milliseconds.
        batch: Observations in such a call.
        trails: Observations of the first episodes, each (steps + 1, o).
    """

    task: Task
    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    successes: NDArray[np.bool_] | None
    act_ms: float
    batch: int
    trails: tuple[NDArray[np.float32], ...] = ()

    @property
    def scores(self) -> NDArray[np.float64]:
        """Returns on the task's scale of 0 to 100; as they are where the task has no such scale."""
        return self.task.score(self.returns) if self._scaled else self.returns

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def standard_error(self) -> float:
        """Of the mean return; NaN for a single episode."""
        return _standard_error(self.returns)

    @property
    def score(self) -> float:
        """Mean score."""
        return float(self.scores.mean())

    @property
    def _scaled(self) -> bool:
        return self.task.reference != "none"

    def flat(self) -> dict[str, float]:
        """All figures by name, for JSON; standard errors need two episodes."""
        found = {
            "episodes": float(len(self.returns)),
            "return": self.mean,
            "return_se": self.standard_error,
            "length": float(self.lengths.mean()),
            "act_ms": self.act_ms,
            "act_batch": float(self.batch),
        }
        if self._scaled:
            found |= {"score": self.score, "score_se": _standard_error(self.scores)}
        if self.successes is not None:
            found["success"] = float(self.successes.mean())
        return {name: value for name, value in found.items() if not np.isnan(value)}

    def table(self, title: str = "") -> Table:
        """The figures for people."""
        table = Table(title=title or self.task.env, show_header=False)
        found = self.flat()
        if "score" in found:
            table.add_row("score", f"{self.score:.1f} ± {_standard_error(self.scores):.1f}")
            table.add_row("0 and 100 are", self.task.reference)
        table.add_row("return", f"{self.mean:.1f} ± {self.standard_error:.1f}")
        if "success" in found:
            table.add_row("success", f"{100 * found['success']:.0f} %")
        table.add_row("episodes", f"{len(self.returns)}, of {found['length']:.0f} steps on average")
        table.add_row("policy call", f"{self.act_ms:.2f} ms for {self.batch} observations")
        return table


def _standard_error(values: NDArray[np.float64]) -> float:
    n = len(values)
    return float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


def evaluate(
    act: Act, task: Task, episodes: int, seed: int = 0, progress: bool = False
) -> Evaluation:
    """Play ``episodes`` episodes, each from its own seed, made of ``seed`` and its number.

    The environments of a wave step side by side, with one call of the policy for all; each plays
    exactly one episode, so that short ones are not favoured. The batch of a call never shrinks,
    rows of finished episodes keep their last observation: what a row gets, noise included, depends
    on ``seed`` and ``episodes`` alone. They step in this process, one after the other: a step is
    shorter than a message to another process (Hopper: 4300 steps/s, SyncVectorEnv 3400,
    AsyncVectorEnv 2200).

    Args:
        act: The policy.
        task: Where.
        episodes: How many.
        seed: Of the environments; the policy's randomness is its own.
        progress: Show a bar.

    Raises:
        InputError: There is no such environment, or the policy returns NaN.
    """
    if episodes < 1:
        raise InputError(f"episodes: {episodes} is not positive")
    waves = [range(k, min(k + WAVE, episodes)) for k in range(0, episodes, WAVE)]
    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        advance = bar.add_task("evaluating", total=episodes)
        found = [
            _wave(act, task, [episode_seed(seed, i) for i in wave], bar, advance) for wave in waves
        ]
    reported = [wave.successes for wave in found if wave.successes is not None]
    calls = np.array([wave.lengths.max() for wave in found])
    return Evaluation(
        task=task,
        returns=np.concatenate([wave.returns for wave in found]),
        lengths=np.concatenate([wave.lengths for wave in found]),
        successes=np.concatenate(reported) if len(reported) == len(found) else None,
        act_ms=float(np.average([wave.act_ms for wave in found], weights=calls)),
        batch=found[0].batch,
        trails=found[0].trails,
    )


def episode_seed(seed: int, index: int) -> int:
    """Seed of one episode."""
    return int(np.random.SeedSequence((seed, index)).generate_state(1)[0])


class _Lanes:
    """Environments side by side, each of which plays one episode."""

    def __init__(self, task: Task, seeds: list[int]) -> None:
        n = len(seeds)
        self.envs = [task.make(disable_env_checker=True) for _ in seeds]
        starts = (env.reset(seed=s)[0] for env, s in zip(self.envs, seeds, strict=True))
        self.obs = np.stack([vector(start) for start in starts])
        self.returns, self.lengths = np.zeros(n), np.zeros(n, np.int64)
        self.successes, self.reported = np.zeros(n, bool), False
        self.alive = np.ones(n, bool)

    def step(self, actions: NDArray[np.float32]) -> int:
        """Step those that still play; how many came to their end."""
        playing = np.flatnonzero(self.alive)
        for i in playing:
            obs, reward, terminated, truncated, info = self.envs[i].step(actions[i])
            self.obs[i] = vector(obs)
            self.returns[i] += float(reward)
            self.lengths[i] += 1
            self.alive[i] = not (terminated or truncated)
            if "success" in info:
                self.reported = True
                self.successes[i] |= bool(info["success"])
        return len(playing) - int(self.alive.sum())


def _wave(act: Act, task: Task, seeds: list[int], bar: Progress, advance: TaskID) -> Evaluation:
    """One episode from each seed."""
    lanes = _Lanes(task, seeds)
    trail, taken = [lanes.obs[:TRAILS].copy()], list[float]()
    while lanes.alive.any():
        begin = time.perf_counter()
        actions = np.asarray(act(lanes.obs), np.float32)
        taken.append(time.perf_counter() - begin)
        if not np.isfinite(actions).all():
            raise InputError(f"{task.env}: the policy's actions are not finite: did it diverge?")
        bar.advance(advance, lanes.step(actions))
        trail.append(lanes.obs[:TRAILS].copy())
    for env in lanes.envs:
        env.close()
    ways = zip(np.stack(trail, axis=1), lanes.lengths[:TRAILS], strict=True)
    return Evaluation(
        task=task,
        returns=lanes.returns,
        lengths=lanes.lengths,
        successes=lanes.successes if lanes.reported else None,
        act_ms=float(np.mean(taken[1:] or taken)) * 1000,
        batch=len(seeds),
        trails=tuple(way[: length + 1] for way, length in ways),
    )


def command(
    run: Path,
    episodes: int = 100,
    candidates: int | None = None,
    steps: int | None = None,
    noise_scale: float = 1.0,
    temperature: float | None = None,
    seed: int = 0,
    json: Path | None = None,
    video: bool = True,
) -> None:
    """Play a trained policy in its environment, and print returns and scores.

    Example: oneleap evaluate rl runs/rl/ofql_hopper/0

    Args:
        run: Folder of the run; ``evaluation.json`` and pictures are written there.
        episodes: How many.
        candidates: Actions proposed per observation, of which the value chooses one; by default
            the policy's own number, 1 for most.
        steps: Network calls per action; by default the policy's own number.
        noise_scale: Factor on the noise that actions are made of; by 0 they are always the same.
        temperature: Softmax temperature over values when one candidate is chosen, 0 for the best;
            by default the policy's own.
        seed: Of environments and policy.
        json: Also write the figures to this file, name -> number.
        video: Write ``rollout.mp4`` if the environment can draw itself.

    Raises:
        InputError: There is no policy in ``run``, or it does not fit its environment.
    """
    policy = load_pretrained(run / "model")
    if not isinstance(policy, Policy):
        raise InputError(f"{run / 'model'} holds a {type(policy).__name__}, not a policy")
    task = _fitting(policy.spec, run)
    candidates = policy.candidates if candidates is None else candidates
    steps = policy.steps if steps is None else steps
    for name, value in (("noise_scale", noise_scale), ("temperature", temperature)):
        if value is not None and value < 0:
            raise InputError(f"{name} must be 0 or more, not {value}")
    if temperature is not None:
        if not isinstance(policy, ActorCritic):
            raise InputError(f"temperature: a {type(policy).__name__} has no values to choose by")
        policy.temperature = temperature
    generator = step_generator(seed, 0, stream=2, device=policy.device)
    how: dict[str, Any] = {"candidates": candidates, "steps": steps, "noise_scale": noise_scale}
    act = functools.partial(policy.act, **how, generator=generator)

    evaluation = evaluate(act, task, episodes, seed, progress=True)
    found = {**evaluation.flat(), **how, "seed": seed}
    if isinstance(policy, ActorCritic):
        found["temperature"] = policy.temperature
    table = evaluation.table()
    table.add_row("candidates", f"N={candidates}, chosen by value" if candidates > 1 else "N=1")
    table.add_row("network calls", f"{steps} per action")
    table.add_row("noise", f"times {noise_scale:g}")
    Console().print(table)
    for path in filter(None, (run / "evaluation.json", json)):
        with replacing(path) as temporary:
            temporary.write_text(dumps(found, indent=2) + "\n", encoding="utf-8")
    if task.env == ENV_ID:
        maze, title = str(task.env_kwargs.get("maze", "umaze")), f"score {evaluation.score:.0f}"
        draw(maze, evaluation.trails, run / "trails.png", title)
        print(f"picture: {run / 'trails.png'}")
    if video:
        path = run / "rollout.mp4"
        print(film(act, task, path, episode_seed(seed, 0)) or f"video: {path}")


def _fitting(spec: Spec, run: Path) -> Task:
    """The policy's task, if its environment has the policy's sizes."""
    if spec.task is None:
        raise InputError(
            f"{run}: trained without an environment; set data.env and train again to evaluate"
        )
    env = spec.task.make()
    seen, actions = vector(env.reset(seed=0)[0]).shape, env.action_space
    env.close()
    shape = actions.shape if isinstance(actions, gymnasium.spaces.Box) else None
    if seen != (spec.obs_dim,) or shape != (spec.act_dim,):
        raise InputError(
            f"{run}: the policy maps {spec.obs_dim} observations to {spec.act_dim} actions; "
            f"{spec.task.env} has observations {seen} and actions {actions}"
        )
    return spec.task
