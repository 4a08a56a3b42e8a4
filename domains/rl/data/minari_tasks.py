"""Tasks of Minari data sets, from their metadata."""

import json
from collections.abc import Mapping
from typing import Any

from gymnasium.envs.registration import EnvSpec

from oneleap.domains.rl.envs.adroit import D4RLDistance
from oneleap.domains.rl.envs.mazes import MAZES, REFERENCE_RETURNS, pointmaze_task
from oneleap.domains.rl.envs.registration import POINTMAZE
from oneleap.domains.rl.envs.task import D4RL, Task

REFERENCES_KEY = "oneleap_references"
"""Metadata key of our own PointMaze data: the four measured reference returns."""


def tasks(meta: Mapping[str, Any], keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """Fields of :class:`oneleap.domains.rl.data.transitions.LoadedData` about the environment.

    Args:
        meta: Metadata of the data set.
        keys: Entries of dictionary observations that are used. A maze whose goal they contain is
            played with moving goals, as it was recorded.
    """
    spec = environment_of(meta)
    if spec is None:
        return {}
    maze = maze_of(spec)
    if maze and keys in ((), ("observation",)):
        references = meta.get(REFERENCES_KEY) or REFERENCE_RETURNS[maze]
        return {
            "task": pointmaze_task(maze, True, references),
            "sparse_task": pointmaze_task(maze, False, references),
            "moving_goal": spec.id != POINTMAZE,
        }
    kwargs = {**spec.kwargs, **_time_limit(spec, meta)}
    low, high = meta.get("ref_min_score"), meta.get("ref_max_score")
    if low is None or high is None:
        return {"task": Task(spec.id, kwargs, obs_keys=keys)}
    reference = f"Minari {meta['dataset_id']}"
    if any(wrapper.name == D4RLDistance.__name__ for wrapper in spec.additional_wrappers):
        reference = f"{D4RL}rewards, {reference}"
    return {"task": Task(spec.id, kwargs, float(low), float(high), reference, keys)}


def environment_of(meta: Mapping[str, Any]) -> EnvSpec | None:
    """The recorded evaluation environment, else that of the data; ``None`` if neither exists."""
    text = meta.get("eval_env_spec") or meta.get("env_spec")
    if not text:
        return None
    fields = json.loads(text)
    for name in ("autoreset", "apply_api_compatibility"):  # from before Gymnasium 1.0
        fields.pop(name, None)
    return EnvSpec.from_json(json.dumps(fields))


def _time_limit(spec: EnvSpec, meta: Mapping[str, Any]) -> dict[str, int]:
    """The recorded number of steps of an episode, as an argument of ``gymnasium.make``.

    A limit as long as all the data is not that of the task: collectors of maze data raise it to the
    number of steps they want. Gymnasium's own limit then applies.
    """
    limit = int(spec.max_episode_steps or 0)
    return {"max_episode_steps": limit} if 0 < limit < int(meta.get("total_steps", 0)) else {}


def maze_of(spec: EnvSpec) -> str:
    """Name of the maze that an environment uses; empty if it is not one of ours."""
    if spec.id == POINTMAZE:
        return str(spec.kwargs.get("maze", "umaze"))
    cells = spec.kwargs.get("maze_map") if spec.id.startswith("PointMaze") else None
    return next((name for name, maze in MAZES.items() if maze.cells == cells), "")
