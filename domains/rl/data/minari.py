"""Minari data sets: read in one go, written whole or not at all."""

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
from oneleap.domains.rl.data.minari_tasks import recorded, tasks
from oneleap.domains.rl.data.transitions import Loaded
from oneleap.domains.rl.data.validation import assemble, bounded, checked
from oneleap.domains.rl.envs.task import observed

PARTS = ("observations", "actions", "rewards", "terminations", "truncations")

Episode = tuple[NDArray[Any], ...]
"""The arrays of :data:`PARTS`; observations have one row more than the others."""


def read(path: str, clip: bool = False) -> Loaded:
    """Read a data set by its id or its folder; an id that is not here is downloaded by Minari.

    Of dictionary observations, the entry ``observation`` is taken; of AntMaze's, the position and
    the goal too (see :func:`oneleap.domains.rl.envs.task.observed`).

    Args:
        path: Id such as ``D4RL/hopper/medium-v2``, or the folder of a data set.
        clip: Clip actions to the action space, where they leave it.

    Raises:
        InputError: There is no such data set, it cannot be downloaded, or it is damaged.
    """
    with blamed(path):
        storage = MinariStorage.read(find(path))
        meta = storage.metadata
        spec = recorded(meta)
    keys = _vector_keys(path, storage.observation_space, spec.id if spec else "")
    space = storage.action_space
    if not (isinstance(space, spaces.Box) and len(space.shape) == 1):
        raise InputError(f"{path}: actions are {space}; vectors of numbers are needed")
    with blamed(path):
        episodes = [e for e in episodes_of(storage, meta, keys) if len(e[1])]
    found, bounds = joined(path, episodes)
    low, high = limits(space, found["actions"])
    found["actions"] = bounded(path, found["actions"], low, high, clip)
    return Loaded(assemble(found, bounds), low, high, **tasks(meta))


@contextmanager
def blamed(path: str) -> Iterator[None]:
    """Turn what Minari and HDF5 raise on a damaged data set into one line."""
    try:
        yield
    except InputError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError, AssertionError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: damaged, or no Minari data set: {reason}") from None


def find(path: str) -> Path:
    """The folder with the data, downloaded if need be."""
    if Path(path).is_dir():
        inner = Path(path) / "data"
        return inner if inner.is_dir() else Path(path)
    if Path(path).is_file():
        raise InputError(f"{path}: neither .hdf5 of D4RL's layout nor a folder of Minari's")
    try:
        parse_dataset_id(path)
    except (ValueError, TypeError):
        raise InputError(
            f"{path}: no such file or folder, and no Minari id such as D4RL/hopper/medium-v2"
        ) from None
    folder = Path(get_dataset_path(path))
    if not folder.is_dir() and path.startswith("oneleap/"):
        raise InputError(f"{path}: not in {get_dataset_path()}; oneleap collect makes it")
    if not folder.is_dir():
        try:
            minari.download_dataset(path)
        except Exception as error:  # of any of Minari's back ends
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{path}: not in {get_dataset_path()}, and cannot be downloaded: {reason[:200]}"
            ) from None
    return folder / "data"


def _vector_keys(path: str, space: gymnasium.Space[Any], env: str) -> tuple[str, ...]:
    """Entries of a dictionary observation that are used, in order; none for a plain vector."""
    keys: tuple[str, ...] = ()
    used = [space]
    if isinstance(space, spaces.Dict) and set(observed(env)) <= set(space.spaces):
        keys = observed(env)
        used = [space[key] for key in keys]
    for part in used:
        if not (isinstance(part, spaces.Box) and len(part.shape) == 1):
            raise InputError(f"{path}: observations are {part}; vectors of numbers are needed")
    return keys


def episodes_of(
    storage: MinariStorage, meta: Mapping[str, Any], keys: tuple[str, ...]
) -> Iterator[Episode]:
    """All episodes, entries ``keys`` of dictionary observations joined.

    From HDF5 they are read past Minari's own reader, which takes four times as long.
    """
    count = int(meta["total_episodes"])
    if storage.FORMAT != "hdf5":
        for episode in storage.get_episodes(range(count)):
            obs, *others = (episode[part] for part in PARTS)
            columns = [obs[key] for key in keys] if keys else [obs]
            yield _one_vector([np.asarray(array) for array in (*columns, *others)])
        return
    names = [f"{PARTS[0]}/{key}" for key in keys] or [PARTS[0]]
    with h5py.File(storage.data_path / "main_data.hdf5", "r", rdcc_nbytes=0) as file:
        yield from map(_one_vector, _hdf5(file, count, [*names, *PARTS[1:]]))


def _one_vector(arrays: Sequence[NDArray[Any]]) -> Episode:
    """The episode, whose observations come in one array or more, before the other parts."""
    split = len(arrays) - len(PARTS) + 1
    obs = arrays[0] if split == 1 else np.concatenate(arrays[:split], axis=1)
    return obs, *arrays[split:]


def _hdf5(file: h5py.File, count: int, names: list[str]) -> Iterator[Episode]:
    """Arrays of each episode by h5py's low-level calls: four fifths of small reads is overhead."""
    dtypes: dict[str, np.dtype[Any]] = {}
    for k in range(count):
        group, arrays = h5g.open(file.id, b"episode_%d" % k), []
        for name in names:
            try:
                stored = h5d.open(group, name.encode())
            except KeyError:
                raise InputError(f"{file.filename}: episode {k} has no field {name}") from None
            if name not in dtypes:  # asking is as slow as reading
                dtypes[name] = stored.dtype
            arrays.append(np.empty(stored.shape, dtypes[name]))
            stored.read(h5s.ALL, h5s.ALL, arrays[-1])
        yield tuple(arrays)


def joined(
    path: str, episodes: list[Episode]
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int64]]:
    """Checked columns of all steps, and the bounds of the episodes."""
    if not episodes:
        raise InputError(f"{path}: no steps in it")
    columns = list(zip(*episodes, strict=True))
    lengths = np.array([[len(array) for array in column] for column in columns])
    lengths[0] -= 1
    odd = np.flatnonzero((lengths != lengths[1]).any(0))
    if len(odd):
        sizes = ", ".join(
            f"{part} {n}"
            for part, n in zip(PARTS, lengths[:, odd[0]] + [1, 0, 0, 0, 0], strict=True)
        )
        raise InputError(
            f"{path}: episode {odd[0]} has {sizes}; one observation more than of the others is due"
        )
    with blamed(path):
        obs, following = ([o[s] for o in columns[0]] for s in (slice(-1), slice(1, None)))
        act, reward, terminal, timeout = (np.concatenate(column) for column in columns[1:])
        raw = {
            "observations": np.concatenate(obs),
            "actions": act,
            "rewards": reward,
            "next_observations": np.concatenate(following),
            "terminals": terminal,
            "timeouts": timeout,
        }
    found = checked(path, raw)
    bounds = np.concatenate([[0], np.cumsum(lengths[1])]).astype(np.int64)
    last = bounds[1:] - 1
    found["timeouts"][last] = 1 - found["terminals"][last]
    return found, bounds


def limits(
    space: spaces.Box, act: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bounds of the action space; where it has none, the range of the data."""
    low, high = space.low.astype(np.float32), space.high.astype(np.float32)
    if low.shape == act.shape[1:]:
        low = np.where(np.isfinite(low), low, act.min(0))
        high = np.where(np.isfinite(high), high, act.max(0))
    return low, high


def dataset_folder(dataset_id: str, out: Path | None, overwrite: bool) -> Path:
    """Where a new data set goes: ``out``, or its place below MINARI_DATASETS_PATH.

    Raises:
        InputError: The id is malformed, or the place is taken and ``overwrite`` is off.
    """
    try:
        parse_dataset_id(dataset_id)
    except (ValueError, TypeError):
        raise InputError(
            f"dataset_id {dataset_id!r}: must be namespace/name-vNUMBER, as oneleap/mine-v0"
        ) from None
    folder = out or get_dataset_path(dataset_id)
    if folder.exists() and not overwrite:
        raise InputError(
            f"{folder} is there already: --overwrite true replaces it, --dataset_id names another"
        )
    return folder


def write(
    folder: Path,
    dataset_id: str,
    episodes: Iterable[EpisodeBuffer],
    env: gymnasium.Env[Any, Any],
    metadata: Mapping[str, Any],
) -> None:
    """Write a data set that appears, or replaces the one in ``folder``, only when it is complete.

    Args:
        folder: See :func:`dataset_folder`.
        dataset_id: Its name for Minari.
        episodes: In Minari's form.
        env: Played in; recorded with the data.
        metadata: Further entries.
    """
    folder = folder.absolute()  # Minari's own code loses its way in relative ones
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
