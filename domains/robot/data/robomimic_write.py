"""Writes demonstrations in robomimic's HDF5 layout, v0.1 to v1.5.

==========================  ==============================================================
``data``                    attributes ``total``, the number of steps, and ``env_args``
``data/demo_0``             attributes ``num_samples`` and ``model_file``, the scene's XML
``data/demo_0/states``      simulation states before each step, (n, s)
``data/demo_0/actions``     actions, (n, a)
``data/demo_0/actions_abs`` the same actions as absolute poses, (n, 7): position, rotation
                            vector, gripper
``data/demo_0/rewards``     rewards, (n,); ``dones`` has the same shape
``data/demo_0/obs/KEY``     observations before each step, (n, ...); images uint8 (n, h, w, 3)
``data/demo_0/next_obs``    observations after each step
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

from oneleap.core.files import atomic_write

ABSOLUTE_ACTIONS = "actions_abs"
"""Name of the data set of absolute actions."""


@dataclass(frozen=True, eq=False)
class Demonstration:
    """One demonstration of n steps.

    Attributes:
        actions: What the robot was commanded, floats, (n, a): offsets and gripper, poses, or
            anything else.
        obs: Observations by key, n + 1 rows: before each step, and after the last.
        states: Simulation states before each step, (n, s); ``None`` for a real robot.
        actions_abs: Target pose and gripper of each step, (n, 7); ``None`` if they are not known.
        rewards: Rewards, (n,); ``None`` writes zeros.
        model_xml: MuJoCo's description of the scene.
    """

    actions: NDArray[np.float64]
    obs: Mapping[str, NDArray[Any]]
    states: NDArray[np.float64] | None = None
    actions_abs: NDArray[np.float64] | None = None
    rewards: NDArray[np.float64] | None = None
    model_xml: str = ""


def write_demos(
    path: Path, env_args: str | None, demos: Iterable[Demonstration], valid: float = 0.1
) -> int:
    """Write a file that robomimic reads. A failure leaves no partial file.

    Args:
        path: File to write.
        env_args: Description of the environment, see
            :class:`oneleap.domains.robot.envs.task.Task`; ``None`` without one.
        demos: Demonstrations, in order.
        valid: Share of the demonstrations, spread evenly, that the filter key ``valid`` selects;
            ``train`` selects the others.

    Returns:
        The number of steps written.
    """
    import h5py

    with atomic_write(path) as temporary:
        temporary.unlink()
        with h5py.File(temporary, "w") as file:
            total, names, data = 0, list[str](), file.create_group("data")
            for k, demo in enumerate(demos):
                names.append(f"demo_{k}")
                _write_demo(data.create_group(names[-1]), demo)
                total += len(demo.actions)
            data.attrs["total"] = total
            if env_args is not None:
                data.attrs["env_args"] = json.dumps(json.loads(env_args), indent=4)
            every = max(2, round(1 / valid)) if valid > 0 else len(names) + 1
            masks = {"train": names, "valid": names[every - 1 :: every]}
            masks["train"] = [name for name in names if name not in masks["valid"]]
            for key, chosen in masks.items():
                file.create_dataset(f"mask/{key}", data=np.array(chosen, dtype="S"))
    return total


def _write_demo(group: Any, demo: Demonstration) -> None:
    n = len(demo.actions)
    group.attrs["num_samples"] = n
    group.attrs["model_file"] = demo.model_xml
    dones = np.zeros(n, np.int64)
    dones[-1] = 1
    for name, array in (
        ("states", demo.states),
        ("actions", demo.actions),
        (ABSOLUTE_ACTIONS, demo.actions_abs),
        ("rewards", np.zeros(n) if demo.rewards is None else demo.rewards),
        ("dones", dones),
    ):
        if array is not None:
            group.create_dataset(name, data=array)
    for key, array in demo.obs.items():
        storage: dict[str, Any] = {}
        if array.dtype == np.uint8:  # one image per HDF5 chunk, because images are read singly
            storage = {"compression": "gzip", "compression_opts": 4}
            storage["chunks"] = (1, *array.shape[1:])
        group.create_dataset(f"obs/{key}", data=array[:-1], **storage)
        group.create_dataset(f"next_obs/{key}", data=array[1:], **storage)
