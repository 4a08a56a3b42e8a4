"""D4RL's HDF5 files, read without D4RL and without a simulator."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.transitions import Loaded, OfflineDataset
from oneleap.domains.rl.data.validation import (
    DIMENSIONS,
    assemble,
    bounded,
    checked,
    episode_bounds,
)
from oneleap.domains.rl.envs.task import MEND, Task


class Domain(NamedTuple):
    """One family of D4RL's data sets.

    Attributes:
        low: Return of random actions, D4RL's ``REF_MIN_SCORE``.
        high: Return of an expert, D4RL's ``REF_MAX_SCORE``.
        env: Gymnasium's environment with the same observations; empty if there is none.
        obs_dim: Size of its observations.
        steps: Steps of D4RL's episodes; 0 if they are the environment's own.
    """

    low: float
    high: float
    env: str = ""
    obs_dim: int = 0
    steps: int = 0

    def task(self, key: str, env: str) -> Task:
        """The environment ``env`` as D4RL plays it, by the references of the family ``key``."""
        kwargs = {"max_episode_steps": self.steps} if self.steps else {}
        return Task(env, kwargs, self.low, self.high, f"D4RL {key}")


DOMAINS = {
    "halfcheetah": Domain(-280.178953, 12135.0, "HalfCheetah-v5", 17),
    "hopper": Domain(-20.272305, 3234.3, "Hopper-v5", 11),
    "walker2d": Domain(1.629008, 4592.3, "Walker2d-v5", 17),
    # D4RL's goals are part of neither the observation nor gymnasium-robotics' fixed tasks.
    "antmaze": Domain(0.0, 1.0),
    "ant": Domain(-325.6, 3879.7, "Ant-v5", 105),
    # Another origin and other axes than gymnasium-robotics' PointMaze.
    "maze2d-umaze": Domain(23.85, 161.86),
    "maze2d-medium": Domain(13.13, 277.39),
    "maze2d-large": Domain(6.7, 273.99),
    "kitchen": Domain(0.0, 4.0),
    "pen": Domain(96.262799, 3076.8331017826877, "AdroitHandPen-v1", 45, 100),
    "hammer": Domain(-274.856578, 12794.134825156867, "AdroitHandHammer-v1", 46),
    "relocate": Domain(-6.425911, 4233.877797728884, "AdroitHandRelocate-v1", 39),
    "door": Domain(-56.512833, 2880.5693087298737, "AdroitHandDoor-v1", 39),
}
"""D4RL's families by the beginning of their names."""


def domain_of(name: str) -> str:
    """Key of :data:`DOMAINS` for a file name, a D4RL name or a Gymnasium id; empty if unknown."""
    plain = re.sub(r"^(adroithand|franka|mini_)", "", name.lower())
    plain = re.sub(r"^ant_maze", "antmaze", plain)
    return next((key for key in DOMAINS if re.match(rf"{key}(?![a-z])", plain)), "")


def read(path: str, env: str | None = None, clip: bool = False) -> Loaded:
    """Read a file of D4RL's layout: observations, actions, rewards, terminals, timeouts.

    Without ``next_observations`` they are the rows that follow, as in D4RL's ``qlearning_dataset``:
    the last step of an episode that timed out, and of the file, is dropped. Only ``terminals`` end
    the value. Actions are those of D4RL's environments, within [-1, 1], unless ``env`` says others.

    Args:
        path: File.
        env: Gymnasium id of the environment, or ``none``; by default from the file's attribute
            ``env_id`` or its name.
        clip: Clip actions to their bounds.

    Raises:
        InputError: The file is damaged, a field is missing or wrong, or the environment unknown.
    """
    raw, stored = opened(path)
    found = checked(path, raw, optional=("next_observations",))
    task, domain = _task(path, env, stored)
    width = found["observations"].shape[1]
    if domain and task and task.env == domain.env and width != domain.obs_dim:
        raise InputError(
            f"{path}: {width} observations a step, {task.env} gives {domain.obs_dim}; {MEND}"
        )
    if task and env:
        task.require(path, width, found["actions"].shape[1])
    low, high = limits(found["actions"], task, domain)
    found["actions"] = bounded(path, found["actions"], low, high, clip)
    if "next_observations" in found:
        ends = (found["terminals"] + found["timeouts"]) > 0
        data = assemble(found, episode_bounds(ends))
    else:
        data = derived(path, found)
    return Loaded(data, low, high, task)


def derived(path: str, found: dict[str, NDArray[np.float32]]) -> OfflineDataset:
    """Add next observations: the row that follows.

    The row before a dropped last step takes over its mark of a time limit.
    """
    terminal, timeout = found["terminals"] > 0, found["timeouts"] > 0
    keep = ~timeout[:-1]
    if not keep.any():
        raise InputError(f"{path}: no step has a successor; add next_observations")
    episode = np.concatenate([[0], np.cumsum(terminal | timeout)[:-1]])[:-1][keep]
    columns = {name: array[:-1][keep] for name, array in found.items()}
    columns["next_observations"] = found["observations"][1:][keep]
    columns["timeouts"] = (timeout[1:] & ~terminal[:-1])[keep].astype(np.float32)
    ends = np.append(episode[1:] != episode[:-1], True)
    return assemble(columns, episode_bounds(ends))


def opened(path: str) -> tuple[dict[str, NDArray[Any]], str]:
    """The known fields of a file and its attribute ``env_id``."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            if "episode_0" in file:
                raise InputError(
                    f"{path} is part of a Minari data set: give the folder {Path(path).parent}"
                )
            raw = {
                name: file[name][()]
                for name in DIMENSIONS
                if isinstance(file.get(name), h5py.Dataset)
            }
            if not raw:
                names = ", ".join(sorted(file)) or "nothing"
                raise InputError(f"{path}: none of D4RL's fields in it, but {names}")
            return raw, str(file.attrs.get("env_id", ""))
    except InputError:
        raise
    except (OSError, RuntimeError, TypeError, KeyError, ValueError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: damaged, or no HDF5 file: {reason}") from None


def _task(path: str, env: str | None, stored: str) -> tuple[Task | None, Domain | None]:
    """The environment asked for, else the one stored, else the one the file's name tells.

    One asked for is scored by D4RL's references of its own domain, if it has any, never by those of
    the file's.
    """
    if env == "none":
        return None, None
    names = [env] if env else [stored, Path(path).stem]
    key = next(filter(None, map(domain_of, names)), "")
    domain = DOMAINS.get(key)
    same = domain is not None and stored.partition("-v")[0] == domain.env.partition("-v")[0]
    name = env or (stored if stored and (same or not key) else domain.env if domain else "")
    if not name:
        what = (
            f"no environment has the observations of D4RL's {key}"
            if key
            else ("neither its attribute env_id nor its name tells the environment")
        )
        raise InputError(
            f"{path}: {what}; set env to a Gymnasium id such as Hopper-v5, "
            "or to none to train without evaluation"
        )
    if domain is None:
        return Task(name), None
    return domain.task(key, name), domain


def limits(
    act: NDArray[np.float32], task: Task | None, domain: Domain | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """D4RL's bounds, else the environment's, else the range of the data."""
    one = np.ones(act.shape[1], np.float32)
    if domain is not None or (task is None and np.abs(act).max() <= 1):
        return -one, one
    if task is None:
        return act.min(0), act.max(0)
    return task.action_bounds()
