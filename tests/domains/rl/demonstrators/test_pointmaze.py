"""Recording of PointMaze data: the same data from the same seed, split into episodes."""

from itertools import pairwise

import numpy as np
import pytest
from support.tiny_rl_env import recorded

from oneleap.domains.rl.demonstrators import pointmaze as recording
from oneleap.domains.rl.demonstrators.pointmaze import (
    measure_references,
    simulate_positions,
    split_episodes,
)
from oneleap.domains.rl.envs.mazes import MAZES
from oneleap.domains.rl.envs.pointmaze import Physics


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(recording, "MIN_BALL_STEPS", 500)


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
    """Two successive actions differ almost only in their noise, if neither is clipped."""
    out = recorded(10_000)
    assert np.abs(out.act).max() == 1
    free = (np.abs(out.act) < 0.99).all(2)
    both = free[:, 1:] & free[:, :-1]
    assert 0.35 < np.diff(out.act, axis=1)[both].std() / np.sqrt(2) < 0.55


def test_balls_rest_in_corners_only_if_they_are_perturbed():
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
    pieces = list(split_episodes("umaze", out))
    assert sum(len(piece.rewards) for piece in pieces) == 1001


def test_episodes_are_the_recording_cut_by_truncation():
    out = recorded()
    pieces = list(split_episodes("umaze", out))
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
