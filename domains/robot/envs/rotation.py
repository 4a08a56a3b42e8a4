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


def pose_to_network(action: Float[Array, "*b 7"]) -> Float[Array, "*b 10"]:
    """Convert absolute actions from the environment's form to the network's.

    Args:
        action: Position in meters, rotation vector in radians, gripper.

    Returns:
        Position in meters, six numbers of rotation, gripper.
    """
    from scipy.spatial.transform import Rotation

    six = matrix_to_6d(Rotation.from_rotvec(action[..., 3:6]).as_matrix())
    return np.concatenate([action[..., :3], six, action[..., 6:]], -1)


def pose_from_network(action: Float[Array, "*b 10"]) -> Float[Array, "*b 7"]:
    """Inverse of :func:`pose_to_network`."""
    rotation = matrix_to_rotvec(matrix_from_6d(action[..., 3:9]))
    return np.concatenate([action[..., :3], rotation, action[..., 9:]], -1)


def yaw_of(rotation: "Rotation") -> float:
    """Return the direction of the first axis of a rotated frame, seen from above, radians."""
    matrix = rotation.as_matrix()
    return float(np.arctan2(matrix[1, 0], matrix[0, 0]))


def wrap_angle(angle: float, period: float = 2 * np.pi) -> float:
    """Return the equivalent angle that is nearest to 0, radians."""
    return float((angle + period / 2) % period - period / 2)
