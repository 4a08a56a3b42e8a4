"""The smallest demonstrations that the code accepts."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from oneleap.domains.robot.data.robomimic_write import Demonstration, write_demos
from oneleap.domains.robot.envs.task import Task
from oneleap.domains.robot.spec import Spec

ENV_ARGS = json.dumps({"env_name": "Lift", "env_version": "1.5.2", "type": 1, "env_kwargs": {}})
KEYS = ("hand", "object")
EYE = "eye_image"


def spec(**given: object) -> Spec:
    """Spec of the data below with chunks of 4 actions; any field may be given."""
    fields: dict[str, object] = {
        "obs_keys": KEYS,
        "obs_sizes": (3, 2),
        "n_obs_steps": 1,
        "act_dim": 7,
        "horizon": 4,
        "obs_shift": (0.5, -1.0, 0.0, 0.0, 2.0),
        "obs_scale": (2.0, 1.0, 1.0, 0.5, 1.0),
        "act_shift": (0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0),
        "act_scale": (1.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0),
        "task": Task(ENV_ARGS, 20),
    }
    return Spec(**{**fields, **given})  # type: ignore[arg-type]


def demonstration(n: int, seed: int, images: tuple[int, int] | None = None) -> Demonstration:
    """A demonstration of ``n`` steps; column 0 of the actions counts them."""
    g = np.random.default_rng(seed)
    actions = g.uniform(-1, 1, (n, 7))
    actions[:, 0] = np.arange(n) / n
    actions[:, 6] = np.where(np.arange(n) < n // 2, -1.0, 1.0)
    obs = {"hand": g.normal(size=(n + 1, 3)), "object": g.normal(size=(n + 1, 2))}
    if images is not None:
        obs[EYE] = g.integers(0, 256, (n + 1, *images, 3), dtype=np.uint8)
    return Demonstration(
        states=g.normal(size=(n, 5)),
        actions=actions,
        actions_abs=g.uniform(-1, 1, (n, 7)),
        rewards=np.zeros(n),
        obs=obs,
        model_xml="<mujoco/>",
    )


def demonstrations(
    path: Path, lengths: tuple[int, ...] = (12, 9, 15), images: tuple[int, int] | None = None
) -> list[Demonstration]:
    """Write demonstrations to a file, the last one under the filter key ``valid``; return them."""
    episodes = [demonstration(n, seed, images) for seed, n in enumerate(lengths)]
    write_demos(path, ENV_ARGS, episodes, valid=1 / len(lengths))
    return episodes


def robot_file(
    path: Path,
    env_args: object = None,
    lengths: tuple[int, ...] = (12, 9, 15),
    actions: Mapping[str, Callable[[int], np.ndarray]] | None = None,
) -> None:
    """A file as real robots and other simulators write it: no masks, states or rewards.

    Args:
        path: File to write.
        env_args: Attribute of the data; ``None`` leaves it out.
        lengths: Number of steps of each demonstration.
        actions: Data sets of actions, functions of the number of steps; by default three columns.
    """
    import h5py

    g = np.random.default_rng(0)
    made = actions or {"actions": lambda n: g.uniform(-1, 1, (n, 3)).astype(np.float32)}
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        if env_args is not None:
            data.attrs["env_args"] = env_args
        for k, n in enumerate(lengths):
            for name, make in made.items():
                data[f"demo_{k}/{name}"] = make(n)
            data[f"demo_{k}/obs/hand"] = g.normal(size=(n, 3))
            data[f"demo_{k}/obs/object"] = g.normal(size=(n, 2))
