"""Episodes of a policy in its environment: returns, scores, latency."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from oneleap.core.errors import InputError, Notice
from oneleap.core.training.seed import episode_seed
from oneleap.domains.rl.envs.observations import observation_vector
from oneleap.domains.rl.envs.task import Task

Act = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps observations (n, o) to actions (n, a)."""

MAX_PARALLEL = 200
"""Largest number of episodes that run side by side.

It is fixed, so that results do not depend on the machine.
"""

MAX_TRAJECTORIES = 12
"""Number of episodes whose observations are kept, for plots."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Results of n episodes.

    Attributes:
        task: Task of the episodes.
        returns: Undiscounted returns, (n,).
        lengths: Numbers of steps, (n,).
        successes: Whether ``info["success"]`` was ever true, (n,); ``None`` if it was never
            reported.
        act_ms: Mean time of one call of the policy in milliseconds, without the first call.
        batch: Observations in such a call.
        trajectories: Observations of the first episodes, each (steps + 1, o).
        cut: Number of episodes that only the limit of steps ended.
    """

    task: Task
    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    successes: NDArray[np.bool_] | None
    act_ms: float
    batch: int
    trajectories: tuple[NDArray[np.float32], ...] = ()
    cut: int = 0

    @property
    def scores(self) -> NDArray[np.float64]:
        """Returns on the task's scale of 0 to 100; unchanged if the task has no scale.

        Of a task that is scored by successes: 100 for each of these, else 0.
        """
        if self.task.by_success and self.successes is not None:
            return 100.0 * self.successes
        return self.task.score(self.returns) if self._scaled else self.returns

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean return; NaN for a single episode."""
        return _standard_error(self.returns)

    @property
    def score(self) -> float:
        """Mean score."""
        return float(self.scores.mean())

    @property
    def _scaled(self) -> bool:
        return self.task.has_scale

    def figures(self) -> dict[str, float]:
        """All results by name, for JSON. Standard errors need two episodes."""
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
        """All results as a table to print."""
        table = Table(title=title or self.task.env, show_header=False)
        found = self.figures()
        if "score" in found:
            table.add_row("score", _with_error(self.scores))
            table.add_row("scores 0 and 100", self.task.reference)
        table.add_row("return", _with_error(self.returns))
        if "success" in found:
            table.add_row("success", f"{100 * found['success']:.0f} %")
        table.add_row("episodes", f"{len(self.returns)}, {found['length']:.0f} steps on average")
        table.add_row("policy call", f"{self.act_ms:.2f} ms for {self.batch} observations")
        return table


def _standard_error(values: NDArray[np.float64]) -> float:
    n = len(values)
    return float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


def _with_error(values: NDArray[np.float64]) -> str:
    """Mean and standard error in words; a single value has no standard error."""
    error = f" ± {_standard_error(values):.1f}" if len(values) > 1 else ""
    return f"{values.mean():.1f}{error}"


def evaluate_policy(
    act: Act,
    task: Task,
    episodes: int,
    seed: int = 0,
    progress: bool = False,
    reset: Callable[[], None] | None = None,
    first: int = 0,
) -> Evaluation:
    """Run episodes of a policy, each from a seed of its own.

    Up to :data:`MAX_PARALLEL` environments step side by side, with one call of the policy for all.
    Each runs exactly one episode, so that short episodes are not favored. The batch of a call never
    shrinks: rows of finished episodes keep their last observation. The input of a row, and the
    noise of its action, therefore depend on ``seed`` and ``episodes`` alone.

    An environment without a limit of steps would never end an episode. It gets
    :data:`oneleap.domains.rl.envs.task.HORIZON` steps, and a notice says so if that cut an episode.
    :meth:`oneleap.domains.rl.envs.task.Task.limited` sets another limit.

    The environments step in this process, one after the other, because a step takes less time than
    a message to another process (Hopper: 4300 steps/s; SyncVectorEnv 3400, AsyncVectorEnv 2200).

    Args:
        act: The policy.
        task: The task.
        episodes: Number of episodes.
        seed: Seed of the environments. The policy has randomness of its own.
        progress: Whether to show a progress bar.
        reset: Called before new episodes begin, and at the end. A policy with chunks of actions
            needs its ``reset``, which forgets what it had planned.
        first: Number of the first episode, if others run in another process.

    Returns:
        The results.

    Raises:
        InputError: The environment does not exist, or the policy returns NaN.
    """
    if episodes < 1:
        raise InputError(f"episodes: {episodes} is not positive")
    groups = groups_of(range(first, first + episodes))
    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        advance = bar.add_task("evaluating", total=episodes)
        found = []
        for group in groups:
            if reset is not None:
                reset()
            seeds = [episode_seed(seed, i) for i in group]
            found.append(_run_group(act, task, seeds, bar, advance))
        if reset is not None:
            reset()
    tell_cut(task, sum(group.cut for group in found), episodes)
    return merge(found)


def groups_of(episodes: range) -> list[range]:
    """Split episodes into the groups that step side by side."""
    return [episodes[k : k + MAX_PARALLEL] for k in range(0, len(episodes), MAX_PARALLEL)]


def tell_cut(task: Task, cut: int, episodes: int) -> None:
    """Say so if a limit of steps that nobody chose has ended episodes.

    Args:
        task: Their task.
        cut: How many it ended.
        episodes: How many there were.
    """
    limit, assumed = task.time_limit()
    if cut and assumed:
        warnings.warn(
            f"{cut} of {episodes} episodes ended after {limit} steps: {task.env} is registered "
            "without max_episode_steps; --horizon N of oneleap evaluate, or horizon of "
            "EvaluatePolicy in training, sets another limit",
            Notice,
            stacklevel=3,
        )


def merge(found: Sequence[Evaluation]) -> Evaluation:
    """Join the results of groups of episodes, in order."""
    reported = [group.successes for group in found if group.successes is not None]
    calls = np.array([group.lengths.max() for group in found])
    return Evaluation(
        task=found[0].task,
        returns=np.concatenate([group.returns for group in found]),
        lengths=np.concatenate([group.lengths for group in found]),
        successes=np.concatenate(reported) if len(reported) == len(found) else None,
        act_ms=float(np.average([group.act_ms for group in found], weights=calls)),
        batch=found[0].batch,
        trajectories=found[0].trajectories,
        cut=sum(group.cut for group in found),
    )


class _ParallelEnvs:
    """Environments side by side, each of which runs one episode."""

    def __init__(self, task: Task, seeds: list[int]) -> None:
        n = len(seeds)
        self.envs = [task.make(disable_env_checker=True) for _ in seeds]
        starts = (env.reset(seed=s)[0] for env, s in zip(self.envs, seeds, strict=True))
        self.obs = np.stack([observation_vector(start) for start in starts])
        self.returns, self.lengths = np.zeros(n), np.zeros(n, np.int64)
        self.successes, self.reported = np.zeros(n, bool), False
        self.alive = np.ones(n, bool)
        self.limit, self.cut = task.time_limit()[0], 0

    def step(self, actions: NDArray[np.float32]) -> int:
        """Step the environments whose episode is not over; return how many end now."""
        playing = np.flatnonzero(self.alive)
        for i in playing:
            obs, reward, terminated, truncated, info = self.envs[i].step(actions[i])
            self.obs[i] = observation_vector(obs)
            self.returns[i] += float(reward)
            self.lengths[i] += 1
            self.alive[i] = not (terminated or truncated)
            self.cut += truncated and not terminated and self.lengths[i] == self.limit
            if "success" in info:
                self.reported = True
                self.successes[i] |= bool(info["success"])
        return len(playing) - int(self.alive.sum())


def _run_group(
    act: Act, task: Task, seeds: list[int], bar: Progress, advance: TaskID
) -> Evaluation:
    """Run one episode from each seed, side by side."""
    envs = _ParallelEnvs(task, seeds)
    observed, taken = [envs.obs[:MAX_TRAJECTORIES].copy()], list[float]()
    while envs.alive.any():
        begin = time.perf_counter()
        actions = np.asarray(act(envs.obs), np.float32)
        taken.append(time.perf_counter() - begin)
        if not np.isfinite(actions).all():
            raise InputError(f"{task.env}: the policy's actions are not finite: did it diverge?")
        bar.advance(advance, envs.step(actions))
        observed.append(envs.obs[:MAX_TRAJECTORIES].copy())
    for env in envs.envs:
        env.close()
    each = zip(np.stack(observed, axis=1), envs.lengths[:MAX_TRAJECTORIES], strict=True)
    return Evaluation(
        task=task,
        returns=envs.returns,
        lengths=envs.lengths,
        successes=envs.successes if envs.reported else None,
        act_ms=float(np.mean(taken[1:] or taken)) * 1000,
        batch=len(seeds),
        trajectories=tuple(obs[: length + 1] for obs, length in each),
        cut=int(envs.cut),
    )
