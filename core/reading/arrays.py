"""Arrays of numbers from npy, npz and HDF5 files that others made. Nothing is unpickled."""

import math
import os
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.reading.guard import check_size, reading


def read_array(path: str | os.PathLike[str], *, mapped: bool = False) -> NDArray[Any]:
    """Read an npy file.

    Args:
        path: The file.
        mapped: Whether the array stays on the disk until it is used.

    Returns:
        The array.

    Raises:
        InputError: If it cannot be read, is another file, or holds objects.
    """
    with reading(path, "an array of numbers"):
        found = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
        if not isinstance(found, np.ndarray):
            found.close()
            raise ValueError("it is an archive of arrays")
        check_text(found)
        return found


def read_arrays(
    path: str | os.PathLike[str], names: Iterable[str] | None = None
) -> dict[str, NDArray[Any]]:
    """Read the arrays of an npz file.

    Args:
        path: The file.
        names: Names to read; those that are missing are left out. ``None`` reads all.

    Returns:
        The arrays by name.

    Raises:
        InputError: If it cannot be read, is another file, or holds objects.
    """
    with reading(path, "an npz file"):
        check_archive(path)
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            wanted = file.files if names is None else [n for n in names if n in file.files]
            found = {name: file[name] for name in wanted}
        for name, value in found.items():
            if not isinstance(value, np.ndarray):  # a member that is no npy file
                raise InputError(f"{path}: {name} is not an array")
            check_text(value)
    return found


def check_text(array: NDArray[Any]) -> None:
    """Check that an array of text holds characters; numpy would make invalid strings of others.

    Raises:
        ValueError: If it does not.
    """
    if array.dtype.kind == "U" and array.size:
        codes = np.frombuffer(array.astype(array.dtype.newbyteorder("=")).tobytes(), np.uint32)
        if codes.max(initial=0) > sys.maxunicode:
            raise ValueError("it holds text with invalid characters")


def array_names(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of the arrays of an npz file.

    Raises:
        InputError: If it cannot be read, or is another file.
    """
    with reading(path, "an npz file"), zipfile.ZipFile(path) as file:
        return [name.removesuffix(".npy") for name in file.namelist()]


def check_archive(path: str | os.PathLike[str]) -> None:
    """Refuse an archive that is no zip file, or unpacks to far more than its size.

    Raises:
        InputError: If it is one.
    """
    with reading(path, "an archive"), zipfile.ZipFile(path) as file:
        sizes = [info.file_size for info in file.infolist()]
    check_size(path, sum(sizes), Path(path).stat().st_size)


def read_hdf5(node: Any, where: str, depth: int = 8) -> Any:
    """Read a data set of an HDF5 file as an array, a group as a dictionary.

    Args:
        node: Data set or group of h5py.
        where: File and name, for messages.
        depth: Number of groups that may be inside each other.

    Returns:
        The array, or arrays by name.

    Raises:
        InputError: If it holds no numbers or text, or refers to other files.
    """
    import h5py

    if isinstance(node, h5py.Group):
        if not depth:
            raise InputError(f"{where}: groups are nested too deeply")
        names = list(node)
        return {n: read_hdf5(hdf5_member(node, n, where), f"{where}/{n}", depth - 1) for n in names}
    check_hdf5(node, where)
    return np.asarray(node[()])


def hdf5_member(group: Any, name: str, where: str) -> Any:
    """Return a member of a group; a link out of the file is refused.

    Args:
        group: Group of h5py.
        name: Name of the member.
        where: File and name of the group, for messages.

    Returns:
        Data set or group.

    Raises:
        InputError: If there is no such member, or it is in another file.
    """
    import h5py

    at = group
    for part in name.split("/"):
        if isinstance(at.get(part, getlink=True), h5py.ExternalLink):
            raise InputError(f"{where}: {name} is in another file: copy it into this one")
        at = at[part]
    return at


def check_hdf5(node: Any, where: str) -> None:
    """Check that a data set holds numbers or text, in this file, of a size that the file can have.

    Raises:
        InputError: If it does not.
    """
    import h5py

    if not isinstance(node, h5py.Dataset):
        raise InputError(f"{where}: is no data set")
    if node.shape is None:
        raise InputError(f"{where}: is empty")
    if node.external or node.is_virtual:
        raise InputError(f"{where}: is in another file: copy it into this one")
    if node.dtype.kind not in "biufSO" or (node.dtype.kind == "O" and h5py.check_ref_dtype(node)):
        raise InputError(f"{where}: holds {node.dtype}, not numbers")
    size = Path(node.file.filename).stat().st_size
    for shape in (node.shape, node.chunks or ()):
        check_size(where, math.prod(map(int, shape)) * node.dtype.itemsize, size)
