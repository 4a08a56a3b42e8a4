"""Rotations in the six-number form that networks predict, and angles about the vertical.

Quaternions and rotation vectors are converted by ``scipy.spatial.transform.Rotation``. It is
imported when it is first used: a policy of relative actions needs no scipy.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]


def matrix_to_6d(matrix: Float[Array, "*b 3 3"]) -> Float[Array, "*b 6"]:
    """Return the first two rows of rotation matrices.

    This form is continuous in the rotation; no form of three or four numbers is (Zhou et al. 2019,
    arXiv 1812.07035). Rows instead of columns follow Diffusion Policy.
    """
    return matrix[..., :2, :].reshape(*matrix.shape[:-2], 6)


def matrix_from_6d(six: Float[Array, "*b 6"]) -> Float[Array, "*b 3 3"]:
    """Make rotation matrices of any two rows by Gram-Schmidt orthogonalization."""
    a, b = six[..., :3], six[..., 3:]
    x = a / np.linalg.norm(a, axis=-1, keepdims=True)
    b = b - (x * b).sum(-1, keepdims=True) * x
    y = b / np.linalg.norm(b, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], -2)


def matrix_to_rotvec(matrix: Float[Array, "*b 3 3"]) -> Float[Array, "*b 3"]:
    """Convert rotation matrices to rotation vectors, radians about an axis, of norm at most pi.

    Matrices must be orthonormal; this is not checked. NaN gives NaN.
    """
    from scipy.spatial.transform import Rotation

    vector: Array = Rotation.from_matrix(matrix, assume_valid=True).as_rotvec()
    return vector


def pose_to_network(action: Float[Array, "*b a"]) -> Float[Array, "*b n"]:
    """Convert absolute actions from the environment's form to the network's.

    Args:
        action: Position in meters, rotation vector in radians, gripper; 7 numbers for each arm.

    Returns:
        Position in meters, six numbers of rotation, gripper; 10 numbers for each arm.
    """
    from scipy.spatial.transform import Rotation

    arms = action.reshape(*action.shape[:-1], -1, 7)
    six = matrix_to_6d(Rotation.from_rotvec(arms[..., 3:6].reshape(-1, 3)).as_matrix())
    parts = [arms[..., :3], six.reshape(*arms.shape[:-1], 6), arms[..., 6:]]
    found: Array = np.concatenate(parts, -1).reshape(*action.shape[:-1], -1)
    return found


def pose_from_network(action: Float[Array, "*b n"]) -> Float[Array, "*b a"]:
    """Inverse of :func:`pose_to_network`."""
    arms = action.reshape(*action.shape[:-1], -1, 10)
    matrix = matrix_from_6d(arms[..., 3:9]).reshape(-1, 3, 3)
    rotation = matrix_to_rotvec(matrix).reshape(*arms.shape[:-1], 3)
    parts = [arms[..., :3], rotation, arms[..., 9:]]
    found: Array = np.concatenate(parts, -1).reshape(*action.shape[:-1], -1)
    return found


def yaw_of(rotation: "Rotation") -> float:
    """Return the direction of the first axis of a rotated frame, seen from above, radians."""
    matrix = rotation.as_matrix()
    return float(np.arctan2(matrix[1, 0], matrix[0, 0]))


def wrap_angle(angle: float, period: float = 2 * np.pi) -> float:
    """Return the equivalent angle that is nearest to 0, radians."""
    return float((angle + period / 2) % period - period / 2)
