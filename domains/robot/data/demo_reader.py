"""Reads one demonstration of a file, and checks it."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError, suggest
from oneleap.core.reading.arrays import check_hdf5, hdf5_member
from oneleap.domains.robot.data.robomimic_write import ABSOLUTE_ACTIONS
from oneleap.domains.robot.envs.control import POSE_DIM, is_absolute
from oneleap.domains.robot.envs.rotation import pose_to_network

N = TypeVar("N", bound=np.generic)


class ActionForm(NamedTuple):
    """Where the actions of a file are, and what they are.

    Attributes:
        key: Name of the data set.
        absolute: Whether they are poses.
    """

    key: str
    absolute: bool


def action_form(
    group: Any, args: Mapping[str, Any] | None, key: str | None, absolute: bool | None
) -> ActionForm:
    """Choose the actions to read, and say what they are.

    Without settings, the file decides: its ``actions``, which are poses if ``env_args`` have a
    controller that takes poses. ``actions_abs`` are always poses. They are read if poses are asked
    for and ``actions`` are offsets, or if there are no ``actions``.

    Args:
        group: HDF5 group of a demonstration.
        args: ``env_args`` of the file; ``None`` if there are none.
        key: Name of the data set that the user chose.
        absolute: What the user says the actions are.
    """
    poses = args is not None and is_absolute(args)
    if key is None:
        wanted = (absolute and not poses) or "actions" not in group
        key = ABSOLUTE_ACTIONS if wanted and ABSOLUTE_ACTIONS in group else "actions"
    if absolute is None:
        absolute = poses or key == ABSOLUTE_ACTIONS
    return ActionForm(key, absolute)


class DemoReader(NamedTuple):
    """Reads and checks one demonstration.

    Attributes:
        where: File and name of the demonstration, for messages.
        group: HDF5 group of the demonstration.
        sizes: Shape of one row by key, as in the first demonstration; filled on first use.
    """

    where: str
    group: Any
    sizes: dict[str, tuple[int, ...]]

    def actions(self, form: ActionForm) -> NDArray[np.float32]:
        """Read actions in the network's form, (n, a)."""
        found = self.raw_actions(form.key)
        if not form.absolute:
            return found
        if found.shape[1] % POSE_DIM:
            raise InputError(
                f"{self.where}: {form.key} has {found.shape[1]} columns, not the "
                f"{POSE_DIM} of a pose for each arm (position, rotation vector, gripper): set "
                "--data.absolute false, or name other actions with --data.action_key"
            )
        return pose_to_network(found.astype(np.float64)).astype(np.float32)

    def raw_actions(self, key: str) -> NDArray[np.float32]:
        """Read actions as they are stored, (n, a)."""
        array = self._array(self.group, key)
        if array.dtype.kind in "biu":
            raise InputError(
                f"{self.where}: {key} holds {array.dtype}: robot policies have no discrete "
                "actions; store numbers that are continuous as floats"
            )
        found = self._numbers(key, array)
        stated = self.group.attrs.get("num_samples")
        if stated is not None and int(np.asarray(stated).item()) != len(found):
            raise InputError(f"{self.where}: num_samples is {stated}, {key} has {len(found)} rows")
        return found

    def low_dim(self, key: str, length: int) -> NDArray[np.float32]:
        """Read a low-dimensional observation of ``length`` steps, (n, o)."""
        return self._same_length(key, self._numbers(key, self._observation(key)), length)

    def images(self, key: str, length: int) -> NDArray[np.uint8]:
        """Read images of ``length`` steps, (n, h, w, 3)."""
        array = self._observation(key)
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3:
            raise InputError(
                f"{self.where}: obs/{key} is {array.dtype} {array.shape}, not images (expected "
                "uint8, steps x height x width x 3)"
            )
        return self._same_length(key, self._same_size(key, array), length)

    def check_cameras(self, cameras: tuple[str, ...]) -> None:
        """Check that all cameras have images of one size, once they were read.

        Raises:
            InputError: Two cameras differ.
        """
        sizes = {key: self.sizes[key][:2] for key in cameras}
        for key, size in sizes.items():
            first = sizes[cameras[0]]
            if size != first:
                raise InputError(
                    f"{self.where}: obs/{cameras[0]} is {first[0]} x {first[1]} pixels, obs/{key} "
                    f"{size[0]} x {size[1]}: store images of one size, or choose one camera: "
                    f"--data.cameras '[{cameras[0]}]'"
                )

    def _observation(self, key: str) -> NDArray[Any]:
        if "obs" not in self.group:
            raise InputError(
                f"{self.where}: no observations: make them from the states with robomimic's "
                "dataset_states_to_obs.py"
            )
        return self._array(self.group["obs"], key, "obs/")

    def _array(self, group: Any, key: str, prefix: str = "") -> NDArray[Any]:
        if key not in group:
            hint = suggest(key, group) or f" (it has {', '.join(group)})"
            raise InputError(f"{self.where}: no {prefix}{key}{hint}")
        where = f"{self.where}: {prefix}{key}"
        node = hdf5_member(group, key, self.where)
        check_hdf5(node, where)
        try:
            array: NDArray[Any] = np.asarray(node[()])
        except OSError as error:
            raise InputError(f"{where} is damaged ({error})") from None
        return array

    def _numbers(self, key: str, array: NDArray[Any]) -> NDArray[np.float32]:
        """Convert to float32 rows and check that they are finite."""
        if array.dtype.kind not in "biuf":
            raise InputError(f"{self.where}: {key} holds {array.dtype}, not numbers")
        rows = array.reshape(len(array), -1) if array.ndim != 2 else array
        with np.errstate(over="ignore"):
            found = rows.astype(np.float32)
        bad = np.argwhere(~np.isfinite(found))
        if len(bad):
            row, column = (int(i) for i in bad[0])
            raise InputError(
                f"{self.where}: {key} is {found[row, column]} in row {row}, column {column}"
            )
        return self._same_size(key, found)

    def _same_size(self, key: str, array: NDArray[N]) -> NDArray[N]:
        """Check that rows have the shape they have in the first demonstration."""
        expected = self.sizes.setdefault(key, array.shape[1:])
        if array.shape[1:] != expected:
            raise InputError(
                f"{self.where}: {key} has rows of shape {array.shape[1:]}, earlier demonstrations "
                f"have {expected}"
            )
        return array

    def _same_length(self, key: str, array: NDArray[N], length: int) -> NDArray[N]:
        """Check that there is one row for each action."""
        if len(array) != length:
            raise InputError(
                f"{self.where}: obs/{key} has {len(array)} rows, actions has {length} (expected "
                "as many)"
            )
        return array
