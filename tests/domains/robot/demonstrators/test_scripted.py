import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from oneleap.domains.robot.demonstrators.mistakes import (
    EMPTY_GRIP,
    MISTAKES,
    drop_object,
    grasp_badly,
    lower_beside_peg,
    sample_mistake,
)
from oneleap.domains.robot.demonstrators.phases import CLOSED, OPEN, Demonstrator, Phase, hold
from oneleap.domains.robot.demonstrators.scripted import (
    GOALS,
    HANDLE,
    HANDLE_REACH,
    N_APPROACH,
    N_GRASP,
    PLANS,
    TURNING_POINT,
)
from oneleap.domains.robot.envs.robosuite import Observation
from oneleap.domains.robot.envs.rotation import wrap_angle

DOWN = np.array([1.0, 0.0, 0.0, 0.0])
"""Gripper that points down at yaw 0: half a turn about x, as (x, y, z, w)."""
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])


def phases(task: str, obs: Observation) -> list[Phase]:
    return PLANS[task](obs, np.random.default_rng(0))


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


def test_the_gripper_descends_only_above_the_can() -> None:
    """The can's top is 0.07 above its center: fingers beside it must stay above that."""
    down = phases("PickPlaceCan", seen((0.0, 0.0, 1.0)))[2]
    for aside, height in ((0.0, 0.01), (0.007, 0.01), (0.02, 0.09), (0.1, 0.09)):
        target = down.target(seen((0.2 + aside, -0.3, 0.9)), np.zeros(3))
        np.testing.assert_allclose(target, [0.2, -0.3, 0.86 + height], atol=1e-9)
    low = down.target(seen((0.21, -0.3, 0.9)), np.zeros(3))[2] - 0.86
    assert 0.01 < low < 0.09


@pytest.mark.parametrize("along", [-1.4, -0.3, 0.5, 1.5])
def test_a_can_on_its_side_is_grasped_across_its_length(along: float) -> None:
    """The fingers move at a right angle to the gripper's yaw."""
    on_its_side = Rotation.from_euler("y", np.pi / 2)  # the can's axis is x
    lying = seen((0.0, 0.0, 1.0)) | {
        "Can_quat": (Rotation.from_euler("z", along) * on_its_side).as_quat()
    }
    yaws = [PLANS["PickPlaceCan"](lying, np.random.default_rng(k))[2].yaw for k in range(20)]
    assert max(abs(wrap_angle(yaw - along, np.pi)) for yaw in yaws) <= 0.2
    assert all(-1.9 < yaw < 4.2 for yaw in yaws)


def test_the_nut_is_turned_on_the_way_only_if_necessary() -> None:
    turn = phases("NutAssemblySquare", seen((0.0, 0.0, 1.0)))[N_GRASP["NutAssemblySquare"]]
    for yaw in (turn.yaw + 1.0, turn.yaw - 0.5):
        np.testing.assert_allclose(turn.target(held(yaw), np.zeros(3)), TURNING_POINT)
    for yaw in (turn.yaw + 0.2, turn.yaw - 0.2):
        np.testing.assert_allclose(turn.target(held(yaw), np.zeros(3)), [0.1, 0.1, 1.0])


@pytest.mark.parametrize(("along", "there"), [(-0.03, 0.0), (0.005, 0.005), (0.05, HANDLE_REACH)])
def test_the_handle_may_be_grasped_beyond_its_center(along: float, there: float) -> None:
    """Not nearer to the nut, whose width keeps the fingers apart."""
    down = phases("NutAssemblySquare", seen((0.0, 0.0, 1.0)))[N_APPROACH]
    x, y, z = np.array([-0.1, 0.15, 0.83]) + HANDLE
    target = down.target(seen((x + along, y, z)), np.zeros(3))
    np.testing.assert_allclose(target[:2], [x + there, y], atol=1e-9)


@pytest.mark.parametrize(("nut", "hand"), [(0.2, 0.3), (0.2, 2.9), (-0.3, 0.0), (-0.3, 2.5)])
def test_the_handle_is_grasped_at_the_nearer_yaw(nut: float, hand: float) -> None:
    """The two yaws are half a turn apart: a policy that wavers between them fails."""
    obs = held(hand) | {"SquareNut_quat": Rotation.from_euler("z", nut).as_quat()}
    yaws = [PLANS["NutAssemblySquare"](obs, np.random.default_rng(k))[0].yaw for k in range(50)]
    ways = {0.2: (0.2, 0.2 + np.pi), -0.3: (-0.3, np.pi - 0.3)}[nut]
    near = min(ways, key=lambda yaw: abs(yaw - hand))
    assert sum(abs(yaw - near) < 1e-6 for yaw in yaws) >= 49


def test_at_equal_distance_both_yaws_occur() -> None:
    obs = held(0.2 + np.pi / 2) | {"SquareNut_quat": Rotation.from_euler("z", 0.2).as_quat()}
    yaws = [PLANS["NutAssemblySquare"](obs, np.random.default_rng(k))[0].yaw for k in range(100)]
    assert 25 < sum(yaw < 1.0 for yaw in yaws) < 75


def test_whole_turns_are_resolved_by_the_wrists_range() -> None:
    """A yaw of -3 is one of 3.28, from which 3 is near."""
    obs = seen((0.1, 0.1, 1.0), np.array([np.cos(-1.5), np.sin(-1.5), 0.0, 0.0]))
    phase = Phase(hold, 3.0, OPEN, 5)
    action = Demonstrator([phase], obs, np.random.default_rng(0)).act(obs)
    assert -1.0 < action[5] < 0.0


def held(yaw: float) -> Observation:
    """The gripper carrying an object, at a yaw about the vertical."""
    return seen((0.1, 0.1, 1.0), np.array([np.cos(yaw / 2), np.sin(yaw / 2), 0.0, 0.0]))


def test_the_gripper_holds_the_nut_behind_the_peg() -> None:
    assert GOALS["NutAssemblySquare"][0] < 0.2
    assert set(GOALS) == set(N_GRASP)


@pytest.mark.parametrize("task", MISTAKES)
def test_every_mistake_ends_and_has_a_recovery(task: str) -> None:
    obs = seen((0.0, 0.0, 1.0))
    for k in range(30):
        wrong, recovery = sample_mistake(task, obs, np.random.default_rng(k))
        assert sum(phase.max_steps for phase in wrong) < 500
        assert recovery(obs)[-1].gripper == PLANS[task](obs, np.random.default_rng(0))[-1].gripper


@pytest.mark.parametrize("task", N_GRASP)
def test_a_dropped_object_is_released_and_grasped_again(task: str) -> None:
    obs = seen((0.0, 0.0, 1.0))
    wrong, recovery = drop_object(task, obs, np.random.default_rng(0))
    grips = [phase.gripper for phase in wrong]
    assert grips.index(CLOSED) < len(grips) - 2
    assert grips[-2] == OPEN
    low = seen((0.1, 0.1, 0.84))
    rise, *rest = recovery(low)
    np.testing.assert_allclose(rise.target(low, np.zeros(3))[:2], [0.1, 0.1])
    assert rise.target(low, np.zeros(3))[2] > 0.9
    assert rise.gripper == OPEN
    assert len(rest) == len(PLANS[task](low, np.random.default_rng(0))) - 1


@pytest.mark.parametrize(("finger", "grip"), [(EMPTY_GRIP / 2, OPEN), (3 * EMPTY_GRIP, CLOSED)])
def test_a_gripper_that_holds_something_lifts_and_an_empty_one_opens(
    finger: float, grip: float
) -> None:
    obs = seen((0.0, 0.0, 1.0)) | {"robot0_gripper_qpos": np.array([finger, -finger])}
    risen = [grasp_badly("NutAssemblySquare", obs, np.random.default_rng(k)) for k in range(20)]
    first = {recovery(obs)[0].gripper for wrong, recovery in risen if len(wrong) == N_APPROACH + 4}
    assert first == {grip}


def test_a_nut_beside_the_peg_is_aligned_again() -> None:
    obs = seen((0.0, 0.0, 1.0))
    wrong, recovery = lower_beside_peg("NutAssemblySquare", obs, np.random.default_rng(0))
    again = recovery(obs)
    assert wrong[-1].target(obs, np.zeros(3))[2] < again[0].target(obs, np.zeros(3))[2]
    assert {phase.gripper for phase in (wrong[-1], again[0], again[1])} == {CLOSED}
