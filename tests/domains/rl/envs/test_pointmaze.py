"""PointMaze against gymnasium-robotics, and its own rules."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium_robotics.envs.maze.point_maze import PointMazeEnv

from oneleap.core.errors import InputError
from oneleap.domains.rl.envs.mazes import MAZES, REFERENCE_RETURNS, maze_named, pointmaze_task
from oneleap.domains.rl.envs.pointmaze import Physics, PointMaze
from oneleap.domains.rl.envs.registration import POINTMAZE


@pytest.mark.parametrize("name", MAZES)
def test_physics_are_those_of_gymnasium_robotics_walls_included(name):
    theirs = PointMazeEnv(MAZES[name].cells)
    state = theirs.reset(seed=0)[0]["observation"]
    ours, physics = state[None], Physics(name)
    pushes = np.random.default_rng(0).uniform(-1.3, 1.3, (12, 2)).repeat(20, axis=0)
    way = []
    for push in pushes:
        state = theirs.step(push)[0]["observation"]
        ours = physics.step(ours, push[None])
        way.append(np.abs(ours[0] - state).max())
    assert max(way) < 1e-6


def test_balls_in_one_batch_do_not_meet():
    physics, rng = Physics("medium"), np.random.default_rng(0)
    states = MAZES["medium"].starts(20, rng)
    states[7] = states[3]  # in the very same place
    actions = rng.uniform(-1, 1, (20, 2))
    together = physics.step(states, actions)
    alone = [Physics("medium").step(states[i : i + 1], actions[i : i + 1]) for i in range(20)]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_goals_are_the_cells_of_d4rl():
    """The rows of D4RL's maze strings that contain the goal, G."""
    rows = {"umaze": "#GOO#", "medium": "#OOO#OG#", "large": "#OO#OOO#OGO#"}
    for name, row in rows.items():
        i, j = MAZES[name].goal_cell
        assert row.index("G") == j
        assert [1 if c == "#" else 0 for c in row] == MAZES[name].cells[i]
    assert MAZES["umaze"].goal == (-1, 1)
    assert MAZES["medium"].goal == (2.5, -2.5)
    assert MAZES["large"].goal == (3.5, -3)


@pytest.mark.parametrize("name", MAZES)
def test_onward_follows_shortest_ways(name):
    maze = MAZES[name]
    near = (np.abs(maze.free_cells[:, None] - maze.free_cells[None]).sum(2) == 1).astype(np.int64)
    distance, reach = np.full(near.shape, -1), np.eye(len(near), dtype=np.int64)
    for steps in range(len(near)):  # by powers of the adjacency matrix
        distance[(reach > 0) & (distance < 0)] = steps
        reach = np.minimum(reach @ near, 1)
    cell = np.tile(np.arange(len(near))[:, None], len(near))
    for steps in range(distance.max() + 1):
        goal = np.arange(len(near))[None]
        np.testing.assert_array_equal(cell == goal, distance <= steps)
        next_cell = maze.next_cell[cell, goal]
        assert (near[cell, next_cell] | (cell == goal)).all()
        cell = next_cell


def test_cells_are_reported_by_position():
    maze, rng = MAZES["large"], np.random.default_rng(0)
    around = maze.centers + rng.uniform(-0.49, 0.49, maze.centers.shape)
    np.testing.assert_array_equal(maze.cell_of(around), np.arange(len(maze.free_cells)))
    starts = maze.starts(2000, rng)
    assert set(maze.cell_of(starts[:, :2])) == set(range(len(maze.free_cells)))
    assert np.abs(starts[:, :2] - maze.centers[maze.cell_of(starts[:, :2])]).max() <= 0.1


def test_the_environment_keeps_gymnasiums_rules():
    env = gymnasium.make(POINTMAZE, maze="umaze")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*(infinity|too low|too high)")  # no bounds: true
        check_env(env.unwrapped, skip_render_check=True)


def test_arriving_ends_nothing_and_the_goal_stays():
    env = PointMaze("umaze", dense=False)
    env.reset(seed=0)
    env._state = np.array([[*MAZES["umaze"].goal, 0, 0]])
    for k in range(300):
        obs, reward, terminated, truncated, info = env.step(np.zeros(2, np.float32))
        assert reward == 1
        assert info["success"]
        assert not terminated
        assert truncated == (k == 299)
    np.testing.assert_allclose(obs[:2], MAZES["umaze"].goal, atol=1e-6)


@pytest.mark.parametrize("dense", [True, False])
def test_rewards_are_of_the_position_after_the_step(dense):
    env = PointMaze("medium", dense=dense)
    env.reset(seed=3)
    obs, reward, *_ = env.step(np.ones(2, np.float32))
    distance = np.linalg.norm(obs[:2] - np.array([2.5, -2.5]))
    assert reward == pytest.approx(np.exp(-distance) if dense else float(distance <= 0.45))


def test_episodes_follow_from_their_seed():
    env = gymnasium.make(POINTMAZE, maze="umaze", horizon=5)
    ways = []
    for seed in (5, 5, 6):
        first = env.reset(seed=seed)[0]
        ways.append([first] + [env.step(np.ones(2, np.float32))[0] for _ in range(5)])
    np.testing.assert_array_equal(ways[0], ways[1])
    assert not np.array_equal(ways[0][0], ways[2][0])


def test_tasks_carry_the_references_of_their_reward():
    for name in MAZES:
        for dense, kind in ((True, "dense"), (False, "sparse")):
            task = pointmaze_task(name, dense, REFERENCE_RETURNS[name])
            assert task.ref_min == REFERENCE_RETURNS[name][f"{kind}_random"]
            assert task.ref_max == REFERENCE_RETURNS[name][f"{kind}_controller"]
            env = task.make().unwrapped
            assert (env.maze, env.dense, env.horizon) == (name, dense, MAZES[name].horizon)


def test_an_unknown_maze_is_reported():
    with pytest.raises(InputError, match="choose one of umaze, medium, large"):
        maze_named("huge")
