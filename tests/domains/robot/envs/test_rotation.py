import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oneleap.domains.robot.envs import rotation as r

VECTORS = arrays(np.float64, (4, 3), elements=st.floats(-1.8, 1.8))


def test_a_quarter_turn_about_z() -> None:
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(r.about_z(np.pi / 2), turn, atol=1e-15)
    np.testing.assert_allclose(r.from_quaternion(np.array([0, 0, 1, 1]) * 2.0), turn, atol=1e-15)
    np.testing.assert_allclose(r.to_quaternion(turn), np.array([0, 0, 1, 1]) / 2**0.5, atol=1e-15)
    np.testing.assert_allclose(r.to_rotvec(turn), [0, 0, np.pi / 2], atol=1e-15)
    np.testing.assert_array_equal(r.to_six(turn), [0, -1, 0, 1, 0, 0])
    assert r.heading(turn) == pytest.approx(np.pi / 2)


@given(VECTORS)
def test_vectors_survive_matrices_and_are_rotations(v: np.ndarray) -> None:
    matrix = r.from_rotvec(v)
    np.testing.assert_allclose(
        matrix @ np.swapaxes(matrix, 1, 2), np.eye(3) + 0 * matrix, atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(matrix), 1.0)
    np.testing.assert_allclose(r.to_rotvec(matrix), v, atol=1e-7)  # |v| is below pi


@given(VECTORS, st.floats(0.1, 5.0), st.floats(-2.0, 2.0))
def test_six_numbers_need_not_be_orthonormal(v: np.ndarray, scale: float, skew: float) -> None:
    matrix = r.from_rotvec(v)
    np.testing.assert_allclose(r.from_six(r.to_six(matrix)), matrix, atol=1e-12)
    first, second = matrix[:, 0], matrix[:, 1]
    rough = np.concatenate([scale * first, scale * second + skew * first], axis=1)
    np.testing.assert_allclose(r.from_six(rough), matrix, atol=1e-9)


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_turns_have_no_hole(axis: np.ndarray) -> None:
    matrix = r.from_rotvec(np.pi * axis)
    np.testing.assert_allclose(np.abs(r.to_rotvec(matrix)), np.pi * axis, atol=1e-7)
    np.testing.assert_allclose(r.from_quaternion(r.to_quaternion(matrix)), matrix, atol=1e-12)


@given(VECTORS)
def test_poses_survive_the_networks_form(v: np.ndarray) -> None:
    g = np.random.default_rng(0)
    action = np.concatenate([g.normal(size=(4, 3)), v, g.normal(size=(4, 1))], axis=1)
    network = r.pose_to_network(action)
    assert network.shape == (4, 10)
    np.testing.assert_array_equal(network[:, 9], action[:, 6])
    np.testing.assert_allclose(r.pose_from_network(network), action, atol=1e-7)


def test_angles_wrap() -> None:
    assert r.wrapped(3 * np.pi / 2) == pytest.approx(-np.pi / 2)
    assert r.wrapped(0.7 * np.pi, np.pi) == pytest.approx(-0.3 * np.pi)
