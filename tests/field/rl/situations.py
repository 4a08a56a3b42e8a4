"""Small files of steps as people have them, and environments that misbehave."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import register


def steps(n: int = 40, obs: int = 3, act: int = 2, length: int = 10) -> dict[str, Any]:
    """Episodes of ``length`` steps, one after the other; each ends by a timeout."""
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(n // length, length + 1, obs)).astype(np.float32)
    return {
        "observations": seen[:, :-1].reshape(n, obs),
        "next_observations": seen[:, 1:].reshape(n, obs),
        "actions": rng.uniform(-1, 1, (n, act)).astype(np.float32),
        "rewards": rng.normal(size=n).astype(np.float32),
        "terminals": np.zeros(n, bool),
        "timeouts": np.arange(n) % length == length - 1,
    }


def write_hdf5(path: Path, fields: Mapping[str, Any], **attributes: Any) -> str:
    """Write arrays; dictionaries become groups."""

    def write(parent: Any, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, Mapping):
                write(parent.create_group(name), value)
            else:
                parent[name] = value

    with h5py.File(path, "w") as file:
        write(file, fields)
        file.attrs.update(attributes)
    return str(path)


def write_npz(path: Path, fields: Mapping[str, Any], **attributes: str) -> str:
    """Write arrays; entries of dictionaries are named ``field/entry``."""
    flat: dict[str, Any] = dict(attributes)
    for name, value in fields.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}/{key}": array for key, array in value.items()}
        else:
            flat[name] = value
    with path.open("wb") as file:
        np.savez(file, **flat)
    return str(path)


class Endless(gymnasium.Env[Any, Any]):
    """It never ends; the reward of a step is 1."""

    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(3, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.zeros(3, np.float32), 1.0, False, False, {}


class Unbounded(Endless):
    """Its actions have no bounds, or equal ones."""

    action_space = spaces.Box(np.float32([-np.inf, 2]), np.float32([np.inf, 2]), (2,), np.float32)


class Choices(Endless):
    """Its actions are choices."""

    action_space: Any = spaces.Discrete(2)


class Keyed(Endless):
    """Its observations are a dictionary: two vectors, an image and a number."""

    observation_space: Any = spaces.Dict(
        {
            "speed": spaces.Box(-np.inf, np.inf, (1,), np.float32),
            "position": spaces.Box(-np.inf, np.inf, (2,), np.float32),
            "camera": spaces.Box(0, 255, (4, 4, 3), np.uint8),
            "level": spaces.Discrete(3),
        }
    )

    def _seen(self) -> dict[str, Any]:
        return {
            "speed": np.float32([7]),
            "position": np.float32([1, 2]),
            "camera": np.zeros((4, 4, 3), np.uint8),
            "level": 1,
        }

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        return self._seen(), 1.0, False, False, {}


register("FieldEndless-v0", entry_point="field.rl.situations:Endless")
register("FieldLimited-v0", entry_point="field.rl.situations:Endless", max_episode_steps=7)
register("FieldUnbounded-v0", entry_point="field.rl.situations:Unbounded", max_episode_steps=7)
register("FieldChoices-v0", entry_point="field.rl.situations:Choices", max_episode_steps=7)
register("FieldKeyed-v0", entry_point="field.rl.situations:Keyed", max_episode_steps=7)
