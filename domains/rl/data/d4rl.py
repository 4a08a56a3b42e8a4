"""Reads and writes D4RL's HDF5 files, without D4RL and without a simulator."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.rl.data.entries import join_observations
from oneleap.domains.rl.data.files import Fields, column, read_file
from oneleap.domains.rl.data.timeouts import derive_timeouts
from oneleap.domains.rl.data.transitions import LoadedData, OfflineDataset
from oneleap.domains.rl.data.validation import (
    build_dataset,
    episode_bounds,
    finite_bounds,
    refuse_discrete,
    validate_actions,
    validate_fields,
    validate_flags,
)
from oneleap.domains.rl.demonstrators.episodes import episode_columns
from oneleap.domains.rl.envs.ogbench import SINGLE, ogbench_task
from oneleap.domains.rl.envs.task import D4RL, ENV_HINT, Task

if TYPE_CHECKING:
    from minari.data_collector import EpisodeBuffer


class Family(NamedTuple):
    """One family of D4RL's data sets.

    Attributes:
        low: Return of random actions, D4RL's ``REF_MIN_SCORE``.
        high: Return of an expert, D4RL's ``REF_MAX_SCORE``.
        env: Gymnasium environment with the same observations; empty if there is none.
        obs_dim: Size of its observations.
        steps: Steps of D4RL's episodes; 0 if the environment has the same number.
        options: Arguments of the environment that give it D4RL's observations.
    """

    low: float
    high: float
    env: str = ""
    obs_dim: int = 0
    steps: int = 0
    options: tuple[tuple[str, Any], ...] = ()

    def task(self, key: str, env: str, own: bool = False) -> Task:
        """The environment ``env``, with D4RL's episode length and the returns of family ``key``.

        Args:
            key: Name of the family.
            env: Gymnasium id.
            own: Whether it is the family's own environment, with D4RL's observations.
        """
        kwargs: dict[str, Any] = {"max_episode_steps": self.steps} if self.steps else {}
        kwargs |= self.options if own else ()
        return Task(env, kwargs, self.low, self.high, f"{D4RL}{key}")

    def is_own(self, task: Task) -> bool:
        """Whether a task is played in the family's own environment, with D4RL's observations."""
        given = task.env_kwargs.items()
        return task.env == self.env and all(option in given for option in self.options)


FAMILIES = {
    # Version 5 differs: Walker2d has more friction under a foot, Hopper pays less.
    "halfcheetah": Family(-280.178953, 12135.0, "HalfCheetah-v4", 17),
    "hopper": Family(-20.272305, 3234.3, "Hopper-v4", 11),
    "walker2d": Family(1.629008, 4592.3, "Walker2d-v4", 17),
    # D4RL's goals are not in the observation, and gymnasium-robotics has no task with one goal.
    "antmaze": Family(0.0, 1.0),
    # Its contact forces were always zero: MuJoCo 2.0 did not compute them.
    "ant": Family(
        -325.6,
        3879.7,
        "Ant-v4",
        111,
        options=(("use_contact_forces", True), ("contact_force_range", (0.0, 0.0))),
    ),
    # The origin and the axes differ from those of gymnasium-robotics' PointMaze.
    "maze2d-umaze-dense": Family(68.537689, 193.66285642381482),
    "maze2d-medium-dense": Family(44.264742, 297.4552547777125),
    "maze2d-large-dense": Family(30.569041, 303.4857382709002),
    "maze2d-umaze": Family(23.85, 161.86),
    "maze2d-medium": Family(13.13, 277.39),
    "maze2d-large": Family(6.7, 273.99),
    "kitchen": Family(0.0, 4.0),
    "pen": Family(96.262799, 3076.8331017826877, "AdroitHandPen-v1", 45, 100),
    "hammer": Family(-274.856578, 12794.134825156867, "AdroitHandHammer-v1", 46),
    "relocate": Family(-6.425911, 4233.877797728884, "AdroitHandRelocate-v1", 39),
    "door": Family(-56.512833, 2880.5693087298737, "AdroitHandDoor-v1", 39),
}
"""D4RL's families by the beginning of their names; a longer name stands before a shorter one."""


def family_of(name: str) -> str:
    """Key of :data:`FAMILIES` for a file name, a D4RL name or a Gymnasium id; empty if unknown."""
    plain = re.sub(r"^(adroithand|franka|mini_)", "", name.lower())
    plain = re.sub(r"^ant_maze", "antmaze", plain)
    return next((key for key in FAMILIES if re.match(rf"{key}(?![a-z])", plain)), "")


def read_d4rl(
    path: str,
    env: str | None = None,
    clip: bool = False,
    obs_keys: tuple[str, ...] = (),
    horizon: int | None = None,
) -> LoadedData:
    """Read a file in D4RL's layout, see :func:`load_arrays`.

    Args:
        path: An HDF5 or npz file.
        env: Gymnasium id of the environment, or ``none``; by default that of the file's attribute
            ``env_id`` or of its name.
        clip: Whether to clip actions to their bounds.
        obs_keys: Entries of dictionary observations to use, in order.
        horizon: Largest number of steps of an episode, if the file has no timeouts.

    Returns:
        The data and their task.

    Raises:
        InputError: The file is damaged, a field is missing or wrong, or the environment is unknown.
    """
    found = read_file(path)
    return load_arrays(path, found.fields, env, found.env, clip, obs_keys, horizon)


def load_arrays(
    source: str,
    arrays: Fields,
    env: str | None = None,
    stored: str = "",
    clip: bool = False,
    obs_keys: tuple[str, ...] = (),
    horizon: int | None = None,
) -> LoadedData:
    """Check arrays in D4RL's layout: observations, actions, rewards, terminals, timeouts.

    If there are no ``next_observations``, they are the rows that follow, as in D4RL's
    ``qlearning_dataset``, which drops the last step of the file and of each episode that timed out.
    Only ``terminals`` end the value. Without ``timeouts``, episodes end as
    :func:`oneleap.domains.rl.data.timeouts.derive_timeouts` says. Actions are those of D4RL's
    environments, within [-1, 1], unless ``env`` names an environment with other bounds.

    Args:
        source: File, for messages; its name may identify the environment.
        arrays: Arrays by name; dictionary observations are mappings of arrays.
        env: Gymnasium id of the environment, or ``none``; by default ``stored``, or that of the
            name of ``source``.
        stored: Environment that the file names.
        clip: Whether to clip actions to their bounds.
        obs_keys: Entries of dictionary observations to use, in order.
        horizon: Largest number of steps of an episode, if there are no timeouts.

    Returns:
        The data and their task.

    Raises:
        InputError: A field is missing or wrong, or the environment is unknown.
    """
    raw, keys = join_observations(source, arrays, obs_keys)
    refuse_discrete(source, column(raw, "actions"), box=True)
    fields = validate_fields(source, raw, optional=("next_observations", "timeouts"))
    task, family = find_task(source, env, stored)
    width, act_dim = fields["observations"].shape[1], fields["actions"].shape[1]
    if family and task and family.is_own(task) and width != family.obs_dim:
        raise InputError(
            f"{source}: observations have {width} dimensions, those of {task.env} have "
            f"{family.obs_dim}; {ENV_HINT}"
        )
    if task is not None:
        task = replace(task, obs_keys=keys).fitted(source, width, act_dim)
    refuse_discrete(source, column(raw, "actions"), box=task is not None)
    if "timeouts" not in fields:
        breaks = None
        if "next_observations" in fields:
            breaks = (fields["next_observations"][:-1] != fields["observations"][1:]).any(1)
        add_timeouts(source, fields, raw, breaks, horizon or _time_limit(source, task, stored))
    low, high = action_limits(fields["actions"], task, family)
    fields["actions"] = validate_actions(source, fields["actions"], low, high, clip)
    if "next_observations" in fields:
        ends = (fields["terminals"] + fields["timeouts"]) > 0
        data = build_dataset(fields, episode_bounds(ends))
    else:
        data = derive_next_observations(source, fields)
    dictionaries = isinstance(arrays.get("observations"), Mapping)
    return LoadedData(data, low, high, task, obs_keys=keys, dictionaries=dictionaries)


def add_timeouts(
    source: str,
    fields: dict[str, NDArray[np.float32]],
    raw: Fields,
    breaks: NDArray[np.bool_] | None,
    limit: int | None,
) -> None:
    """Add the field ``timeouts``, see :func:`oneleap.domains.rl.data.timeouts.derive_timeouts`."""
    stored = column(raw, "episode_terminals")
    ends = None
    if stored is not None:
        ends = validate_flags(f"{source}: episode_terminals", stored) > 0
    fields["timeouts"] = derive_timeouts(
        source, fields["terminals"] > 0, episode_ends=ends, breaks=breaks, limit=limit
    ).astype(np.float32)


def _time_limit(source: str, task: Task | None, stored: str) -> int | None:
    """Steps of an episode in the environment of the data, or in that of their family in D4RL."""
    if task is None:
        key = next(filter(None, map(family_of, (stored, Path(source).stem))), "")
        family = FAMILIES.get(key)
        if family is None or not family.env:
            return None
        task = family.task(key, family.env, own=True)
    limit, assumed = task.time_limit()
    return None if assumed else limit


def derive_next_observations(
    path: str, fields: Mapping[str, NDArray[np.floating[Any]]]
) -> OfflineDataset:
    """Build a data set whose next observation is the row that follows.

    If a dropped last step was marked as a timeout, the row before it gets that mark.

    Args:
        path: The file, for the message.
        fields: Validated fields without next observations.

    Returns:
        The data set.

    Raises:
        InputError: No step has a successor.
    """
    terminal, timeout = fields["terminals"] > 0, fields["timeouts"] > 0
    keep = ~timeout[:-1]
    if not keep.any():
        raise InputError(f"{path}: no step has a successor; add next_observations")
    episode = np.concatenate([[0], np.cumsum(terminal | timeout)[:-1]])[:-1][keep]
    columns = {name: array[:-1][keep] for name, array in fields.items()}
    columns["next_observations"] = fields["observations"][1:][keep]
    columns["timeouts"] = (timeout[1:] & ~terminal[:-1])[keep].astype(np.float32)
    ends = np.append(episode[1:] != episode[:-1], True)
    return build_dataset(columns, episode_bounds(ends))


def task_of(env: str) -> Task:
    """The task of an environment, with the reference returns of its family in D4RL, if any.

    A task of OGBench is scored by its successes.
    """
    if SINGLE in env.split("-"):
        return ogbench_task(env)
    key = family_of(env)
    return FAMILIES[key].task(key, env) if key else Task(env)


def find_task(path: str, env: str | None, stored: str) -> tuple[Task | None, Family | None]:
    """The requested environment, else the stored one, else the one of the file's name.

    A requested environment is scored by the reference returns of its own family, if it has any, not
    by those of the file's family.

    Args:
        path: The file.
        env: Requested environment, or ``none``.
        stored: Environment that the file names; may be empty.

    Returns:
        The task and D4RL's family of the data, if there are any.

    Raises:
        InputError: Nothing names an environment.
    """
    if env == "none":
        return None, None
    names = [env] if env else [stored, Path(path).stem]
    key = next(filter(None, map(family_of, names)), "")
    family = FAMILIES.get(key)
    same = family is not None and stored.partition("-v")[0] == family.env.partition("-v")[0]
    name = env or (stored if stored and (same or not key) else family.env if family else "")
    if not name:
        what = (
            f"no environment has the observations of D4RL's {key}"
            if key
            else "neither its attribute env_id nor its name identifies the environment"
        )
        raise InputError(f"{path}: {what}; {ENV_HINT}")
    if family is None:
        return Task(name), None
    return family.task(key, name, own=not env and not (stored and same)), family


def action_limits(
    act: NDArray[np.float32], task: Task | None, family: Family | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Choose the bounds of the actions: D4RL's, else the environment's, else the data's range.

    Where the environment has no bound, the range of the data gives it.

    Args:
        act: Actions, (n, a).
        task: Environment of the data, if known.
        family: D4RL family of the data, if known.

    Returns:
        Smallest and largest action, (a,) each.
    """
    one = np.ones(act.shape[1], np.float32)
    if family is not None or (task is None and np.abs(act).max() <= 1):
        return -one, one
    if task is None:
        return act.min(0), act.max(0)
    return finite_bounds(*task.action_bounds(), act)


def write_d4rl(path: Path, episodes: "Sequence[EpisodeBuffer]", env_id: str) -> None:
    """Write episodes in D4RL's layout, with next observations.

    Args:
        path: File to write.
        episodes: Episodes in Minari's form.
        env_id: Gymnasium id of the environment, stored as an attribute.
    """
    write_columns(path, episode_columns(episodes), env_id)


def write_columns(path: Path, columns: Fields, env_id: str) -> None:
    """Write arrays in D4RL's layout.

    Args:
        path: File to write.
        columns: Arrays by D4RL's names.
        env_id: Gymnasium id of the environment, stored as an attribute.
    """
    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        for name, array in columns.items():
            file.create_dataset(name, data=array, compression="gzip", compression_opts=1)
        file.attrs["env_id"] = env_id
