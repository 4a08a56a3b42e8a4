"""Reads robomimic's HDF5 files, v0.1 to v1.5; each fault is one line naming demo and key."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.core.errors import InputError, nearest
from oneleap.domains.robot.data.chunks import Demos
from oneleap.domains.robot.data.frames import Frames, pack
from oneleap.domains.robot.data.robomimic_write import ABSOLUTE
from oneleap.domains.robot.envs.rotation import pose_to_network
from oneleap.domains.robot.envs.task import parse_env_args

N = TypeVar("N", bound=np.generic)


class Wanted(NamedTuple):
    """What to read of a file.

    Attributes:
        obs: Keys of low-dimensional observations.
        cameras: Keys of images.
        filter_key: Name of a selection, or ``None`` for all demonstrations.
        most: Demonstrations at most, the first ones; ``None`` for all.
        absolute: Take absolute poses for actions.
    """

    obs: tuple[str, ...]
    cameras: tuple[str, ...] = ()
    filter_key: str | None = None
    most: int | None = None
    absolute: bool = False


class Loaded(NamedTuple):
    """What was read.

    Attributes:
        demos: The steps.
        obs_sizes: Numbers in each low-dimensional observation.
        env_args: The environment's description as stored.
    """

    demos: Demos
    obs_sizes: tuple[int, ...]
    env_args: str


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """The file, open for reading.

    Raises:
        InputError: It is missing, or no HDF5 file.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; oneleap collect robosuite makes one, and robomimic's are on "
            "huggingface.co as amandlek/robomimic"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: damaged, or no HDF5 file ({error})") from None
    with file:
        try:
            yield file
        except InputError:
            raise
        except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise InputError(f"{path}: damaged, or not of robomimic's layout ({reason})") from error


def read(path: str, wanted: Wanted) -> Loaded:
    """Read demonstrations.

    Raises:
        InputError: The first fault: a demonstration or key is missing, arrays differ in length or
            size, numbers are not finite, or ``env_args`` is unreadable.
    """
    with opened(path) as file:
        if "data" not in file:
            raise InputError(f"{path}: no group 'data': is it of robomimic's layout?")
        text = file["data"].attrs.get("env_args")
        parse_env_args(text, f"{path}: data: env_args")
        names = selected(path, file, wanted.filter_key)[: wanted.most]
        obs, act = list[NDArray[np.float32]](), list[NDArray[np.float32]]()
        packed: dict[str, list[bytes]] = {key: [] for key in wanted.cameras}
        sizes: dict[str, tuple[int, ...]] = {}
        for name in names:
            demo = Demo(f"{path}: {name}", file["data"][name], sizes)
            act.append(demo.actions(wanted.absolute))
            columns = [demo.low_dim(key, len(act[-1])) for key in wanted.obs]
            obs.append(np.concatenate(columns, axis=1))
            for key in wanted.cameras:
                packed[key] += pack(demo.images(key, len(act[-1])))
    bounds = np.cumsum([0, *map(len, act)])
    demos = Demos(
        torch.from_numpy(np.concatenate(obs)),
        torch.from_numpy(np.concatenate(act)),
        torch.from_numpy(bounds),
        tuple(names),
        {
            key: Frames(tuple(strings), (sizes[key][0], sizes[key][1]))
            for key, strings in packed.items()
        },
    )
    return Loaded(demos, tuple(sizes[key][0] for key in wanted.obs), str(text))


def selected(path: str, file: Any, filter_key: str | None) -> list[str]:
    """Names of demonstrations, by their numbers.

    Raises:
        InputError: There are none, no such filter key, or it names one that is not there.
    """
    known = set(file["data"])
    if filter_key is None:
        names = known
    else:
        masks = list(file["mask"]) if "mask" in file else []
        if filter_key not in masks:
            have = ", ".join(masks) or "none"
            raise InputError(
                f"{path}: no filter key '{filter_key}'{nearest(filter_key, masks)} (it has {have})"
            )
        stored = file["mask"][filter_key][()]
        names = {n.decode() if isinstance(n, bytes) else str(n) for n in stored}
        if names - known:
            raise InputError(f"{path}: mask/{filter_key} names {min(names - known)}, not in data")
    if not names:
        raise InputError(f"{path}: no demonstrations in it")
    return sorted(names, key=lambda name: (int("0" + "".join(filter(str.isdigit, name))), name))


class Demo(NamedTuple):
    """One demonstration while it is checked.

    Attributes:
        where: File and name, for messages.
        group: Of the file.
        sizes: Shape of a row by key, as the first demonstration had it.
    """

    where: str
    group: Any
    sizes: dict[str, tuple[int, ...]]

    def actions(self, absolute: bool) -> NDArray[np.float32]:
        """Actions in the network's form, (n, a)."""
        if absolute and ABSOLUTE not in self.group:
            raise InputError(
                f"{self.where}: no {ABSOLUTE}, which absolute needs: files of oneleap collect have "
                "it; set absolute: false for others"
            )
        key = ABSOLUTE if absolute else "actions"
        found = self._numbers(key, self._array(self.group, key))
        stated = self.group.attrs.get("num_samples")
        if stated is not None and int(stated) != len(found):
            raise InputError(f"{self.where}: num_samples is {stated}, {key} has {len(found)} rows")
        if not absolute:
            return found
        if found.shape[1] != 7:
            raise InputError(f"{self.where}: {key} has {found.shape[1]} columns, 7 are due")
        return pose_to_network(found.astype(np.float64)).astype(np.float32)

    def low_dim(self, key: str, length: int) -> NDArray[np.float32]:
        """A low-dimensional observation, (n, o)."""
        return self._same_length(key, self._numbers(key, self._observed(key)), length)

    def images(self, key: str, length: int) -> NDArray[np.uint8]:
        """Images, (n, h, w, 3)."""
        array = self._observed(key)
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3:
            raise InputError(
                f"{self.where}: obs/{key} is {array.dtype} {array.shape}, no images: uint8 "
                "(steps, height, width, 3) is due"
            )
        return self._same_length(key, self._same_size(key, array), length)

    def _observed(self, key: str) -> NDArray[Any]:
        if "obs" not in self.group:
            raise InputError(
                f"{self.where}: no observations: make them from the states by robomimic's "
                "dataset_states_to_obs.py"
            )
        return self._array(self.group["obs"], key, "obs/")

    def _array(self, group: Any, key: str, under: str = "") -> NDArray[Any]:
        if key not in group:
            close = nearest(key, group) or f": it has {', '.join(group)}"
            raise InputError(f"{self.where}: no {under}{key}{close}")
        try:
            array: NDArray[Any] = group[key][()]
        except OSError as error:
            raise InputError(f"{self.where}: {under}{key} is damaged ({error})") from None
        return array

    def _numbers(self, key: str, array: NDArray[Any]) -> NDArray[np.float32]:
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
        due = self.sizes.setdefault(key, array.shape[1:])
        if array.shape[1:] != due:
            raise InputError(
                f"{self.where}: {key} has rows of {array.shape[1:]}, the demonstrations before "
                f"have {due}"
            )
        return array

    def _same_length(self, key: str, array: NDArray[N], length: int) -> NDArray[N]:
        if len(array) != length:
            raise InputError(
                f"{self.where}: obs/{key} has {len(array)} rows, actions has {length}: one each "
                "is due"
            )
        return array
