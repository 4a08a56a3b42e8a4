"""``oneleap collect random`` and ``adroit``: random actions, and D4RL's experts of Adroit."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from oneleap.core.errors import InputError, check_seed, require_positive
from oneleap.core.outputs import check_output

if TYPE_CHECKING:
    from oneleap.domains.rl.demonstrators.blocks import Columns
    from oneleap.domains.rl.envs.task import Task


def random(
    env: str = "Hopper-v4",
    steps: int = 1_000_000,
    horizon: int | None = None,
    seed: int = 0,
    workers: int = 2,
    out: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Record random actions in any Gymnasium environment, as D4RL's random sets do.

    Blocks of steps are stored in FILE.parts until all are there: a collection that was interrupted
    continues there. The data depend on the seed alone. D4RL's scales belong to version 4 of Hopper,
    HalfCheetah and Walker2d.

    Example: oneleap collect random --env Hopper-v4 --steps 1000000

    Args:
        env: Gymnasium id.
        steps: Number of steps.
        horizon: Largest number of steps of an episode; by default that of the registered
            environment, or 1000 if it has none.
        seed: Seed of all draws.
        workers: Number of processes.
        out: HDF5 file in D4RL's layout; by default NAME-random.hdf5.
        overwrite: Replace an existing file.

    Raises:
        InputError: The environment does not exist, the file exists, or FILE.parts holds another
            recording.
    """
    from oneleap.domains.rl.commands.collect_mujoco import task_to_record

    require_positive(steps=steps, workers=workers)
    task, name, _ = task_to_record(env, horizon)
    _record(task, out or Path(f"{name}-random.hdf5"), steps, seed, workers, overwrite)


def adroit(
    task: Literal["door", "hammer", "pen", "relocate"] = "door",
    policy: str = "",
    episodes: int = 5000,
    seed: int = 0,
    workers: int = 2,
    out: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Record the expert policies behind D4RL's Adroit expert sets, with D4RL's rewards.

    A policy is an npz file of plain arrays: weight0 to weight2 (out, in), bias0 to bias2, in_shift,
    in_scale, out_shift, out_scale, log_std. The authors of DAPG published such policies as pickles,
    which run code when they are loaded, so they must be converted first. Blocks of episodes are
    stored in FILE.parts until all are there: a collection that was interrupted continues there.

    Example: oneleap collect adroit --task door --policy door-expert-policy.npz

    Args:
        task: Task of Adroit.
        policy: Path or URL of the expert's npz file; by default TASK-expert-policy.npz.
        episodes: Number of episodes, each of 200 steps, in pen of 100.
        seed: Seed of all draws.
        workers: Number of processes.
        out: HDF5 file in D4RL's layout; by default TASK-expert.hdf5.
        overwrite: Replace an existing file.

    Raises:
        InputError: There is no such policy, it does not fit the task, the file exists, or
            FILE.parts holds another recording.
    """
    from oneleap.domains.rl.data.d4rl import FAMILIES
    from oneleap.domains.rl.demonstrators.adroit import read_policy

    require_positive(episodes=episodes, workers=workers)
    family, source = FAMILIES[task], policy or f"{task}-expert-policy.npz"
    played = family.task(task, family.env)
    sizes = read_policy(source).sizes
    played.fitted(source, *sizes, "the policy has", f"name the expert of {task} with --policy")
    steps = episodes * (played.time_limit()[0] or 1)
    path = out or Path(f"{task}-expert.hdf5")
    _record(played, path, steps, seed, workers, overwrite, source)


def _mean_return(task: "Task", columns: "Columns", limit: int) -> str:
    """The mean return of the episodes that the recording did not cut, and its score."""
    import numpy as np

    ends = np.flatnonzero(columns["terminals"] | columns["timeouts"])
    starts = np.append(0, ends[:-1] + 1)
    whole = columns["terminals"][ends] | (ends + 1 - starts == limit)
    returns = np.add.reduceat(columns["rewards"].astype(np.float64), starts)[whole]
    if not len(returns):
        return "no episode is complete"
    score = f", score {task.score(returns).mean():.1f}" if task.has_scale else ""
    return f"mean return of {len(returns)} complete episodes {returns.mean():.1f}{score}"


def _record(
    task: "Task",
    path: Path,
    steps: int,
    seed: int,
    workers: int,
    overwrite: bool,
    policy: str = "",
) -> None:
    """Record steps to a file in D4RL's layout, and print the mean return of whole episodes."""
    from oneleap.core.cli.advice import next_line
    from oneleap.domains.rl.data.d4rl import write_columns
    from oneleap.domains.rl.demonstrators.blocks import (
        parts_folder,
        read_blocks,
        record_blocks,
        remove_blocks,
    )
    from oneleap.domains.rl.demonstrators.steps import StepsRecording

    check_seed(seed)
    check_output(path)
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already: --overwrite replaces it, --out names another")
    limit = task.time_limit()[0] or steps
    recording = StepsRecording(json.dumps(asdict(task)), steps, limit, seed, policy)
    folder = parts_folder(path)
    record_blocks(recording, recording.blocks, folder, asdict(recording), workers)
    columns = read_blocks(folder, range(recording.blocks))
    write_columns(path, columns, task.env)
    remove_blocks(folder)
    print(f"{path}: {steps} steps\n{_mean_return(task, columns, limit)}")
    print(next_line("fit", "--config", "rl/ofql_d4rl", "--data.path", path))
