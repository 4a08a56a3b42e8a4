"""What a Minari data set tells of its environment."""

import json
from collections.abc import Mapping
from typing import Any

from gymnasium.envs.registration import EnvSpec

from oneleap.domains.rl.envs.pointmaze import ENV_ID, MAZES, MEASURED, pointmaze_task
from oneleap.domains.rl.envs.task import Task

REFERENCES_KEY = "oneleap_references"
"""Metadata of our own PointMaze data: the four measured returns."""


def tasks(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of :class:`Loaded` about the environment."""
    spec = recorded(meta)
    if spec is None:
        return {}
    maze = _maze(spec)
    if maze:
        references = meta.get(REFERENCES_KEY) or MEASURED[maze]
        return {
            "task": pointmaze_task(maze, True, references),
            "sparse_task": pointmaze_task(maze, False, references),
            "moving_goal": spec.id != ENV_ID,
        }
    kwargs = {**spec.kwargs, **_time_limit(spec, meta)}
    low, high = meta.get("ref_min_score"), meta.get("ref_max_score")
    if low is None or high is None:
        return {"task": Task(spec.id, kwargs)}
    reference = f"Minari {meta['dataset_id']}"
    return {"task": Task(spec.id, kwargs, float(low), float(high), reference)}


def recorded(meta: Mapping[str, Any]) -> EnvSpec | None:
    """The environment to evaluate in, else the one the data are of, if either is recorded."""
    text = meta.get("eval_env_spec") or meta.get("env_spec")
    if not text:
        return None
    fields = json.loads(text)
    for name in ("autoreset", "apply_api_compatibility"):  # of Gymnasium before 1.0, as D4RL's sets
        fields.pop(name, None)
    return EnvSpec.from_json(json.dumps(fields))


def _time_limit(spec: EnvSpec, meta: Mapping[str, Any]) -> dict[str, int]:
    """The recorded steps of an episode, as ``gymnasium.make`` takes them.

    A limit as long as all the data is none of the task's: collectors of mazes raise it to the
    number of steps they want. Gymnasium's own then holds.
    """
    limit = int(spec.max_episode_steps or 0)
    return {"max_episode_steps": limit} if 0 < limit < int(meta.get("total_steps", 0)) else {}


def _maze(spec: EnvSpec) -> str:
    """Our name of the maze an environment plays in, or nothing."""
    if spec.id == ENV_ID:
        return str(spec.kwargs.get("maze", "umaze"))
    cells = spec.kwargs.get("maze_map") if spec.id.startswith("PointMaze") else None
    return next((name for name, maze in MAZES.items() if maze.cells == cells), "")
