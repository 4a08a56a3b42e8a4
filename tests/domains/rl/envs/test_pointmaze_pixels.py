"""Images of PointMaze show where the ball is and was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneleap.domains.rl.envs.mazes import MAZES
from oneleap.domains.rl.envs.pointmaze_pixels import FRAME_GAP, SIZE, PointMazePixels, render_images


@settings(deadline=None, max_examples=25)
@given(dx=st.floats(-0.3, 0.3), dy=st.floats(-0.3, 0.3), maze=st.sampled_from([*MAZES]))
def test_the_ball_can_be_found_in_the_picture(dx: float, dy: float, maze: str) -> None:
    layout = MAZES[maze]
    now = layout.centers[:3] + np.array([dx, dy])
    picture = render_images(layout, now, layout.centers[:3])
    rows, columns = len(layout.cells), len(layout.cells[0])
    metres = max(rows, columns) / SIZE
    place = (np.arange(SIZE) + 0.5) * metres
    for k in range(3):
        for channel, expected in ((1, now[k]), (2, layout.centers[k])):
            weight = picture[k, :, :, channel].astype(float)
            x = (weight.sum(0) @ place) / weight.sum() - columns / 2
            y = rows / 2 - (weight.sum(1) @ place) / weight.sum()
            np.testing.assert_allclose((x, y), expected, atol=0.25 * metres)
    middle = layout.goal
    column, row = int((middle[0] + columns / 2) / metres), int((rows / 2 - middle[1]) / metres)
    assert picture[0, row, column, 0] == 255
    assert picture[0, 0, 0, 0] == 100  # the wall around


def test_the_environment_shows_where_the_ball_is_and_was() -> None:
    env = PointMazePixels("umaze", horizon=20)
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    where = [env.inner._state[0, :2].copy()]
    for _ in range(8):
        obs, reward, _, _, info = env.step(np.ones(2, np.float32))
        where.append(env.inner._state[0, :2].copy())
    expected = render_images(env.inner.layout, where[-1][None], where[-1 - FRAME_GAP][None])
    np.testing.assert_array_equal(obs, expected.ravel())
    assert reward == pytest.approx(float(env.inner.layout.reward(where[-1][None], True)[0]))
    assert "success" in info
    env.render_mode = "rgb_array"
    assert env.render().shape == (8 * SIZE, 8 * SIZE, 3)
