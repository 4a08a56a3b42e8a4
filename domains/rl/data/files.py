"""Reads the arrays of HDF5 and npz files in D4RL's layout; the content tells the kind of a file."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.validation import DIMENSIONS

Fields = Mapping[str, Any]
"""Arrays by the names of D4RL's files; dictionary observations are mappings of arrays."""

FIELDS = (*DIMENSIONS, "episode_terminals")
"""Fields that are read; ``episode_terminals`` marks the last step of each episode."""

HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
"""First bytes of HDF5 and of npz files."""

SUFFIXES = (".hdf5", ".h5", ".hdf", ".npz")
"""Suffixes of these files, in lower case; a file without one is known by its first bytes."""

TASK_KEY = "oneleap_task"
"""Attribute of our own files that holds the task in JSON."""


class Contents(NamedTuple):
    """What a file holds.

    Attributes:
        fields: Arrays by name.
        env: Its attribute ``env_id``; empty if it has none.
        task: Its attribute :data:`TASK_KEY`; empty if it has none.
    """

    fields: Fields
    env: str = ""
    task: str = ""


def is_steps_file(path: str) -> bool:
    """Whether a path means a file in D4RL's layout, by its suffix or its first bytes."""
    if Path(path).suffix.lower() in SUFFIXES:
        return True
    return Path(path).is_file() and _first_bytes(path).startswith((HDF5, ZIP))


def read_file(path: str) -> Contents:
    """Read the known fields and attributes of a file.

    Raises:
        InputError: The file is missing or damaged, or has none of the fields.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; --data.path FILE names the data")
    try:
        found = (_read_npz if _first_bytes(path).startswith(ZIP) else _read_hdf5)(path)
    except InputError:
        raise
    except (
        OSError,
        RuntimeError,
        TypeError,
        KeyError,
        ValueError,
        MemoryError,
        EOFError,
        NotImplementedError,
        zipfile.BadZipFile,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: damaged, or not an HDF5 file: {reason}") from None
    return found


def _first_bytes(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(len(HDF5))


def _read_hdf5(path: str) -> Contents:
    with h5py.File(path, "r") as file:
        if "episode_0" in file:
            raise InputError(
                f"{path} is part of a Minari data set: give the folder {Path(path).parent}"
            )
        _refuse_other(path, list(file))
        fields = {name: _read_node(file[name]) for name in FIELDS if name in file}
        return Contents(fields, *(_text(file.attrs.get(key)) for key in ("env_id", TASK_KEY)))


def _read_node(node: Any) -> Any:
    """A data set of HDF5 as an array, a group as a dictionary."""
    if isinstance(node, h5py.Group):
        return {name: _read_node(node[name]) for name in node}
    return np.asarray(node[()])


def _read_npz(path: str) -> Contents:
    """Arrays of an npz file; ``observations/KEY`` is the entry ``KEY`` of dictionary observations.

    Nothing is unpickled: an array of objects is an error of numpy.
    """
    fields: dict[str, Any] = {}
    with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        _refuse_other(path, [name.partition("/")[0] for name in file.files])
        for name in file.files:
            field, _, key = name.partition("/")
            if field in FIELDS and key:
                fields.setdefault(field, {})[key] = file[name]
            elif field in FIELDS:
                fields[field] = file[name]
        attributes = (_text(file[key]) if key in file.files else "" for key in ("env_id", TASK_KEY))
        return Contents(fields, *attributes)


def _refuse_other(path: str, names: list[str]) -> None:
    if not set(names) & set(FIELDS):
        held = ", ".join(sorted(set(names))) or "nothing"
        raise InputError(f"{path}: has none of D4RL's fields, but {held}")


def _text(value: Any) -> str:
    """An attribute as text, however it was stored: text, bytes, or an array of one of them."""
    if value is None:
        return ""
    one = np.asarray(value).ravel()
    first = one[0] if len(one) else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


def column(fields: Fields, name: str) -> NDArray[Any] | None:
    """A field that is an array; ``None`` if it is missing or a dictionary."""
    value = fields.get(name)
    return value if isinstance(value, np.ndarray) else None
