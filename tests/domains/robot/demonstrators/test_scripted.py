import numpy as np
import pytest

from oneleap.domains.robot.demonstrators.mistakes import (
    EMPTY,
    MISTAKES,
    fumble,
    lose,
    perch,
    stumble,
)
from oneleap.domains.robot.demonstrators.scripted import (
    ABOVE,
    ALONG,
    CLOSED,
    GOALS,
    GRASPED,
    HANDLE,
    OPEN,
    TASKS,
    TURNING,
    Demonstrator,
    Phase,
)
from oneleap.domains.robot.envs.robosuite import Observation
from oneleap.domains.robot.envs.rotation import about_z, to_quaternion, wrapped

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
        "Can_quat": UPRIGHT,
        "robot0_gripper_qpos": np.array([0.04, -0.04]),
        "cube_pos": np.array([0.0, 0.1, 0.82]),
        "cube_quat": UPRIGHT,
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


@pytest.mark.parametrize("along", [-1.4, -0.3, 0.5, 1.5])
def test_a_can_that_lies_is_grasped_across_its_length(along: float) -> None:
    """The fingers move at a right angle to the hand's heading."""
    upright = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # the can's axis: x
    lying = seen((0.0, 0.0, 1.0)) | {"Can_quat": to_quaternion(about_z(along) @ upright)}
    yaws = [TASKS["PickPlaceCan"](lying, np.random.default_rng(k))[2].yaw for k in range(20)]
    assert max(abs(wrapped(yaw - along, np.pi)) for yaw in yaws) <= 0.2
    assert all(-1.9 < yaw < 4.2 for yaw in yaws)


def test_the_nut_is_turned_half_way_and_only_if_it_must_be() -> None:
    turn = phases("NutAssemblySquare", seen((0.0, 0.0, 1.0)))[GRASPED["NutAssemblySquare"]]
    for yaw in (turn.yaw + 1.0, turn.yaw - 0.5):
        np.testing.assert_allclose(turn.target(held(yaw), np.zeros(3)), TURNING)
    for yaw in (turn.yaw + 0.2, turn.yaw - 0.2):
        np.testing.assert_allclose(turn.target(held(yaw), np.zeros(3)), [0.1, 0.1, 1.0])


@pytest.mark.parametrize(("along", "there"), [(-0.03, 0.0), (0.005, 0.005), (0.05, ALONG)])
def test_the_handle_may_be_held_beyond_its_middle(along: float, there: float) -> None:
    """Not nearer the nut, whose width keeps the fingers apart."""
    down = phases("NutAssemblySquare", seen((0.0, 0.0, 1.0)))[ABOVE]
    x, y, z = np.array([-0.1, 0.15, 0.83]) + HANDLE
    target = down.target(seen((x + along, y, z)), np.zeros(3))
    np.testing.assert_allclose(target[:2], [x + there, y], atol=1e-9)


@pytest.mark.parametrize(("nut", "hand"), [(0.2, 0.3), (0.2, 2.9), (-0.3, 0.0), (-0.3, 2.5)])
def test_the_handle_is_held_the_way_round_that_is_nearer(nut: float, hand: float) -> None:
    """Half a turn lies between the two: a policy that wavers between them gets nowhere."""
    obs = held(hand) | {"SquareNut_quat": to_quaternion(about_z(nut))}
    yaws = [TASKS["NutAssemblySquare"](obs, np.random.default_rng(k))[0].yaw for k in range(50)]
    ways = {0.2: (0.2, 0.2 + np.pi), -0.3: (-0.3, np.pi - 0.3)}[nut]
    near = min(ways, key=lambda yaw: abs(yaw - hand))
    assert sum(abs(yaw - near) < 1e-6 for yaw in yaws) >= 49


def test_between_the_two_ways_either_is_taken() -> None:
    obs = held(0.2 + np.pi / 2) | {"SquareNut_quat": to_quaternion(about_z(0.2))}
    yaws = [TASKS["NutAssemblySquare"](obs, np.random.default_rng(k))[0].yaw for k in range(100)]
    assert 25 < sum(yaw < 1.0 for yaw in yaws) < 75


def test_the_wrist_is_where_it_can_be() -> None:
    """A heading of -3 is one of 3.28: from there the way to 3 is short."""
    obs = seen((0.1, 0.1, 1.0), np.array([np.cos(-1.5), np.sin(-1.5), 0.0, 0.0]))
    hold = Phase(lambda obs, start: start, 3.0, OPEN, 5)
    action = Demonstrator("PickPlaceCan", obs, np.random.default_rng(0), [hold]).act(obs)
    assert -1.0 < action[5] < 0.0


def held(yaw: float) -> Observation:
    """The hand on its way, turned about the vertical."""
    return seen((0.1, 0.1, 1.0), np.array([np.cos(yaw / 2), np.sin(yaw / 2), 0.0, 0.0]))


def test_the_hand_holds_the_nut_behind_the_peg() -> None:
    assert GOALS["NutAssemblySquare"][0] < 0.2
    assert set(GOALS) == set(GRASPED)


@pytest.mark.parametrize("task", MISTAKES)
def test_every_mistake_ends_and_is_made_good_from_where_it_led(task: str) -> None:
    obs = seen((0.0, 0.0, 1.0))
    for k in range(30):
        wrong, recovery = stumble(task, obs, np.random.default_rng(k))
        assert sum(phase.limit for phase in wrong) < 500
        assert recovery(obs)[-1].gripper == TASKS[task](obs, np.random.default_rng(0))[-1].gripper


@pytest.mark.parametrize("task", GRASPED)
def test_what_is_lost_is_let_go_of_and_fetched_again(task: str) -> None:
    obs = seen((0.0, 0.0, 1.0))
    wrong, recovery = lose(task, obs, np.random.default_rng(0))
    grips = [phase.gripper for phase in wrong]
    assert grips.index(CLOSED) < len(grips) - 2
    assert grips[-2] == OPEN
    low = seen((0.1, 0.1, 0.84))
    rise, *rest = recovery(low)
    np.testing.assert_allclose(rise.target(low, np.zeros(3))[:2], [0.1, 0.1])
    assert rise.target(low, np.zeros(3))[2] > 0.9
    assert rise.gripper == OPEN
    assert len(rest) == len(TASKS[task](low, np.random.default_rng(0))) - 1


@pytest.mark.parametrize(("finger", "grip"), [(EMPTY / 2, OPEN), (3 * EMPTY, CLOSED)])
def test_who_has_grasped_lifts_and_who_holds_nothing_opens(finger: float, grip: float) -> None:
    obs = seen((0.0, 0.0, 1.0)) | {"robot0_gripper_qpos": np.array([finger, -finger])}
    risen = [fumble("NutAssemblySquare", obs, np.random.default_rng(k)) for k in range(20)]
    first = {recovery(obs)[0].gripper for wrong, recovery in risen if len(wrong) == ABOVE + 4}
    assert first == {grip}


def test_a_nut_beside_the_peg_is_brought_in_line_again() -> None:
    obs = seen((0.0, 0.0, 1.0))
    wrong, recovery = perch("NutAssemblySquare", obs, np.random.default_rng(0))
    again = recovery(obs)
    assert wrong[-1].target(obs, np.zeros(3))[2] < again[0].target(obs, np.zeros(3))[2]
    assert {phase.gripper for phase in (wrong[-1], again[0], again[1])} == {CLOSED}
