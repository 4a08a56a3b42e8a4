import numpy as np

from oneleap.domains.robot.demonstrator import GOALS, GRASPED, TASKS, TURNING, Phase
from oneleap.domains.robot.env import Observation

DOWN = np.array([1.0, 0.0, 0.0, 0.0])
"""Gripper pointing down, unturned: half a turn about x, as (x, y, z, w)."""
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])


def phases(task: str, obs: Observation) -> list[Phase]:
    return TASKS[task](obs, np.random.default_rng(0))


def seen(hand: tuple[float, float, float], quat: np.ndarray = DOWN) -> Observation:
    return {
        "robot0_eef_pos": np.array(hand),
        "robot0_eef_quat": quat,
        "Can_pos": np.array([0.2, -0.3, 0.86]),
        "SquareNut_pos": np.array([-0.1, 0.15, 0.83]),
        "SquareNut_quat": UPRIGHT,
    }


def test_the_hand_comes_down_on_the_can_only_in_line_with_it() -> None:
    """Its top is 0.07 above its middle: fingers aside must stay above that."""
    down = phases("PickPlaceCan", seen((0.0, 0.0, 1.0)))[2]
    for aside, height in ((0.0, 0.01), (0.007, 0.01), (0.02, 0.09), (0.1, 0.09)):
        target = down.target(seen((0.2 + aside, -0.3, 0.9)), np.zeros(3))
        np.testing.assert_allclose(target, [0.2, -0.3, 0.86 + height], atol=1e-9)
    low = down.target(seen((0.21, -0.3, 0.9)), np.zeros(3))[2] - 0.86
    assert 0.01 < low < 0.09


def test_the_nut_is_turned_half_way_and_only_if_it_must_be() -> None:
    turn = phases("NutAssemblySquare", seen((0.0, 0.0, 1.0)))[GRASPED["NutAssemblySquare"]]
    for yaw in (turn.yaw + 1.0, turn.yaw - 0.5):
        np.testing.assert_allclose(turn.target(held(yaw), np.zeros(3)), TURNING)
    for yaw in (turn.yaw + 0.2, turn.yaw - 0.2):
        np.testing.assert_allclose(turn.target(held(yaw), np.zeros(3)), [0.1, 0.1, 1.0])


def held(yaw: float) -> Observation:
    """The hand on its way, turned about the vertical."""
    return seen((0.1, 0.1, 1.0), np.array([np.cos(yaw / 2), np.sin(yaw / 2), 0.0, 0.0]))


def test_the_hand_holds_the_nut_behind_the_peg() -> None:
    assert GOALS["NutAssemblySquare"][0] < 0.2
    assert set(GOALS) == set(GRASPED)
