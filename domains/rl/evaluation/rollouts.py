"""Episodes of a policy in its environment: returns, scores, latency."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from oneleap.core.errors import InputError
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation.plots import Act, observation_vector

MAX_PARALLEL = 200
"""Episodes played at once; the rest wait. Fixed, so that results do not depend on the machine."""

TRAJECTORIES = 12
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
    trajectories: tuple[NDArray[np.float32], ...] = ()

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
    waves = [range(k, min(k + MAX_PARALLEL, episodes)) for k in range(0, episodes, MAX_PARALLEL)]
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
        trajectories=found[0].trajectories,
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
        self.obs = np.stack([observation_vector(start) for start in starts])
        self.returns, self.lengths = np.zeros(n), np.zeros(n, np.int64)
        self.successes, self.reported = np.zeros(n, bool), False
        self.alive = np.ones(n, bool)

    def step(self, actions: NDArray[np.float32]) -> int:
        """Step those that still play; how many came to their end."""
        playing = np.flatnonzero(self.alive)
        for i in playing:
            obs, reward, terminated, truncated, info = self.envs[i].step(actions[i])
            self.obs[i] = observation_vector(obs)
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
    trail, taken = [lanes.obs[:TRAJECTORIES].copy()], list[float]()
    while lanes.alive.any():
        begin = time.perf_counter()
        actions = np.asarray(act(lanes.obs), np.float32)
        taken.append(time.perf_counter() - begin)
        if not np.isfinite(actions).all():
            raise InputError(f"{task.env}: the policy's actions are not finite: did it diverge?")
        bar.advance(advance, lanes.step(actions))
        trail.append(lanes.obs[:TRAJECTORIES].copy())
    for env in lanes.envs:
        env.close()
    ways = zip(np.stack(trail, axis=1), lanes.lengths[:TRAJECTORIES], strict=True)
    return Evaluation(
        task=task,
        returns=lanes.returns,
        lengths=lanes.lengths,
        successes=lanes.successes if lanes.reported else None,
        act_ms=float(np.mean(taken[1:] or taken)) * 1000,
        batch=len(seeds),
        trajectories=tuple(way[: length + 1] for way, length in ways),
    )
