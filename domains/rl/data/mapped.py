"""Data module of offline data larger than memory: each batch reads its observations from disk."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.reading.arrays import check_hdf5, hdf5_member, read_array, read_hdf5
from oneleap.core.reading.guard import reading
from oneleap.domains.rl.data import d4rl
from oneleap.domains.rl.data.datamodule import OfflineData, naming_page
from oneleap.domains.rl.data.files import FIELDS, TASK_KEY, column, task_text
from oneleap.domains.rl.data.rewards import GoalDistanceReward, Reward, StoredReward
from oneleap.domains.rl.data.transitions import LoadedData, Transitions, scales
from oneleap.domains.rl.data.validation import (
    build_dataset,
    episode_bounds,
    refuse_discrete,
    validate_actions,
    validate_fields,
)
from oneleap.domains.rl.spec import Spec

Mapped = np.memmap[Any, np.dtype[Any]]

OBSERVATIONS = ("observations", "next_observations")
"""Fields that stay on the disk."""

BLOCK = 1 << 22
"""Bytes that are read at once where all rows are looked at."""


class MappedTable(NamedTuple):
    """Transitions whose observations are row numbers of files; it samples like ``Transitions``.

    Attributes:
        steps: Transitions with row numbers as observations, (n, 1), on the CPU.
        observations: The observations on the disk, (m, o).
        following: Where the row numbers of ``next_obs`` point to, (m, o).
        device: Device of the batches.
    """

    steps: Transitions
    observations: Mapped
    following: Mapped
    device: torch.device

    @property
    def obs(self) -> Tensor:
        """Row numbers of the observations, (n, 1)."""
        return self.steps.obs

    def draw_rows(self, n: int, generator: torch.Generator) -> Tensor:
        """See ``Transitions.draw_rows``."""
        return self.steps.draw_rows(n, generator)

    def sample(self, n: int, generator: torch.Generator) -> Transitions:
        """Draw ``n`` transitions, and read their observations."""
        found = self.steps.sample(n, generator)
        found = found._replace(
            obs=rows_of(self.observations, found.obs),
            next_obs=rows_of(self.following, found.next_obs),
        )
        return Transitions(*(None if part is None else part.to(self.device) for part in found))  # type: ignore[arg-type]


class MappedData(OfflineData):
    """Transitions whose observations stay on the disk until a batch needs them.

    Everything else, actions included, is in memory: about 50 bytes and two actions for each step.
    Batches are those of :class:`OfflineData` on a CPU.

    Args:
        path: HDF5 file in D4RL's layout whose observations are neither compressed nor in chunks, or
            a folder of npy files, one for each field: ``observations.npy``, ``actions.npy`` and so
            on. There must be ``timeouts``.
        env: Gymnasium id of the environment to evaluate in, if the data do not name it; ``none``
            trains without any.
        reward: Reward to train on; it may not look at observations.
        gamma: Discount of future rewards.
        n_step: Number of rewards that are summed before the value.
        chunk: Number of actions in a row that the policy chooses at once.
        batch_size: Transitions per batch, on each process.
        normalize_obs: Whether the policy normalizes observations by their mean and standard
            deviation.
        clip_actions: Whether to clip actions outside the bounds of the action space instead of
            refusing them.
        seed: Seed of the batches.
    """

    def __init__(
        self,
        path: str,
        *,
        env: str | None = None,
        reward: Reward = StoredReward(),  # noqa: B008  (frozen)
        gamma: float = 0.99,
        n_step: int = 1,
        chunk: int = 1,
        batch_size: int = 256,
        normalize_obs: bool = True,
        clip_actions: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(
            path,
            env=env,
            reward=reward,
            gamma=gamma,
            n_step=n_step,
            chunk=chunk,
            batch_size=batch_size,
            normalize_obs=normalize_obs,
            clip_actions=clip_actions,
            validation=0.0,
            seed=seed,
        )
        if isinstance(reward, GoalDistanceReward):
            raise InputError("reward: GoalDistanceReward looks at observations: use OfflineData")

    @cached_property
    def _files(self) -> tuple[Mapped, Mapped]:
        return self._contents[1:]

    @cached_property
    def _contents(self) -> tuple[LoadedData, Mapped, Mapped]:
        with naming_page():
            path = str(Path(self.path).expanduser())
            return read_mapped(path, self.env, self.clip_actions)

    @cached_property
    def _loaded(self) -> LoadedData:
        loaded = self._contents[0]
        return loaded._replace(data=loaded.data.relabel(self.reward))

    @cached_property
    def spec(self) -> Spec:
        """Sizes, ranges and statistics of the data; the first access looks at all rows once."""
        loaded, (observations, following) = self._loaded, self._files
        with naming_page():
            used = np.zeros(len(observations), bool)
            used[loaded.data.obs[:, 0].long().numpy()] = True
            mean, std = look_at(observations, used)
            if following is not observations:
                look_at(following, None)
        width = observations.shape[1]
        plain = (0.0,) * width, (1.0,) * width
        found = tuple(tuple(part.tolist()) for part in scales(mean, std))
        return Spec(
            obs_dim=width,
            act_dim=loaded.data.act.shape[1],
            obs_mean=found[0] if self.normalize_obs else plain[0],
            obs_std=found[1] if self.normalize_obs else plain[1],
            act_low=tuple(loaded.act_low.tolist()),
            act_high=tuple(loaded.act_high.tolist()),
            task=loaded.task,
            chunk=self.chunk,
        )

    @cached_property
    def transitions(self) -> Any:
        """The transitions that are trained on: a :class:`MappedTable`."""
        steps = self.dataset.transitions(self.gamma, self.n_step, self.chunk)
        return MappedTable(steps, *self._files, self._device)


def read_mapped(
    path: str, env: str | None = None, clip: bool = False
) -> tuple[LoadedData, Mapped, Mapped]:
    """Read all but the observations.

    Args:
        path: HDF5 file, or folder of npy files.
        env: Gymnasium id of the environment, or ``none``; by default that of the file.
        clip: Whether to clip actions to their bounds.

    Returns:
        Steps whose observations are row numbers, and the files that the rows of ``obs`` and of
        ``next_obs`` are in.

    Raises:
        InputError: The data are damaged, cannot be mapped, or a field is missing or wrong.
    """
    with reading(path, "data of steps"):
        raw, stored = (_read_folder if Path(path).is_dir() else _read_file)(path)
    mapped = {name: raw[name] for name in OBSERVATIONS if name in raw}
    for name, array in mapped.items():
        if array.ndim != 2 or not array.size:
            raise InputError(f"{path}: {name}: has shape {array.shape}, but needs 2 axes and rows")
        raw[name] = np.zeros((len(array), 1), np.float32)  # checked below for its length alone
    fields = validate_fields(path, raw, optional=("next_observations",))
    refuse_discrete(path, column(raw, "actions"), box=True)
    observations, act_dim = mapped["observations"], fields["actions"].shape[1]
    following = mapped.get("next_observations", observations)
    width = observations.shape[1]
    if following.shape[1] != width:
        raise InputError(
            f"{path}: observations have {width} columns, next_observations {following.shape[1]}"
        )
    task, family = d4rl.find_task(path, env, stored)
    task = None if task is None else task.fitted(path, width, act_dim)
    low, high = d4rl.action_limits(fields["actions"], task, family)
    fields["actions"] = validate_actions(path, fields["actions"], low, high, clip)
    numbers: Any = np.arange(len(observations), dtype=np.float64)[:, None]  # exact beyond 2^24
    fields["observations"] = numbers
    if "next_observations" in mapped:
        fields["next_observations"] = numbers
        ends = (fields["terminals"] + fields["timeouts"]) > 0
        data = build_dataset(fields, episode_bounds(ends))
    else:
        data = d4rl.derive_next_observations(path, fields)
    return LoadedData(data, low, high, task), observations, following


def _read_file(path: str) -> tuple[dict[str, Any], str]:
    """Fields of an HDF5 file, and the environment that it names."""
    if Path(path).suffix.lower() == ".npz":
        raise InputError(
            f"{path}: an npz file cannot be mapped: unpack it into a folder of npy files "
            "(unzip FILE -d FOLDER), and name the folder"
        )
    found: dict[str, Any] = {}
    with h5py.File(path, "r") as file:
        for name in filter(file.__contains__, FIELDS):
            node, where = hdf5_member(file, name, path), f"{path}: {name}"
            if name not in OBSERVATIONS:
                found[name] = read_hdf5(node, where)
                continue
            check_hdf5(node, where)
            offset = node.id.get_offset()
            if offset is None or node.dtype.kind not in "biuf":
                raise InputError(
                    f"{where}: is compressed, in chunks or no numbers, which cannot be mapped: "
                    f"write it again without options, or as {name}.npy in a folder"
                )
            found[name] = np.memmap(path, node.dtype, "r", offset, node.shape)
        env = file.attrs.get("env_id", "")
        task_text(path, file.attrs.get(TASK_KEY))  # refused alike, whoever reads the file
    return found, env if isinstance(env, str) else ""


def _read_folder(path: str) -> tuple[dict[str, Any], str]:
    """Fields of a folder of npy files, which names no environment."""
    found: dict[str, Any] = {}
    for name in FIELDS:
        file = Path(path, f"{name}.npy")
        if not file.is_file():
            continue
        array = read_array(file, mapped=name in OBSERVATIONS)
        if array.dtype.kind not in "biuf" or not array.flags.c_contiguous:
            raise InputError(f"{file}: holds no numbers, or columns instead of rows")
        found[name] = array
    return found, ""


def rows_of(array: Mapped, numbers: Tensor) -> Tensor:
    """Read the rows with these numbers, (n, 1), as float32, (n, o)."""
    return torch.from_numpy(array[numbers[:, 0].long().numpy()].astype(np.float32))


def blocks(array: Mapped) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Read all rows in blocks, each with the number of its first row.

    The blocks are read, not mapped, so that no more than one counts as used memory.
    """
    row = array.shape[1] * array.dtype.itemsize
    step = max(1, BLOCK // row)
    for first in range(0, len(array), step):
        count = min(step, len(array) - first) * array.shape[1]
        offset = array.offset + first * row
        flat = np.fromfile(str(array.filename), array.dtype, count, offset=offset)
        with np.errstate(over="ignore"):
            yield first, flat.reshape(-1, array.shape[1]).astype(np.float32)


def look_at(array: Mapped, used: NDArray[np.bool_] | None) -> tuple[Tensor, Tensor]:
    """Check all rows, and compute the moments of some.

    Args:
        array: Rows on the disk.
        used: Rows that count, (m,); ``None`` computes nothing.

    Returns:
        Mean and standard deviation in float64, (o,).

    Raises:
        InputError: A number is not finite.
    """
    n, width = 0, array.shape[1]
    mean, spread = np.zeros(width), np.zeros(width)
    for first, block in blocks(array):
        bad = ~np.isfinite(block).all(1)
        if bad.any():
            row = first + int(bad.argmax())
            raise InputError(f"{array.filename}: row {row} holds numbers that are not finite")
        part = block if used is None else block[used[first : first + len(block)]]
        if used is None or not len(part):
            continue
        own = part.mean(0, dtype=np.float64)
        delta, total = own - mean, n + len(part)
        mean = mean + delta * (len(part) / total)
        spread += np.square(part - own).sum(0) + delta**2 * (n * len(part) / total)
        n = total
    return torch.from_numpy(mean), torch.from_numpy(np.sqrt(spread / max(n, 1)))
