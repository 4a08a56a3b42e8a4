"""Collection: the same data from the same seed, whole or not at all."""

from itertools import pairwise
from pathlib import Path

import minari
import numpy as np
import pytest
from minari.dataset._storages.hdf5_storage import HDF5Storage
from rich.progress import Progress

from oneleap.core.errors import InputError
from oneleap.domains.rl.commands import collect_pointmaze as collect
from oneleap.domains.rl.commands.collect_pointmaze import (
    episodes,
    measure_references,
    record_trajectories,
    simulate_positions,
)
from oneleap.domains.rl.data import minari as minari_io
from oneleap.domains.rl.data.transitions import GoalDistanceReward
from oneleap.domains.rl.demonstrators.waypoints import (
    PERTURBATION_STEPS,
    Perturbations,
    WaypointController,
)
from oneleap.domains.rl.envs.pointmaze import MAZES, REFERENCE_RETURNS, Physics


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    monkeypatch.setattr(collect, "MIN_BALL_STEPS", 500)
    monkeypatch.setattr(collect, "measure_references", REFERENCE_RETURNS.__getitem__)
    return tmp_path


def recorded(steps=1000, seed=0, maze="umaze", perturbation=0.0):
    with Progress(disable=True) as progress:
        return record_trajectories(maze, steps, seed, perturbation, progress, progress.add_task(""))


@pytest.mark.parametrize("maze", MAZES)
def test_the_controller_reaches_every_goal(maze):
    layout, rng = MAZES[maze], np.random.default_rng(0)
    count = len(layout.free_cells)
    state, goal = layout.starts(count, rng), layout.centers[rng.permutation(count)]
    controller, physics = WaypointController(layout, state, goal, rng), Physics(maze)
    arrived = np.zeros(count, bool)
    for _ in range(layout.horizon):
        state = physics.step(state, controller.act(state))
        arrived |= controller.arrived(state)
    assert arrived.all()
    assert np.linalg.norm(state[:, :2] - goal, axis=1).max() < 0.1  # and stays


@pytest.mark.parametrize("perturbation", [0.0, 0.25])
def test_recording_is_one_way_without_jumps(perturbation):
    out = recorded(perturbation=perturbation)
    assert out.length.tolist() == [500, 500]
    before = out.obs[:, :-1].reshape(-1, 4).astype(np.float64)
    after = Physics("umaze").step(before, out.act.reshape(-1, 2)).reshape(2, 500, 4)
    error = np.abs(after - out.obs[:, 1:])
    assert np.median(error) < 1e-6
    assert error.max() < 0.01  # float32 at the very edge of a wall


@pytest.mark.parametrize("perturbation", [0.0, 0.25])
def test_goals_move_when_reached_to_anywhere_in_the_middle_of_a_cell(perturbation):
    out, layout = recorded(10_000, perturbation=perturbation), MAZES["umaze"]
    assert len(out.length) == 20
    for obs, goal, cut in zip(out.obs, out.goal, out.cut, strict=True):
        distance = np.linalg.norm(obs[1:, :2] - goal, axis=1)
        cuts = np.flatnonzero(cut)
        age = np.diff(np.concatenate([[-1], cuts]))
        assert ((distance[cuts] < 0.1) | (age == layout.horizon)).all()
        assert (distance[~cut] > 0.1 - 1e-6).all()
        moved = np.flatnonzero(np.abs(np.diff(goal, axis=0)).max(1) > 0)
        assert set(moved) == set(cuts[cuts < 499])
    assert out.cut.sum() > 50
    goals = out.goal.reshape(-1, 2).astype(float)
    cells = layout.cell_of(goals)
    assert len(np.unique(cells)) == len(layout.free_cells)
    beside = np.abs(goals - layout.centers[cells])
    assert 0.2 < beside.max() < 0.25 + 1e-6


def test_noise_has_the_standard_deviation_of_one_half():
    """Two steps in a row differ by little but the noise, where neither is clipped."""
    out = recorded(10_000)
    assert np.abs(out.act).max() == 1
    free = (np.abs(out.act) < 0.99).all(2)
    both = free[:, 1:] & free[:, :-1]
    assert 0.35 < np.diff(out.act, axis=1)[both].std() / np.sqrt(2) < 0.55


@pytest.mark.parametrize("share", [0.1, 0.25, 0.7])
def test_balls_stray_for_that_share_of_the_time_each_push_one_force(share):
    n, steps = 50, 4000
    perturbations, wish = Perturbations(n, share, np.random.default_rng(0)), np.full((n, 2), np.nan)
    forces, ends = map(
        np.array, zip(*(perturbations.push(wish) for _ in range(steps)), strict=True)
    )
    off_course = ~np.isnan(forces[:, :, 0])
    assert off_course.mean() == pytest.approx(share, rel=0.1)
    assert np.nanmax(np.abs(forces)) == 1
    assert not ends[~off_course].any()
    going_on = off_course[1:] & off_course[:-1] & ~ends[:-1]
    np.testing.assert_array_equal(forces[1:][going_on], forces[:-1][going_on])
    assert (off_course[1:] | ends[:-1] | ~off_course[:-1]).all()  # none breaks off before its end
    for ball in range(n):
        low, high = PERTURBATION_STEPS
        stops = np.flatnonzero(ends[:, ball])
        starts = np.flatnonzero(off_course[:, ball] & np.r_[True, (~off_course | ends)[:-1, ball]])
        lengths = stops - starts[: len(stops)] + 1
        assert low <= lengths.min()
        assert lengths.max() <= high


def test_without_strays_no_ball_rests_in_a_corner_with_them_some_do():
    for perturbation, expected in ((0.0, False), (0.25, True)):
        obs = recorded(40_000, perturbation=perturbation).obs.reshape(-1, 4).astype(float)
        beside = np.abs(obs[:, :2] - MAZES["umaze"].centers[MAZES["umaze"].cell_of(obs[:, :2])])
        resting = np.linalg.norm(obs[:, 2:], axis=1) < 0.1
        assert ((beside > 0.35).all(1) & resting).any() == expected


@pytest.mark.parametrize("perturbation", [0.0, 0.25])
def test_the_data_follow_from_the_seed(perturbation):
    first, again, other = (recorded(seed=seed, perturbation=perturbation) for seed in (0, 0, 1))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.obs, other.obs)


def test_any_number_of_steps_is_met_exactly():
    out = recorded(1001)
    assert out.length.tolist() == [501, 500]
    pieces = list(episodes("umaze", out))
    assert sum(len(piece.rewards) for piece in pieces) == 1001


def test_episodes_are_the_recording_cut_by_truncation():
    out = recorded()
    pieces = list(episodes("umaze", out))
    assert len(pieces) == out.cut[:, :-1].sum() + 2
    act = out.act.reshape(-1, 2)
    np.testing.assert_array_equal(np.concatenate([p.actions for p in pieces]), act)
    jumps = 0
    for before, after in pairwise(pieces):
        jumps += not np.array_equal(before.observations[-1], after.observations[0])
    assert jumps == 1  # from the first ball to the second
    for piece in pieces:
        assert piece.truncations.tolist() == [False] * (len(piece.actions) - 1) + [True]
        assert not piece.terminations.any()


def test_references_tell_random_actions_from_the_controller():
    positions = {
        controlled: simulate_positions("umaze", controlled, 20, 0) for controlled in (False, True)
    }
    assert positions[True].shape == (300, 20, 2)
    assert (MAZES["umaze"].reward(positions[True][-1], dense=False) == 1).all()
    found = measure_references("umaze", 20)
    for kind, dense in (("dense", True), ("sparse", False)):
        for who, controlled in (("random", False), ("controller", True)):
            way = positions[controlled]
            returns = sum(MAZES["umaze"].reward(step, dense) for step in way)
            assert found[f"{kind}_{who}"] == pytest.approx(returns.mean())
        assert found[f"{kind}_random"] < 0.5 * found[f"{kind}_controller"]


def test_the_command_writes_a_whole_minari_data_set(root, capsys):
    collect.pointmaze("umaze", 1000, seed=3)
    assert "next: oneleap fit --config rl/ofql_pointmaze-umaze\n" in capsys.readouterr().out
    assert list(minari.list_local_datasets()) == ["oneleap/pointmaze-umaze-v0"]
    loaded, expected = minari_io.read_minari("oneleap/pointmaze-umaze-v0"), recorded(1000, 3)
    np.testing.assert_array_equal(loaded.data.obs, expected.obs[:, :-1].reshape(-1, 4))
    np.testing.assert_array_equal(loaded.data.next_obs, expected.obs[:, 1:].reshape(-1, 4))
    reward = GoalDistanceReward(MAZES["umaze"].goal)(loaded.data)
    np.testing.assert_allclose(loaded.data.reward, reward, atol=1e-6)
    assert loaded.task.ref_min == REFERENCE_RETURNS["umaze"]["dense_random"]
    assert loaded.sparse_task.ref_max == REFERENCE_RETURNS["umaze"]["sparse_controller"]
    assert not loaded.moving_goal
    env = minari.load_dataset("oneleap/pointmaze-umaze-v0").recover_environment()
    assert env.unwrapped.maze == "umaze"


@pytest.mark.parametrize("maze", MAZES)
def test_balls_stray_by_default_in_the_larger_mazes(maze, root):
    collect.pointmaze(maze, 500)
    expected = recorded(500, maze=maze, perturbation=0.0 if maze == "umaze" else 0.25)
    loaded = minari_io.read_minari(f"oneleap/pointmaze-{maze}-v0")
    np.testing.assert_array_equal(loaded.data.act, expected.act[0])


def test_an_interrupted_collection_leaves_what_was_there(root, monkeypatch):
    collect.pointmaze("umaze", 100, out=root / "a")
    before = (root / "a/data/metadata.json").read_text()

    def interrupted(maze, recording):
        raise KeyboardInterrupt

    def broken(storage, pieces):
        next(iter(pieces))
        raise KeyboardInterrupt

    for owner, name, stop in (
        (collect, "episodes", interrupted),
        (minari_io.MinariStorage, "update_metadata", interrupted),
        (HDF5Storage, "update_episodes", broken),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, stop)
            for place in ("a", "b"):
                with pytest.raises(KeyboardInterrupt):
                    collect.pointmaze("umaze", 200, out=root / place, overwrite=True)
    assert [path.name for path in root.iterdir()] == ["a"]
    assert (root / "a/data/metadata.json").read_text() == before
    assert len(minari_io.read_minari(str(root / "a")).data) == 100


def test_a_folder_may_be_relative(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collect.pointmaze("umaze", 100, out=Path("some/where"))
    assert len(minari_io.read_minari("some/where").data) == 100


def test_a_data_set_is_replaced_only_if_asked(root, capsys):
    collect.pointmaze("umaze", 100, dataset_id="me/mine-v3")
    assert "--data.path me/mine-v3" in capsys.readouterr().out
    with pytest.raises(InputError, match="is there already: --overwrite true replaces it"):
        collect.pointmaze("umaze", 200, dataset_id="me/mine-v3")
    assert len(minari_io.read_minari("me/mine-v3").data) == 100
    collect.pointmaze("umaze", 200, dataset_id="me/mine-v3", overwrite=True)
    assert len(minari_io.read_minari("me/mine-v3").data) == 200
    names = sorted(path.name for path in (root / "me").iterdir())
    assert names == ["mine-v3", "namespace_metadata.json"]


def test_the_next_command_names_a_configuration_that_ships(root, monkeypatch, capsys):
    for known, expected in (
        (["rl/ofql_pointmaze-large"], "rl/ofql_pointmaze-large"),
        (
            [],
            "rl/ofql_pointmaze-umaze --data.path oneleap/pointmaze-large-v0 "
            "'--data.reward.goal=[3.5, -3.0]'",
        ),
    ):
        monkeypatch.setattr(collect, "shipped", lambda known=known: known)
        collect.pointmaze("large", 100, overwrite=True)
        assert f"next: oneleap fit --config {expected}\n" in capsys.readouterr().out


def test_wrong_settings_are_told():
    with pytest.raises(InputError, match="steps: 0 is not positive"):
        collect.pointmaze("umaze", 0)
    with pytest.raises(InputError, match=r"stray: 1\.0 is not a share"):
        collect.pointmaze("umaze", 10, perturbation=1.0)
    with pytest.raises(InputError, match="must be namespace/name-vNUMBER"):
        collect.pointmaze("umaze", 10, dataset_id="no version")
