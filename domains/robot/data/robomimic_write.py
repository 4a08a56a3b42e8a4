"""robomimic's layout of demonstrations in HDF5, v0.1 to v1.5: what is where, and writing it.

==========================  ==============================================================
``data``                    attributes ``total``, the number of steps, and ``env_args``
``data/demo_0``             attributes ``num_samples`` and ``model_file``, the scene's XML
``data/demo_0/states``      of the simulation before each step, (n, s)
``data/demo_0/actions``     (n, a)
``data/demo_0/actions_abs`` the same as absolute poses, (n, 7): position, rotation vector, gripper
``data/demo_0/rewards``     (n,), and ``dones``
``data/demo_0/obs/KEY``     before each step, (n, ...); images uint8 (n, h, w, 3)
``data/demo_0/next_obs``    the same after each step
``mask/NAME``               names of the demonstrations that a filter key selects
==========================  ==============================================================
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.files import replacing

ABSOLUTE = "actions_abs"


@dataclass(frozen=True, eq=False)
class Episode:
    """One demonstration of n steps.

    Attributes:
        states: Of the simulation before each step, (n, s).
        actions: Offsets, (n, a).
        actions_abs: Poses, (n, 7).
        rewards: (n,).
        obs: By key, n + 1 rows: before each step, and after the last.
        model: The scene's XML.
    """

    states: NDArray[np.float64]
    actions: NDArray[np.float64]
    actions_abs: NDArray[np.float64]
    rewards: NDArray[np.float64]
    obs: Mapping[str, NDArray[Any]]
    model: str


def write(path: Path, env_args: str, episodes: Iterable[Episode], valid: float = 0.1) -> int:
    """Write a file that robomimic reads, whole or not at all; the number of steps in it.

    Args:
        path: Of the file.
        env_args: See :class:`oneleap.domains.robot.envs.task.Task`.
        episodes: In order.
        valid: Share of the demonstrations under the filter key ``valid``, spread evenly; the
            others are under ``train``.
    """
    import h5py

    with replacing(path) as temporary:
        temporary.unlink()
        with h5py.File(temporary, "w") as file:
            total, names, data = 0, list[str](), file.create_group("data")
            for k, episode in enumerate(episodes):
                names.append(f"demo_{k}")
                _write_episode(data.create_group(names[-1]), episode)
                total += len(episode.actions)
            data.attrs["total"] = total
            data.attrs["env_args"] = json.dumps(json.loads(env_args), indent=4)
            every = max(2, round(1 / valid)) if valid > 0 else len(names) + 1
            masks = {"train": names, "valid": names[every - 1 :: every]}
            masks["train"] = [name for name in names if name not in masks["valid"]]
            for key, chosen in masks.items():
                file.create_dataset(f"mask/{key}", data=np.array(chosen, dtype="S"))
    return total


def _write_episode(group: Any, episode: Episode) -> None:
    n = len(episode.actions)
    group.attrs["num_samples"] = n
    group.attrs["model_file"] = episode.model
    dones = np.zeros(n, np.int64)
    dones[-1] = 1
    for name, array in (
        ("states", episode.states),
        ("actions", episode.actions),
        (ABSOLUTE, episode.actions_abs),
        ("rewards", episode.rewards),
        ("dones", dones),
    ):
        group.create_dataset(name, data=array)
    for key, array in episode.obs.items():
        packed: dict[str, Any] = {}
        if array.dtype == np.uint8:  # as images are read, one at a time
            packed = {"compression": "gzip", "compression_opts": 4, "chunks": (1, *array.shape[1:])}
        group.create_dataset(f"obs/{key}", data=array[:-1], **packed)
        group.create_dataset(f"next_obs/{key}", data=array[1:], **packed)
