"""One episode of OGBench's data: scripted oracles of the robot, and the pointer of the point mass.

Steps hold the observation, the action, and the state of the simulator before the action.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.rl.envs.ogbench import numpy_randomness

Array = NDArray[Any]
Episode = dict[str, Array]
"""Arrays of an episode by the names of OGBench's files."""

Play = Callable[[int], Episode | None]
"""Plays the episode of a seed; ``None`` if OGBench would not keep it."""

STACKING = {
    "single": (0.0, 0.0),
    "double": (0.0, 0.25),
    "triple": (0.05, 0.35),
    "quadruple": (0.1, 0.5),
    "octuple": (0.0, 0.35),
}
"""Range of the probability that a cube is put on another, by the number of cubes."""

STACKING_ELSEWHERE = (0.5, 0.5)

NOISE = 0.1
"""Noise of plans, and largest noise of ``noisy`` actions."""

NOISE_SHAPE = np.array([1.0, 1.0, 1.0, 3.0, 10.0])
"""Noise of each dimension of an action, relative to that of positions."""

RANDOM_ACTIONS = {"cube": 0.1, "scene": 0.1, "puzzle": 0.2}
"""Share of random actions in ``noisy`` data."""

MAZE_NOISE = 0.5
"""Standard deviation of the noise of a point mass's actions."""

NEAR_CELLS = 4
"""Number of cells to the goal in ``stitch`` data."""

TYPES = {
    "observations": np.float32,
    "actions": np.float32,
    "terminals": np.bool_,
    "qpos": np.float32,
    "qvel": np.float32,
    "button_states": np.int64,
}
"""Types of the stored arrays."""


def _oracles(env: Any, family: str, behavior: str) -> dict[str, Any]:
    """The oracle of each kind of object."""
    objects = {"cube": ["cube"], "puzzle": ["button"]}.get(
        family, ["cube", "button", "drawer", "window"]
    )
    way = "plan" if behavior == "play" else "markov"
    found = {}
    for name in objects:
        module = import_module(f"ogbench.manipspace.oracles.{way}.{name}_{way}")
        options: dict[str, Any] = {"noise": NOISE, "noise_smoothing": 0.5}
        if way == "markov":
            options = {"min_norm": 0.4}
            if (family, name) == ("scene", "cube"):
                options["max_step"] = 100
        if family == "puzzle":
            options["gripper_always_closed"] = True
        found[name] = getattr(module, f"{name}_{way}_oracle".title().replace("_", ""))(
            env=env, **options
        )
    return found


def scripted_episodes(env: Any, name: str, behavior: str) -> Play:
    """Return the function that plays episodes of the robot.

    The oracle of a random task acts until it is done; then comes another task.

    Args:
        env: Environment that collects data.
        name: Its id.
        behavior: ``play``: plans with smooth noise, without feedback; or ``noisy``: closed-loop
            control with noise and random actions.
    """
    words = name.split("-")
    oracles = _oracles(env, words[0], behavior)
    stacking = STACKING.get(words[1], STACKING_ELSEWHERE)
    noisy = behavior == "noisy"
    random_share = RANDOM_ACTIONS[words[0]] if noisy else 0.0

    def play(seed: int) -> Episode | None:
        rng = np.random.default_rng(seed)
        steps: list[tuple[Any, ...]] = []
        with numpy_randomness(np.random.RandomState(seed)):
            obs, info = env.reset(seed=seed)
            p_stack, level = rng.uniform(*stacking), rng.uniform(0, NOISE)
            oracle, over = oracles[info["privileged/target_task"]], False
            oracle.reset(obs, info)
            while not over:
                if random_share and rng.random() < random_share:
                    action = rng.uniform(-1, 1, 5)
                else:
                    action = np.asarray(oracle.select_action(obs, info))
                    action = action + noisy * level * NOISE_SHAPE * rng.standard_normal(5)
                action = action.clip(-1, 1)
                after, _, terminated, truncated, info = env.step(action)
                over = bool(terminated or truncated)
                if oracle.done:
                    told = env.unwrapped.set_new_target(p_stack=p_stack)
                    oracle = oracles[told[1]["privileged/target_task"]]
                    oracle.reset(*told)
                steps.append((obs, action, over, info))
                obs = after
        episode = _arrays(steps)
        return episode if words[0] != "scene" or _cube_is_in_sight(episode["qpos"]) else None

    return play


def _cube_is_in_sight(qpos: Array) -> bool:
    """Whether the cube of a scene stays on the table or in its drawer, as OGBench demands."""
    y, z = qpos[:, 15], qpos[:, 16]
    outside = (y >= 0.29) | ((y <= -0.3) & ((z < 0.06) | (z > 0.08)))
    return not outside.any()


def _arrays(steps: list[tuple[Any, ...]]) -> Episode:
    """Join the steps of an episode: observation, action, whether it ends, information."""
    names = ("observations", "actions", "terminals")
    columns = {name: [step[k] for step in steps] for k, name in enumerate(names)}
    for name in ("qpos", "qvel", "button_states"):
        if f"prev_{name}" in steps[0][3]:
            columns[name] = [step[3][f"prev_{name}"] for step in steps]
    return {name: np.array(column, TYPES[name]) for name, column in columns.items()}


def maze_episodes(env: Any, behavior: str) -> Play:
    """Return the function that plays episodes of a point mass, which heads for goals.

    Args:
        env: Environment.
        behavior: ``navigate``: a new goal wherever one is reached; or ``stitch``: a goal
            :data:`NEAR_CELLS` cells away, where it stays.
    """
    plain = env.unwrapped
    walls = np.asarray(plain.maze_map)
    free = [(int(i), int(j)) for i, j in np.argwhere(walls == 0)]
    corners = [cell for cell in free if not _is_hallway(walls, *cell)]

    def pick(cells: list[tuple[int, int]], rng: np.random.Generator) -> tuple[int, int]:
        return cells[int(rng.integers(len(cells)))]

    def play(seed: int) -> Episode:
        rng = np.random.default_rng(seed)
        steps: list[tuple[Any, ...]] = []
        start = pick(free, rng)
        near = _cells_at(plain, start, free) or [start]
        goal = pick(near if behavior == "stitch" else corners, rng)
        with numpy_randomness(np.random.RandomState(seed)):
            where = {"task_info": {"init_ij": start, "goal_ij": goal}}
            obs, _ = env.reset(seed=seed, options=where)
            over = False
            while not over:
                place = plain.get_xy()
                toward = plain.get_oracle_subgoal(place, plain.cur_goal_xy)[0] - place
                action = toward / (np.linalg.norm(toward) + 1e-6)
                action = (action + rng.normal(0, MAZE_NOISE, 2)).clip(-1, 1)
                after, _, terminated, truncated, info = env.step(action)
                over = bool(terminated or truncated)
                if info["success"] and behavior == "navigate":
                    goal_xy = plain.add_noise(plain.ij_to_xy(pick(corners, rng)))
                    plain.set_goal(goal_xy=goal_xy)
                steps.append((obs, action, over, info))
                obs = after
        return _arrays(steps)

    return play


def _is_hallway(walls: Array, i: int, j: int) -> bool:
    """Whether a free cell lies between two walls, with free cells before and behind it."""
    across, along = [walls[i - 1, j], walls[i + 1, j]], [walls[i, j - 1], walls[i, j + 1]]
    return sorted((across, along)) == [[0, 0], [1, 1]]


def _cells_at(
    env: Any, start: tuple[int, int], free: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Free cells whose shortest path from ``start`` has :data:`NEAR_CELLS` steps."""
    place = env.ij_to_xy(start)
    distance = env.get_oracle_subgoal(place, place)[1]
    return [cell for cell in free if distance[cell] == NEAR_CELLS]
