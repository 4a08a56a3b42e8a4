"""Reads robomimic's HDF5 files, v0.1 to v1.5.

Each fault of a file is reported in one line that names the demonstration and the key.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.core.errors import InputError, suggest
from oneleap.domains.robot.data.chunks import Demos
from oneleap.domains.robot.data.frames import CompressedImages, compress_images
from oneleap.domains.robot.data.robomimic_write import ABSOLUTE_ACTIONS
from oneleap.domains.robot.envs.rotation import pose_to_network
from oneleap.domains.robot.envs.task import parse_env_args

N = TypeVar("N", bound=np.generic)


class ReadOptions(NamedTuple):
    """What to read from a file.

    Attributes:
        obs: Keys of low-dimensional observations.
        cameras: Keys of images.
        filter_key: Name of a selection of demonstrations; ``None`` reads all of them.
        max_demos: Number of demonstrations to read at most, from the first; ``None`` reads all.
        absolute: Whether to read absolute poses as actions.
    """

    obs: tuple[str, ...]
    cameras: tuple[str, ...] = ()
    filter_key: str | None = None
    max_demos: int | None = None
    absolute: bool = False


class LoadedDemos(NamedTuple):
    """Contents of a file.

    Attributes:
        demos: The demonstrations.
        obs_sizes: Size of each low-dimensional observation.
        env_args: Description of the environment, as stored.
    """

    demos: Demos
    obs_sizes: tuple[int, ...]
    env_args: str


@contextmanager
def open_file(path: str) -> Iterator[Any]:
    """Open an HDF5 file for reading.

    Raises:
        InputError: The file is missing, damaged, or not in robomimic's layout.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; make one with oneleap collect robosuite, or download "
            "robomimic's from huggingface.co, amandlek/robomimic"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: damaged, or not an HDF5 file ({error})") from None
    with file:
        try:
            yield file
        except InputError:
            raise
        except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise InputError(f"{path}: damaged, or not in robomimic's layout ({reason})") from error


def read_demos(path: str, options: ReadOptions) -> LoadedDemos:
    """Read demonstrations.

    Raises:
        InputError: A demonstration or key is missing, arrays differ in length or size, numbers
            are not finite, or ``env_args`` is unreadable. The message names the first fault.
    """
    with open_file(path) as file:
        if "data" not in file:
            raise InputError(f"{path}: no group 'data': is the file in robomimic's layout?")
        env_args = file["data"].attrs.get("env_args")
        parse_env_args(env_args, f"{path}: data: env_args")
        names = demo_names(path, file, options.filter_key)[: options.max_demos]
        obs, act = list[NDArray[np.float32]](), list[NDArray[np.float32]]()
        compressed: dict[str, list[bytes]] = {key: [] for key in options.cameras}
        sizes: dict[str, tuple[int, ...]] = {}
        for name in names:
            demo = DemoReader(f"{path}: {name}", file["data"][name], sizes)
            act.append(demo.actions(options.absolute))
            columns = [demo.low_dim(key, len(act[-1])) for key in options.obs]
            obs.append(np.concatenate(columns, axis=1))
            for key in options.cameras:
                compressed[key] += compress_images(demo.images(key, len(act[-1])))
    bounds = np.cumsum([0, *map(len, act)])
    demos = Demos(
        torch.from_numpy(np.concatenate(obs)),
        torch.from_numpy(np.concatenate(act)),
        torch.from_numpy(bounds),
        tuple(names),
        {
            key: CompressedImages(tuple(images), (sizes[key][0], sizes[key][1]))
            for key, images in compressed.items()
        },
    )
    return LoadedDemos(demos, tuple(sizes[key][0] for key in options.obs), str(env_args))


def demo_names(path: str, file: Any, filter_key: str | None) -> list[str]:
    """List the demonstrations of a file in the order of their numbers.

    Args:
        path: Path of the file, for messages.
        file: The open file.
        filter_key: Name of a selection; ``None`` lists all demonstrations.

    Raises:
        InputError: There are no demonstrations, the filter key is missing, or it names a
            demonstration that is missing.
    """
    known = set(file["data"])
    if filter_key is None:
        names = known
    else:
        masks = list(file["mask"]) if "mask" in file else []
        if filter_key not in masks:
            have = ", ".join(masks) or "none"
            raise InputError(
                f"{path}: no filter key '{filter_key}'{suggest(filter_key, masks)} (it has {have})"
            )
        stored = file["mask"][filter_key][()]
        names = {n.decode() if isinstance(n, bytes) else str(n) for n in stored}
        if names - known:
            raise InputError(f"{path}: mask/{filter_key} names {min(names - known)}, not in data")
    if not names:
        raise InputError(f"{path}: the file has no demonstrations")
    return sorted(names, key=lambda name: (int("0" + "".join(filter(str.isdigit, name))), name))


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

    def actions(self, absolute: bool) -> NDArray[np.float32]:
        """Read actions in the network's form, (n, a)."""
        if absolute and ABSOLUTE_ACTIONS not in self.group:
            raise InputError(
                f"{self.where}: no {ABSOLUTE_ACTIONS}, which absolute: true needs; files of "
                "oneleap collect have it; set absolute: false for others"
            )
        key = ABSOLUTE_ACTIONS if absolute else "actions"
        found = self._numbers(key, self._array(self.group, key))
        stated = self.group.attrs.get("num_samples")
        if stated is not None and int(stated) != len(found):
            raise InputError(f"{self.where}: num_samples is {stated}, {key} has {len(found)} rows")
        if not absolute:
            return found
        if found.shape[1] != 7:
            raise InputError(f"{self.where}: {key} has {found.shape[1]} columns (expected 7)")
        return pose_to_network(found.astype(np.float64)).astype(np.float32)

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
        try:
            array: NDArray[Any] = group[key][()]
        except OSError as error:
            raise InputError(f"{self.where}: {prefix}{key} is damaged ({error})") from None
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
