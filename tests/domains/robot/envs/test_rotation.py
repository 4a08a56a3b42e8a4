import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from oneleap.domains.robot.envs import rotation as r

VECTORS = arrays(np.float64, (4, 3), elements=st.floats(-1.8, 1.8))


def test_a_quarter_turn_about_z() -> None:
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    rotation = Rotation.from_quat(np.array([0, 0, 1, 1]) * 2.0)  # (x, y, z, w), as in robosuite
    np.testing.assert_allclose(rotation.as_matrix(), turn, atol=1e-15)
    np.testing.assert_allclose(r.matrix_to_rotvec(turn), [0, 0, np.pi / 2], atol=1e-15)
    np.testing.assert_array_equal(r.matrix_to_6d(turn), [0, -1, 0, 1, 0, 0])
    assert r.yaw_of(rotation) == pytest.approx(np.pi / 2)


@given(VECTORS)
def test_matrices_and_vectors_are_inverse(v: np.ndarray) -> None:
    matrix = Rotation.from_rotvec(v).as_matrix()
    np.testing.assert_allclose(
        matrix @ np.swapaxes(matrix, 1, 2), np.eye(3) + 0 * matrix, atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(matrix), 1.0)
    np.testing.assert_allclose(r.matrix_to_rotvec(matrix), v, atol=1e-7)  # |v| is below pi


@given(VECTORS, st.floats(0.1, 5.0), st.floats(-2.0, 2.0))
def test_six_numbers_need_not_be_orthonormal(v: np.ndarray, scale: float, skew: float) -> None:
    matrix = Rotation.from_rotvec(v).as_matrix()
    np.testing.assert_allclose(r.matrix_from_6d(r.matrix_to_6d(matrix)), matrix, atol=1e-12)
    first, second = matrix[:, 0], matrix[:, 1]
    rough = np.concatenate([scale * first, scale * second + skew * first], axis=1)
    np.testing.assert_allclose(r.matrix_from_6d(rough), matrix, atol=1e-9)


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_turns_are_converted(axis: np.ndarray) -> None:
    matrix = Rotation.from_rotvec(np.pi * axis).as_matrix()
    np.testing.assert_allclose(np.abs(r.matrix_to_rotvec(matrix)), np.pi * axis, atol=1e-7)


def test_actions_that_are_not_finite_stay_so() -> None:
    """The environment reports them, with a hint at the cause."""
    assert np.isnan(r.pose_from_network(np.full(10, np.nan))).all()


@given(VECTORS)
def test_poses_in_the_networks_form_are_inverted(v: np.ndarray) -> None:
    g = np.random.default_rng(0)
    action = np.concatenate([g.normal(size=(4, 3)), v, g.normal(size=(4, 1))], axis=1)
    network = r.pose_to_network(action)
    assert network.shape == (4, 10)
    np.testing.assert_array_equal(network[:, 9], action[:, 6])
    np.testing.assert_allclose(r.pose_from_network(network), action, atol=1e-7)


def test_leading_axes_are_kept() -> None:
    chunks = np.random.default_rng(0).normal(size=(2, 3, 10))
    poses = r.pose_from_network(chunks)
    assert poses.shape == (2, 3, 7)
    np.testing.assert_allclose(poses[1, 2], r.pose_from_network(chunks[1, 2]), atol=1e-12)


def test_angles_wrap() -> None:
    assert r.wrap_angle(3 * np.pi / 2) == pytest.approx(-np.pi / 2)
    assert r.wrap_angle(0.7 * np.pi, np.pi) == pytest.approx(-0.3 * np.pi)
