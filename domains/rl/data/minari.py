"""Reads and writes Minari data sets. A data set is written completely or not at all."""

import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import minari
import numpy as np
from gymnasium import spaces
from h5py import h5d, h5g, h5s
from minari.data_collector import EpisodeBuffer
from minari.dataset.minari_dataset import parse_dataset_id
from minari.dataset.minari_storage import MinariStorage
from minari.namespace import create_namespace, list_local_namespaces
from minari.storage.datasets_root_dir import get_dataset_path
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.outputs import check_output
from oneleap.core.reading.arrays import check_hdf5
from oneleap.core.reading.guard import check_size, reading
from oneleap.domains.rl.data.entries import check_entries, tell_entries
from oneleap.domains.rl.data.minari_tasks import environment_of, maze_of, tasks
from oneleap.domains.rl.data.transitions import LoadedData
from oneleap.domains.rl.data.validation import (
    build_dataset,
    finite_bounds,
    validate_actions,
    validate_fields,
    validate_flags,
)
from oneleap.domains.rl.envs.observations import entry, ordered_keys

PARTS = ("observations", "actions", "rewards", "terminations", "truncations")
"""Arrays of an episode, by Minari's names."""

Episode = tuple[NDArray[Any], ...]
"""The arrays of :data:`PARTS`. Observations have one row more than the others."""


def read_minari(path: str, clip: bool = False, obs_keys: tuple[str, ...] = ()) -> LoadedData:
    """Read a data set. Minari downloads it if it is not on this machine.

    Of dictionary observations, the reader joins all entries that are vectors. In the mazes of this
    package, whose goal is fixed, it takes the entry ``observation`` alone. A notice names the
    entries.

    Args:
        path: Id such as ``D4RL/hopper/medium-v2``, or the folder of a data set.
        clip: Whether to clip actions to the action space.
        obs_keys: Entries of dictionary observations to use, in order.

    Returns:
        The data and their task.

    Raises:
        InputError: The data set does not exist, cannot be downloaded, or is damaged.
    """
    with one_line_errors(path):
        storage = MinariStorage.read(locate(path))
        meta = storage.metadata
        spec = environment_of(meta)
    fixed_goal = bool(spec and maze_of(spec))
    keys = _vector_keys(path, storage.observation_space, obs_keys, fixed_goal)
    space = storage.action_space
    if not (isinstance(space, spaces.Box) and len(space.shape) == 1):
        raise InputError(f"{path}: actions are {space}, but must be vectors of continuous numbers")
    with one_line_errors(path):
        episodes = [e for e in read_episodes(storage, meta, keys) if e[1].ndim == 0 or len(e[1])]
    fields, bounds = concatenate_episodes(path, episodes)
    low, high = space_limits(space, fields["actions"])
    fields["actions"] = validate_actions(path, fields["actions"], low, high, clip)
    data = build_dataset(fields, bounds)
    used = keys or obs_keys
    with one_line_errors(path):
        found = tasks(meta, used)
    return LoadedData(data, low, high, **found, obs_keys=used, dictionaries=bool(keys))


@contextmanager
def one_line_errors(path: str) -> Iterator[None]:
    """Convert the errors of Minari and HDF5 on a damaged data set to one line."""
    with reading(path, "a Minari data set"):
        yield


def locate(path: str) -> Path:
    """Return the folder of the data; download them first if necessary.

    Raises:
        InputError: The path is no data set, or the download fails.
    """
    if Path(path).is_dir():
        inner = Path(path) / "data"
        return inner if inner.is_dir() else Path(path)
    if Path(path).is_file():
        raise InputError(
            f"{path}: neither a .hdf5 file of D4RL's layout nor the folder of a Minari data set"
        )
    try:
        parse_dataset_id(path)
    except (ValueError, TypeError):
        raise InputError(
            f"{path}: no such file or folder, and not a Minari id such as D4RL/hopper/medium-v2; "
            "--data.path names the data"
        ) from None
    folder = Path(get_dataset_path(path))
    if not folder.is_dir() and path.startswith("oneleap/"):
        raise InputError(f"{path}: not in {get_dataset_path()}; oneleap collect makes it")
    if not folder.is_dir():
        try:
            minari.download_dataset(path)
        except Exception as error:  # each of Minari's back ends raises errors of its own
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{path}: not in {get_dataset_path()}, and cannot be downloaded: {reason[:200]}"
            ) from None
    return folder / "data"


def _vector_keys(
    path: str, space: gymnasium.Space[Any], obs_keys: tuple[str, ...], fixed_goal: bool
) -> tuple[str, ...]:
    """Entries of a dictionary observation to use, in order; empty for a plain vector."""
    if isinstance(space, spaces.Dict):
        shapes = {name: tuple(box.shape or ()) for name, box in _boxes(space)}
        keys = obs_keys
        if not keys and fixed_goal and "observation" in shapes:
            keys = ("observation",)
        elif not keys:
            names = [name for name, shape in shapes.items() if len(shape) == 1]
            keys = ordered_keys(name for name in names if "/" not in name)
        check_entries(path, keys, shapes)
        if not obs_keys:
            tell_entries(path, keys, shapes)
        return keys
    if not (isinstance(space, spaces.Box) and len(space.shape) == 1):
        raise InputError(f"{path}: observations are {space}, but must be vectors of numbers")
    return ()


def _boxes(
    space: gymnasium.Space[Any], path: str = ""
) -> Iterator[tuple[str, gymnasium.Space[Any]]]:
    """Spaces of a dictionary of dictionaries, by their paths."""
    if not isinstance(space, spaces.Dict):
        yield path, space
        return
    for name, part in space.spaces.items():
        yield from _boxes(part, f"{path}/{name}" if path else name)


def read_episodes(
    storage: MinariStorage, meta: Mapping[str, Any], keys: tuple[str, ...]
) -> Iterator[Episode]:
    """Read all episodes.

    HDF5 files are read without Minari's reader, which takes four times as long.

    Args:
        storage: Storage of the data set.
        meta: Its metadata.
        keys: Entries of dictionary observations to join; empty for plain observations.

    Yields:
        The arrays of each episode.
    """
    count = int(meta["total_episodes"])
    if storage.FORMAT != "hdf5":
        for episode in storage.get_episodes(range(count)):
            obs, *others = (episode[part] for part in PARTS)
            columns = [entry(obs, key) for key in keys] if keys else [obs]
            yield _join_observations([np.asarray(array) for array in (*columns, *others)])
        return
    names = [f"{PARTS[0]}/{key}" for key in keys] or [PARTS[0]]
    with h5py.File(storage.data_path / "main_data.hdf5", "r", rdcc_nbytes=0) as file:
        yield from map(_join_observations, _read_hdf5(file, count, [*names, *PARTS[1:]]))


def _join_observations(arrays: Sequence[NDArray[Any]]) -> Episode:
    """An episode from its arrays, the first one or more of which are parts of the observation."""
    split = len(arrays) - len(PARTS) + 1
    obs = arrays[0] if split == 1 else np.concatenate(arrays[:split], axis=1)
    return obs, *arrays[split:]


def _read_hdf5(file: h5py.File, count: int, names: list[str]) -> Iterator[Episode]:
    """Arrays of each episode by h5py's low-level calls, which avoid 80 % of the time."""
    dtypes: dict[str, np.dtype[Any]] = {}
    size = Path(file.filename).stat().st_size
    for k in range(count):
        group, arrays = h5g.open(file.id, b"episode_%d" % k), []
        for name in names:
            try:
                stored = h5d.open(group, name.encode())
            except KeyError:
                raise InputError(f"{file.filename}: episode {k} has no field {name}") from None
            if name not in dtypes:  # asking for the type takes as long as reading
                check_hdf5(h5py.Dataset(stored), f"{file.filename}: episode {k}: {name}")
                dtypes[name] = stored.dtype
            check_size(file.filename, math.prod(stored.shape) * dtypes[name].itemsize, size)
            arrays.append(np.empty(stored.shape, dtypes[name]))
            stored.read(h5s.ALL, h5s.ALL, arrays[-1])
        yield tuple(arrays)


def concatenate_episodes(
    path: str, episodes: list[Episode]
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int64]]:
    """Join episodes to validated columns.

    Args:
        path: The data set, for the message.
        episodes: Arrays of each episode.

    Returns:
        The fields of all steps, and ``OfflineDataset.bounds``.

    Raises:
        InputError: There are no steps, the arrays of an episode do not fit each other, or flags are
            neither 0 nor 1.
    """
    if not episodes:
        raise InputError(f"{path}: contains no steps")
    columns = list(zip(*episodes, strict=True))
    if not all(array.ndim for column in columns for array in column):
        raise InputError(f"{path}: damaged: a field is a single number, not a row for each step")
    lengths = np.array([[len(array) for array in column] for column in columns])
    lengths[0] -= 1
    wrong = np.flatnonzero((lengths != lengths[1]).any(0))
    if len(wrong):
        sizes = ", ".join(
            f"{part} {n}"
            for part, n in zip(PARTS, lengths[:, wrong[0]] + [1, 0, 0, 0, 0], strict=True)
        )
        raise InputError(
            f"{path}: episode {wrong[0]} has {sizes}; it needs one more observation than actions, "
            "and as many of the others as actions"
        )
    with one_line_errors(path):
        obs, following = ([o[s] for o in columns[0]] for s in (slice(-1), slice(1, None)))
        act, reward, terminal, timeout = (np.concatenate(column) for column in columns[1:])
        raw = {
            "observations": np.concatenate(obs),
            "actions": act,
            "rewards": reward,
            "next_observations": np.concatenate(following),
            "terminals": validate_flags(f"{path}: terminations", terminal),
            "timeouts": validate_flags(f"{path}: truncations", timeout),
        }
    fields = validate_fields(path, raw)
    bounds = np.concatenate([[0], np.cumsum(lengths[1])]).astype(np.int64)
    last = bounds[1:] - 1
    fields["timeouts"][last] = 1 - fields["terminals"][last]
    return fields, bounds


def space_limits(
    space: spaces.Box, act: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bounds of an action space, (a,) each; where it has none, the range of the data."""
    return finite_bounds(space.low.astype(np.float32), space.high.astype(np.float32), act)


def dataset_folder(dataset_id: str, out: Path | None, overwrite: bool) -> Path:
    """Choose the folder of a new data set.

    Args:
        dataset_id: Its Minari id.
        out: The folder, if it is not Minari's own.
        overwrite: Whether the folder may exist.

    Returns:
        ``out``, or the folder of the id below ``MINARI_DATASETS_PATH``.

    Raises:
        InputError: The id is malformed, the folder exists and ``overwrite`` is false, or it cannot
            be written.
    """
    try:
        parse_dataset_id(dataset_id)
    except (ValueError, TypeError):
        raise InputError(
            f"dataset_id {dataset_id!r}: must be namespace/name-vNUMBER, such as oneleap/mine-v0"
        ) from None
    folder = out or get_dataset_path(dataset_id)
    check_output(folder)
    if folder.exists() and not overwrite:
        raise InputError(
            f"{folder} exists already: --overwrite replaces it, --dataset_id names another"
        )
    return folder


def write_minari(
    folder: Path,
    dataset_id: str,
    episodes: Iterable[EpisodeBuffer],
    env: gymnasium.Env[Any, Any],
    metadata: Mapping[str, Any],
) -> None:
    """Write a data set; it appears in ``folder``, or replaces the one there, once it is complete.

    Args:
        folder: Folder from :func:`dataset_folder`.
        dataset_id: Minari id.
        episodes: Episodes in Minari's form.
        env: Environment of the data. Its description is stored with them.
        metadata: Further entries of the metadata.
    """
    folder = folder.absolute()  # Minari's own code fails with relative paths
    namespace = parse_dataset_id(dataset_id)[0]
    if folder == get_dataset_path(dataset_id) and namespace not in (None, *list_local_namespaces()):
        create_namespace(namespace)
    temporary = folder.with_name(f".{folder.name}-{os.getpid()}")
    retired = folder.with_name(f".{folder.name}-{os.getpid()}-old")
    temporary.mkdir(parents=True)
    try:
        storage = MinariStorage.new(
            temporary / "data", env.observation_space, env.action_space, env.spec
        )
        storage.update_metadata(
            {"dataset_id": dataset_id, "minari_version": minari.__version__, **metadata}
        )
        storage.update_episodes(episodes)
        if folder.exists():
            folder.rename(retired)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)
