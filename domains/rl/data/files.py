"""Reads the arrays of HDF5 and npz files in D4RL's layout; the content tells the kind of a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.reading.arrays import array_names, hdf5_member, read_arrays, read_hdf5
from oneleap.core.reading.guard import reading
from oneleap.domains.rl.data.validation import DIMENSIONS
from oneleap.domains.rl.envs.task import Task

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
    with reading(path, "an HDF5 file"):
        return (_read_npz if _first_bytes(path).startswith(ZIP) else _read_hdf5)(path)


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
        fields = {
            name: read_hdf5(hdf5_member(file, name, path), f"{path}: {name}")
            for name in FIELDS
            if name in file
        }
        env, task = (file.attrs.get(key) for key in ("env_id", TASK_KEY))
        return Contents(fields, _text(env), task_text(path, task))


def _read_npz(path: str) -> Contents:
    """Arrays of an npz file; ``observations/KEY`` is the entry ``KEY`` of dictionary observations.

    Nothing is unpickled: an array of objects is an error of numpy.
    """
    fields: dict[str, Any] = {}
    names = array_names(path)
    _refuse_other(path, [name.partition("/")[0] for name in names])
    known = (*FIELDS, "env_id", TASK_KEY)
    found = read_arrays(path, [name for name in names if name.partition("/")[0] in known])
    for name, array in found.items():
        field, _, key = name.partition("/")
        if field not in FIELDS:
            continue
        if isinstance(fields.get(field), dict) != bool(key) and field in fields:
            raise InputError(f"{path}: {field} is an array and a dictionary")
        if key:
            fields.setdefault(field, {})[key] = array
        else:
            fields[field] = array
    return Contents(fields, _text(found.get("env_id")), task_text(path, found.get(TASK_KEY)))


def _refuse_other(path: str, names: list[str]) -> None:
    if not set(names) & set(FIELDS):
        held = ", ".join(sorted(set(names))) or "nothing"
        raise InputError(f"{path}: has none of D4RL's fields, but {held}")


def task_text(path: str, value: Any) -> str:
    """The attribute :data:`TASK_KEY` as text; empty if there is none.

    Args:
        path: The file, for the message.
        value: The attribute, or ``None``.

    Raises:
        InputError: It is no task in JSON.
    """
    text = _text(value)
    if value is not None:
        try:
            Task.from_json(text)
        except InputError as error:
            raise InputError(f"{path}: {TASK_KEY}: {error}: delete it from the file") from None
    return text


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
