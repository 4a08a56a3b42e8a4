"""Rotations as matrices, quaternions, rotation vectors and six numbers; numpy, batched in front."""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

Array = NDArray[np.float64]


def from_quaternion(q: Float[Array, "*b 4"]) -> Float[Array, "*b 3 3"]:
    """Matrices of unit quaternions ``(x, y, z, w)``, robosuite's order."""
    x, y, z, w = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def to_quaternion(matrix: Float[Array, "*b 3 3"]) -> Float[Array, "*b 4"]:
    """Unit quaternions ``(x, y, z, w)``, ``w >= 0``: the largest of the four is solved for first.

    The outer product of a quaternion with itself is linear in the matrix; its row of greatest
    norm is a multiple of the quaternion (Shepperd 1978).
    """
    m = matrix
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    turned = np.swapaxes(m, -1, -2)
    plus, minus = m + turned, m - turned
    xy, xz, yz = plus[..., 0, 1], plus[..., 0, 2], plus[..., 1, 2]
    xw, yw, zw = minus[..., 2, 1], minus[..., 0, 2], minus[..., 1, 0]
    outer = np.stack(
        [
            np.stack([1 + xx - yy - zz, xy, xz, xw], -1),
            np.stack([xy, 1 - xx + yy - zz, yz, yw], -1),
            np.stack([xz, yz, 1 - xx - yy + zz, zw], -1),
            np.stack([xw, yw, zw, 1 + xx + yy + zz], -1),
        ],
        -2,
    )
    best = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    q = np.take_along_axis(outer, best[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., 3:] < 0, -q, q)


def from_rotvec(v: Float[Array, "*b 3"]) -> Float[Array, "*b 3 3"]:
    """Matrices of rotation vectors, radians about an axis."""
    angle = np.linalg.norm(v, axis=-1, keepdims=True)
    share = 0.5 * np.sinc(angle / (2 * np.pi))  # sin(angle / 2) / angle, 1/2 at 0
    return from_quaternion(np.concatenate([share * v, np.cos(angle / 2)], -1))


def to_rotvec(matrix: Float[Array, "*b 3 3"]) -> Float[Array, "*b 3"]:
    """Rotation vectors, of at most half a turn."""
    q = to_quaternion(matrix)
    sine = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., 3:])
    scale = np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)
    vector: Array = q[..., :3] * scale
    return vector


def to_six(matrix: Float[Array, "*b 3 3"]) -> Float[Array, "*b 6"]:
    """The first two rows: continuous in the rotation, as no three or four numbers are.

    Zhou et al. 2019 (arXiv 1812.07035); rows rather than columns, as Diffusion Policy has them.
    """
    return matrix[..., :2, :].reshape(*matrix.shape[:-2], 6)


def from_six(six: Float[Array, "*b 6"]) -> Float[Array, "*b 3 3"]:
    """The rotation nearest in the sense of Gram and Schmidt."""
    a, b = six[..., :3], six[..., 3:]
    x = a / np.linalg.norm(a, axis=-1, keepdims=True)
    b = b - (x * b).sum(-1, keepdims=True) * x
    y = b / np.linalg.norm(b, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], -2)


def about_z(angle: float) -> Float[Array, "3 3"]:
    """A turn about the vertical, radians."""
    return from_rotvec(np.array([0.0, 0.0, angle]))


def heading(matrix: Float[Array, "3 3"]) -> float:
    """Direction of the first axis, seen from above, radians."""
    return float(np.arctan2(matrix[1, 0], matrix[0, 0]))


def wrapped(angle: float, period: float = 2 * np.pi) -> float:
    """The equivalent angle that is nearest to 0."""
    return float((angle + period / 2) % period - period / 2)


def pose_to_network(action: Float[Array, "*b 7"]) -> Float[Array, "*b 10"]:
    """Position, rotation vector, gripper as position, six numbers, gripper."""
    six = to_six(from_rotvec(action[..., 3:6]))
    return np.concatenate([action[..., :3], six, action[..., 6:]], -1)


def pose_from_network(action: Float[Array, "*b 10"]) -> Float[Array, "*b 7"]:
    """Inverse of :func:`pose_to_network`."""
    rotation = to_rotvec(from_six(action[..., 3:9]))
    return np.concatenate([action[..., :3], rotation, action[..., 9:]], -1)
