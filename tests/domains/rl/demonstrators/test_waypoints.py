"""The waypoint controller reaches every goal; perturbations take their share of the time."""

import numpy as np
import pytest

from oneleap.domains.rl.demonstrators.waypoints import (
    PERTURBATION_STEPS,
    Perturbations,
    WaypointController,
)
from oneleap.domains.rl.envs.mazes import MAZES
from oneleap.domains.rl.envs.pointmaze import Physics


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


@pytest.mark.parametrize("share", [0.1, 0.25, 0.7])
def test_perturbations_take_their_share_of_the_time_each_with_one_force(share):
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
